import { ProblemError } from '../../../kernel/errors';
import type { BookingStatus } from '../../../kernel/statuses';
import { canGo, type TransitionTable } from '../../../kernel/transitions';

/** A booking's whole life. `refunded` goes back when a refund that had succeeded fails after all. */
export const BOOKING_TRANSITIONS: TransitionTable<BookingStatus> = {
  pending: ['confirmed', 'cancelled'],
  confirmed: ['completed', 'cancelled'],
  completed: [],
  cancelled: ['refunded'],
  refunded: ['cancelled'],
};

/** @throws ProblemError invalid_state when the table does not lead from `from` to `to` */
export function requireTransition(from: BookingStatus, to: BookingStatus): void {
  if (!canGo(BOOKING_TRANSITIONS, from, to)) {
    throw new ProblemError('invalid_state', `A booking that is ${from} cannot become ${to}`);
  }
}

/** Whether a booking is made at once or only when the tutor says so (BookingConfirmationService of the domain model). */
export function confirmationMode(instantBooking: boolean): 'at_once' | 'by_tutor' {
  return instantBooking ? 'at_once' : 'by_tutor';
}

/** Whether a booking of this status takes the student's time. */
export function isLive(status: BookingStatus): boolean {
  return status === 'pending' || status === 'confirmed';
}

/**
 * The status of a booking that came to nothing, by what was taken for it and given back, in whatever order the two became known: refunded
 * when everything came back that was taken.
 */
export function statusOfCancelled({ captured, refunded }: { captured: number; refunded: number }) {
  return captured > 0 && refunded === captured ? 'refunded' : 'cancelled';
}
