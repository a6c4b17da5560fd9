import type { UndoKey } from '../../kernel/step-key';
import type { BodyOf, Endpoint } from '../../platform/endpoint';
import type { ServiceClient } from '../../platform/http-client';
import type { CheckFolds } from '../../platform/schemas';
import { bookingContract as contract, type InternalBooking, type StoredRequest } from './contract';

type Body<E extends Endpoint> = BodyOf<E>;

/**
 * booking's internal operations, for activities. Every command takes the step's idempotency key, `booking:<id>/<step>`,
 * and throws ProblemError with booking's code.
 */
export function createBookingClient(http: ServiceClient) {
  const of = <Key extends string>(id: string, idempotencyKey: Key) => ({ params: { id }, idempotencyKey });
  return {
    /** The booking with the addresses, zones and locales that mails need. @throws ProblemError not_found */
    readForNotices: (id: string): Promise<InternalBooking> => http.call(contract.readForNotices, { params: { id } }),

    /** What happened to it, oldest first. @throws ProblemError not_found */
    readTimeline: (id: string) => http.call(contract.readTimeline, { params: { id } }),

    /** What the client asked for; from now on its saga has begun. @throws ProblemError not_found; undone when it was refused before */
    beginRequest: (id: string): Promise<StoredRequest> => http.call(contract.beginRequest, { params: { id } }),

    /** Holds random bookings to their events. */
    checkFolds: (body: CheckFolds) => http.call(contract.checkFolds, { body }),

    /** Refuses for good what never began and was given up by its client. */
    sweepRequests: () => http.call(contract.sweepRequests, {}),

    /** Makes the booking, pending. @throws ProblemError conflict when the student is booked then already; undone; validation_failed */
    createPending: (id: string, body: Body<typeof contract.createPending>, key: string) =>
      http.call(contract.createPending, { ...of(id, key), body }),

    /** Stores what the waiting client is refused with. The first refusal stays. */
    refuseRequest: (id: string, body: Body<typeof contract.refuseRequest>, key: string) =>
      http.call(contract.refuseRequest, { ...of(id, key), body }),

    /** Records the payment's state, and until when the student may act while the bank wants to be asked. */
    recordPayment: (id: string, body: Body<typeof contract.recordPayment>, key: string) =>
      http.call(contract.recordPayment, { ...of(id, key), body }),

    /** Says that the tutor is asked and until when. @throws ProblemError invalid_state unless pending */
    awaitTutor: (id: string, body: Body<typeof contract.awaitTutor>, key: string) =>
      http.call(contract.awaitTutor, { ...of(id, key), body }),

    /** Pending to confirmed. @throws ProblemError invalid_state */
    confirmPending: (id: string, key: string) => http.call(contract.confirmPending, of(id, key)),

    /** The undo of createPending; the key ends with `/create/undo`. Harmless without a booking. @throws ProblemError invalid_state once confirmed */
    cancelPending: (id: string, body: Body<typeof contract.cancelPending>, key: UndoKey) =>
      http.call(contract.cancelPending, { ...of(id, key), body }),

    /** Confirmed to cancelled; returns the share to give back. @throws ProblemError invalid_state */
    cancelConfirmed: (id: string, body: Body<typeof contract.cancelConfirmed>, key: string) =>
      http.call(contract.cancelConfirmed, { ...of(id, key), body }),

    /** Records the payment's state after a refund. */
    recordRefund: (id: string, body: Body<typeof contract.recordRefund>, key: string) =>
      http.call(contract.recordRefund, { ...of(id, key), body }),

    /** Asks whether a session may be moved so. @throws ProblemError invalid_state, slot_unavailable, conflict */
    admitMove: (id: string, body: Body<typeof contract.admitMove>) =>
      http.call(contract.admitMove, { params: { id }, body }),

    /** Moves a confirmed session. @throws ProblemError invalid_state; conflict when the student is booked then already */
    moveConfirmed: (id: string, body: Body<typeof contract.moveConfirmed>, key: string) =>
      http.call(contract.moveConfirmed, { ...of(id, key), body }),

    /** What becomes of the bookings of a person who is kept out. */
    openSessions: (personId: string) => http.call(contract.openSessions, { params: { id: personId } }),

    /** Declines or cancels by the booking's own saga. Harmless when it is over. @throws ProblemError invalid_state where it cannot be in this moment */
    withdrawBooking: (id: string, by: Body<typeof contract.withdrawBooking>['by'], key: string) =>
      http.call(contract.withdrawBooking, { ...of(id, key), body: { by } }),

    /** Confirmed to completed. @throws ProblemError invalid_state */
    completeConfirmed: (id: string, body: Body<typeof contract.completeConfirmed>, key: string) =>
      http.call(contract.completeConfirmed, { ...of(id, key), body }),
  };
}

export type BookingClient = ReturnType<typeof createBookingClient>;
