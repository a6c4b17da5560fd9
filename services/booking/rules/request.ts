import { ERROR_CODES, type ErrorCode, ProblemError } from '../../../kernel/errors';
import type { Booking, Refusal } from '../contract';

/** What a request to book has come to so far. */
export interface Progress {
  /** Null until the saga has made the booking. */
  booking: (Pick<Booking, 'status' | 'statusReason'> & { declineCode: string | null }) | null;
  refusal: Refusal | null;
}

export type RequestOutcome =
  | { kind: 'waiting' }
  | { kind: 'made' }
  | { kind: 'action_needed' }
  | { kind: 'refused'; problem: ProblemError };

/**
 * How to answer POST /api/bookings. A refusal counts once nothing of the booking is left: while the saga is still undoing,
 * the answer waits, unless there is no time left (`last`).
 */
export function requestOutcome(bookingId: string, progress: Progress, last = false): RequestOutcome {
  const { booking, refusal } = progress;
  const gone = booking === null || booking.status === 'cancelled' || booking.status === 'refunded';
  if (refusal && (gone || last)) {
    const { code, detail, errors } = refusal;
    const named = booking !== null || [402, 409].includes(ERROR_CODES[code].status);
    const more = { ...(errors && { errors }), ...(named && { extras: { bookingId } }) };
    return { kind: 'refused', problem: new ProblemError(code, detail, more) };
  }
  if (booking === null) return { kind: 'waiting' };
  if (booking.status === 'confirmed' || booking.status === 'completed') return { kind: 'made' };
  if (gone) return { kind: 'refused', problem: cancelledProblem(bookingId, booking) };
  if (booking.statusReason === 'awaiting_tutor') return { kind: 'made' };
  return { kind: booking.statusReason === 'awaiting_payment' ? 'action_needed' : 'waiting' };
}

function cancelledProblem(bookingId: string, booking: NonNullable<Progress['booking']>): ProblemError {
  const { statusReason, declineCode } = booking;
  if (statusReason === 'payment_declined') {
    return new ProblemError('payment_declined', undefined, {
      extras: { bookingId, declineCode: declineCode ?? 'generic_decline' },
    });
  }
  const { code, detail, more } = refusalAfter(statusReason);
  return new ProblemError(code, detail, { ...more, extras: { bookingId } });
}

/** The refusal that stands for a booking that was undone for `reason`. */
export function refusalAfter(reason: Booking['statusReason']): ProblemError {
  switch (reason) {
    case 'payment_declined':
    case 'payment_expired':
    case 'slot_unavailable':
      return new ProblemError(reason);
    case 'platform_unavailable':
      return new ProblemError('upstream_unavailable', 'The booking was undone: a part of the platform did not answer', {
        retryAfterSeconds: 2,
      });
    default:
      return new ProblemError('invalid_state', 'The booking was cancelled before this request was answered');
  }
}

/** Why a booking would have come to nothing that was refused with this code before it was made; null where none could be. */
export function reasonAfter({ code }: Pick<Refusal, 'code'>): 'slot_unavailable' | 'platform_unavailable' | null {
  if (code === 'slot_unavailable') return code;
  return code === 'upstream_unavailable' ? 'platform_unavailable' : null;
}

/** A refusal that says nothing about the request: the same one may succeed later, with a booking of its own. */
export function isTemporary(refusal: { code: ErrorCode }): boolean {
  return ERROR_CODES[refusal.code].retryable;
}
