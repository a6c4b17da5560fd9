import type { UndoKey } from '../../kernel/step-key';
import type { ParamsOf, SentBody } from '../../platform/endpoint';
import type { ServiceClient } from '../../platform/http-client';
import { tutoringContract as contract } from './contract';

type Body<Name extends keyof typeof contract> = SentBody<(typeof contract)[Name]>;
type BookingId = ParamsOf<typeof contract.holdSlot>['bookingId'];

/**
 * The internal operations of tutoring, for activities. `key` is the idempotency key `<workflowId>/<step>`, with `/undo`
 * behind it for {@link removeTutor}, {@link releaseSlot} and {@link unreserveSlot}. All throw ProblemError with the codes of the contract.
 */
export function createTutoringClient(http: ServiceClient) {
  return {
    /** Makes the empty profile of a new tutor; its id is the user's. */
    createTutor: (body: Body<'createTutor'>, key: string) =>
      http.call(contract.createTutor, { body, idempotencyKey: key }),
    /** Undoes createTutor. Harmless when there is nothing to undo. */
    removeTutor: (tutorId: string, key: UndoKey) =>
      http.call(contract.removeTutor, { params: { id: tutorId }, idempotencyKey: key }),
    /** Harmless where there is no such tutor. */
    unlistTutor: (tutorId: string, body: Body<'unlistTutor'>, key: string) =>
      http.call(contract.unlistTutor, { params: { id: tutorId }, body, idempotencyKey: key }),
    /** Harmless where another suspension, or none, keeps the tutor unlisted. */
    relistTutor: (tutorId: string, body: Body<'relistTutor'>, key: string) =>
      http.call(contract.relistTutor, { params: { id: tutorId }, body, idempotencyKey: key }),
    /** Name, zone and price for a session. @throws ProblemError not_found, validation_failed, slot_unavailable */
    quoteSession: (tutorId: string, body: Body<'quoteSession'>) =>
      http.call(contract.quoteSession, { params: { id: tutorId }, body }),
    /** @throws ProblemError slot_unavailable when taken or outside the hours; undone when it was released before */
    holdSlot: (bookingId: BookingId, body: Body<'holdSlot'>, key: string) =>
      http.call(contract.holdSlot, { params: { bookingId }, body, idempotencyKey: key }),
    /** @throws ProblemError slot_unavailable when the hold expired and somebody else took the slot */
    extendHold: (bookingId: BookingId, body: Body<'extendHold'>, key: string) =>
      http.call(contract.extendHold, { params: { bookingId }, body, idempotencyKey: key }),
    /** @throws ProblemError slot_unavailable when the hold expired and somebody else took the slot */
    blockSlot: (bookingId: BookingId, key: string) =>
      http.call(contract.blockSlot, { params: { bookingId }, idempotencyKey: key }),
    /** Frees all that a booking keeps. Harmless when there is nothing. */
    releaseSlot: (bookingId: BookingId, key: UndoKey) =>
      http.call(contract.releaseSlot, { params: { bookingId }, idempotencyKey: key }),
    /** @throws ProblemError slot_unavailable when the new interval is taken or outside the hours, or nothing is held; undone */
    reserveSlot: (bookingId: BookingId, body: Body<'reserveSlot'>, key: string) =>
      http.call(contract.reserveSlot, { params: { bookingId }, body, idempotencyKey: key }),
    /** Frees what the step before it reserved. Harmless when that is nothing, or where the session is. */
    unreserveSlot: (bookingId: BookingId, key: UndoKey) =>
      http.call(contract.unreserveSlot, { params: { bookingId }, idempotencyKey: key }),
    /** The session is at `start` now; frees whatever else its booking keeps. Harmless when it keeps nothing there. */
    keepSlot: (bookingId: BookingId, body: Body<'keepSlot'>, key: string) =>
      http.call(contract.keepSlot, { params: { bookingId }, body, idempotencyKey: key }),
    /** Unlists whose stored prices cannot be charged; who has to be told of it. */
    sweepPrices: () => http.call(contract.sweepPrices, {}),
    /** Harmless twice. */
    markPricesTold: (tutorId: string, body: Body<'markPricesTold'>) =>
      http.call(contract.markPricesTold, { params: { id: tutorId }, body }),
    /** @throws ProblemError slot_unavailable when the new interval is taken or outside the hours, or nothing is held */
    moveSlot: (bookingId: BookingId, body: Body<'moveSlot'>, key: string) =>
      http.call(contract.moveSlot, { params: { bookingId }, body, idempotencyKey: key }),
  };
}

export type TutoringClient = ReturnType<typeof createTutoringClient>;
