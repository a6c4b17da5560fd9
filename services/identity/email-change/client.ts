import type { UndoKey } from '../../../kernel/step-key';
import type { ServiceClient } from '../../../platform/http-client';
import { operations } from './contract';

/**
 * identity's internal operations of changes of an address, for activities. Each throws ProblemError not_found when there is no such change, or
 * upstream_unavailable after a doubtful answer.
 */
export function createEmailChangeClient(http: ServiceClient) {
  const of = (id: string, key: string) => ({ params: { id }, idempotencyKey: key });
  return {
    /** Starts the sagas of changes that have none, and tells others how theirs stand. */
    sweep: () => http.call(operations.sweepEmailChanges, {}),
    /** Whose change it is, and its two addresses. */
    addressesOf: (id: string) => http.call(operations.getEmailChangeAddresses, { params: { id } }),
    /** How a change stands. Harmless twice. */
    look: (id: string) => http.call(operations.lookAtEmailChange, { params: { id } }),
    /** The same key gives the same link again. @throws ProblemError undone */
    issueConfirmLink: (id: string, key: string) => http.call(operations.issueConfirmLink, of(id, key)),
    /** Undo of issueConfirmLink, under whose key it is. */
    withdraw: (id: string, key: UndoKey) =>
      http.call(operations.withdrawEmailChange, { params: { id }, idempotencyKey: key }),
    /** @returns how the change stands then */
    make: (id: string, key: string) => http.call(operations.makeEmailChange, of(id, key)),
    /** The same key gives the same link again. */
    issueRevertLink: (id: string, key: string) => http.call(operations.issueRevertLink, of(id, key)),
    /** @returns how the change stands then */
    takeBack: (id: string, key: string) => http.call(operations.takeEmailChangeBack, of(id, key)),
  };
}
