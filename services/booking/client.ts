import type { BodyOf, Endpoint } from '../../platform/endpoint';
import type { ServiceClient } from '../../platform/http-client';
import { bookingContract as api, type BookingRequest, type InternalBooking } from './contract';

type Body<E extends Endpoint> = BodyOf<E>;

/**
 * booking's internal operations, for activities. Every command takes the step's idempotency key, `booking:<id>/<step>`,
 * and throws ProblemError with booking's code.
 */
export function createBookingClient(http: ServiceClient) {
  const of = (id: string, idempotencyKey: string) => ({ params: { id }, idempotencyKey });
  return {
    /** The booking with the addresses, zones and locales that mails need. @throws ProblemError not_found */
    getBooking: (id: string): Promise<InternalBooking> => http.call(api.internalGetBooking, { params: { id } }),

    /** What the client asked for. @throws ProblemError not_found */
    getRequest: (id: string): Promise<BookingRequest> => http.call(api.internalGetBookingRequest, { params: { id } }),

    /** Makes the booking, pending. @throws ProblemError conflict when the student is booked then already; undone; validation_failed */
    create: (id: string, body: Body<typeof api.internalCreateBooking>, key: string) =>
      http.call(api.internalCreateBooking, { ...of(id, key), body }),

    /** Stores what the waiting client is refused with. The first refusal stays. */
    refuse: (id: string, body: Body<typeof api.internalRefuseBooking>, key: string) =>
      http.call(api.internalRefuseBooking, { ...of(id, key), body }),

    /** Records the payment's state, and until when the student may act while the bank wants to be asked. */
    recordPayment: (id: string, body: Body<typeof api.internalRecordPayment>, key: string) =>
      http.call(api.internalRecordPayment, { ...of(id, key), body }),

    /** Says that the tutor is asked and until when. @throws ProblemError invalid_state unless pending */
    awaitTutor: (id: string, body: Body<typeof api.internalAwaitTutor>, key: string) =>
      http.call(api.internalAwaitTutor, { ...of(id, key), body }),

    /** Pending to confirmed. @throws ProblemError invalid_state */
    confirm: (id: string, key: string) => http.call(api.internalConfirmBooking, of(id, key)),

    /** The undo of create; the key ends with `/create/undo`. Harmless without a booking. @throws ProblemError invalid_state once confirmed */
    cancel: (id: string, body: Body<typeof api.internalCancelBooking>, key: string) =>
      http.call(api.internalCancelBooking, { ...of(id, key), body }),

    /** Confirmed to cancelled; returns what to refund and what is kept. @throws ProblemError invalid_state */
    cancelConfirmed: (id: string, body: Body<typeof api.internalCancelConfirmedBooking>, key: string) =>
      http.call(api.internalCancelConfirmedBooking, { ...of(id, key), body }),

    /** Records the payment's state after a refund. */
    recordRefund: (id: string, body: Body<typeof api.internalRecordRefund>, key: string) =>
      http.call(api.internalRecordRefund, { ...of(id, key), body }),

    /** Moves a confirmed session. @throws ProblemError invalid_state; conflict when the student is booked then already */
    reschedule: (id: string, body: Body<typeof api.internalRescheduleBooking>, key: string) =>
      http.call(api.internalRescheduleBooking, { ...of(id, key), body }),

    /** Confirmed to completed. @throws ProblemError invalid_state */
    complete: (id: string, body: Body<typeof api.internalCompleteBooking>, key: string) =>
      http.call(api.internalCompleteBooking, { ...of(id, key), body }),
  };
}

export type BookingClient = ReturnType<typeof createBookingClient>;
