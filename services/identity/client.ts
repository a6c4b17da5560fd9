import type { UndoKey } from '../../kernel/step-key';
import type { ServiceClient } from '../../platform/http-client';
import { identityContract as contract } from './contract';

/**
 * identity's internal operations, for activities. `key` is `<workflowId>/<step>`, that of an undo ends with `/undo`.
 * Each throws ProblemError with identity's code, or upstream_unavailable after a doubtful answer.
 */
export function createIdentityClient(http: ServiceClient) {
  return {
    /** @throws ProblemError not_found */
    getUser: (id: string) => http.call(contract.getUser, { params: { id } }),
    /** @throws ProblemError not_found unless both exist */
    getPeople: (first: string, second: string) => http.call(contract.getPeople, { query: { first, second } }),
    /** @throws ProblemError not_found */
    getContact: (id: string) => http.call(contract.getContact, { params: { id } }),
    /** `limit` active people at most whose ids come after `after`, or the first ones. `next` is null after the last page. */
    listContacts: (after: string | null, limit: number) =>
      http.call(contract.listContacts, { query: { ...(after !== null && { after }), limit } }),
    /** @throws ProblemError not_found, undone */
    createProfile: (id: string, key: string) =>
      http.call(contract.createProfile, { params: { id }, idempotencyKey: key }),
    /** Harmless when there is none. @throws ProblemError invalid_state for an active user */
    removeProfile: (id: string, key: UndoKey) =>
      http.call(contract.removeProfile, { params: { id }, idempotencyKey: key }),
    /** Starts the sagas of registrations that have none. @throws ProblemError upstream_unavailable */
    sweepSignUps: () => http.call(contract.sweepSignUps, {}),
    /** @throws ProblemError not_found, undone; invalid_state without a profile */
    activateUser: (id: string, key: string) =>
      http.call(contract.activateUser, { params: { id }, idempotencyKey: key }),
    /** Undo of registering; harmless when there is no such user. @throws ProblemError invalid_state for an active user */
    removeUser: (id: string, key: UndoKey) => http.call(contract.removeUser, { params: { id }, idempotencyKey: key }),
    /** The same key gives the same token again, so that a message sent twice holds one link. @throws ProblemError not_found */
    issueEmailVerification: (id: string, key: string) =>
      http.call(contract.issueEmailVerification, { params: { id }, idempotencyKey: key }),
    /** Starts the sagas of requests to become a tutor that have none. @throws ProblemError upstream_unavailable */
    sweepTutorAccounts: () => http.call(contract.sweepTutorAccounts, {}),
    /** @throws ProblemError not_found, undone */
    beginTutorAccount: (id: string, key: string) =>
      http.call(contract.beginTutorAccount, { params: { id }, idempotencyKey: key }),
    /** Undo of the request. @throws ProblemError invalid_state for one that came to its end */
    refuseTutorAccount: (id: string, key: UndoKey) =>
      http.call(contract.refuseTutorAccount, { params: { id }, idempotencyKey: key }),
    /** @throws ProblemError not_found, undone */
    becomeTutor: (id: string, key: string) => http.call(contract.becomeTutor, { params: { id }, idempotencyKey: key }),
    /** Starts the sagas of suspensions that have none. @throws ProblemError upstream_unavailable */
    sweepSuspensions: () => http.call(contract.sweepSuspensions, {}),
    /** How a suspension stands. Harmless twice. @throws ProblemError not_found */
    lookAtSuspension: (id: string, key: string) =>
      http.call(contract.lookAtSuspension, { params: { id }, idempotencyKey: key }),
    /** The person can sign in again. Harmless when they can. @throws ProblemError not_found */
    reinstateUser: (id: string, key: string) =>
      http.call(contract.reinstateUser, { params: { id }, idempotencyKey: key }),
    /** Starts the sagas of mails that have none. @throws ProblemError upstream_unavailable */
    sweepAccountMails: () => http.call(contract.sweepAccountMails, {}),
    /** What is to be sent, if anything. Harmless twice. */
    beginAccountMail: (id: string, key: string) =>
      http.call(contract.beginAccountMail, { params: { id }, idempotencyKey: key }),
    /** The same key gives the same link again. */
    issueLink: (id: string, key: string) => http.call(contract.issueLink, { params: { id }, idempotencyKey: key }),
  };
}

export type IdentityClient = ReturnType<typeof createIdentityClient>;
