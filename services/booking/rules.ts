import { ERROR_CODES, type ErrorCode, ProblemError } from '../../kernel/errors';
import { type Money, scaleUp, subtract } from '../../kernel/money';
import { HORIZON_DAYS, HORIZON_MS, LEAST_PRICE, type Party } from '../../kernel/session';
import type { BookingStatus } from '../../kernel/statuses';
import { endOf, HOUR } from '../../kernel/time';
import { canGo, type TransitionTable } from '../../kernel/transitions';
import type { Booking, BookingOrRequested, InternalBooking, Refusal, RequestedBooking } from './contract';

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

/** @throws ProblemError validation_failed when `price` is below the least a session may cost */
export function requirePrice(price: Money): void {
  if (price.amount >= LEAST_PRICE) return;
  throw new ProblemError('validation_failed', 'The price of this session is too low to be charged', {
    errors: [{ path: 'price.amount', message: `must be at least ${LEAST_PRICE}` }],
  });
}

/** An interval of time; its end does not belong to it. */
export interface Session {
  /** ISO 8601. */
  startsAt: string;
  endsAt: string;
}

/** Whether two sessions share any moment. Back to back they do not. */
export function overlaps(a: Session, b: Session): boolean {
  return Date.parse(a.startsAt) < Date.parse(b.endsAt) && Date.parse(b.startsAt) < Date.parse(a.endsAt);
}

/**
 * What speaks against booking a session from the start: that its time has come or is more than 365 days away, or that the
 * student has another live session then (BookingConflictChecker of the domain model). A time that is only wrong because
 * of today's date is a slot that cannot be had (409), not a malformed request (422).
 */
export function bookingRefusal(
  wanted: { scheduledAt: string; durationMinutes: number },
  live: readonly Session[],
  now: Date,
): ProblemError | undefined {
  const outside = slotRefusal(wanted.scheduledAt, now);
  if (outside) return outside;
  const session = { startsAt: wanted.scheduledAt, endsAt: endOf(wanted.scheduledAt, wanted.durationMinutes) };
  return live.some((other) => overlaps(session, other)) ? doubleBooked() : undefined;
}

/** A student has one live booking at a time. */
export function doubleBooked(): ProblemError {
  return new ProblemError('conflict', 'The student has another booking at this time');
}

function slotRefusal(startsAt: string, now: Date): ProblemError | undefined {
  const ahead = Date.parse(startsAt) - now.getTime();
  if (ahead <= 0) return new ProblemError('slot_unavailable', 'This time has passed');
  if (ahead > HORIZON_MS)
    return new ProblemError('slot_unavailable', `Sessions can be booked up to ${HORIZON_DAYS} days ahead`);
  return undefined;
}

/** The shares of a student's cancel, by the time left to the start of the session when the request arrived. */
const FULL_UNTIL_MS = 24 * HOUR;
const HALF_UNTIL_MS = 4 * HOUR;

/**
 * RefundCalculator of the domain model. A student who cancels at least 24 hours ahead gets everything back, at least 4
 * hours ahead half of it, later nothing; a cancel by the tutor or an operator gives everything back. The share is of
 * what is left of the captured amount, rounded up to the minor unit.
 */
export function refundFor(cancel: {
  by: Party;
  captured: Money;
  /** Already given back, by an earlier refund. */
  refunded: Money;
  startsAt: string;
  requestedAt: string;
}): { refund: Money; retained: Money } {
  const left = subtract(cancel.captured, cancel.refunded);
  const percent = cancel.by === 'student' ? studentPercent(cancel.startsAt, cancel.requestedAt) : 100;
  const refund = { amount: scaleUp(left.amount, percent, 100), currency: left.currency };
  return { refund, retained: subtract(left, refund) };
}

function studentPercent(startsAt: string, requestedAt: string): number {
  const ahead = Date.parse(startsAt) - Date.parse(requestedAt);
  if (ahead >= FULL_UNTIL_MS) return 100;
  return ahead >= HALF_UNTIL_MS ? 50 : 0;
}

/** Undefined for a stranger, to whom the booking does not exist. An administrator who is no party of it is an operator. */
export function partyOf(
  booking: { studentId: string; tutorId: string },
  user: { id: string; role: string },
): Party | undefined {
  if (booking.studentId === user.id) return 'student';
  if (booking.tutorId === user.id) return 'tutor';
  return user.role === 'admin' ? 'operator' : undefined;
}

/** What a person asks of a booking. */
export type Command =
  | { kind: 'confirm' | 'decline' | 'cancel' | 'complete' }
  | { kind: 'change'; scheduledAt?: string | undefined; meetingUrl?: string | null | undefined };

type Life = Pick<BookingOrRequested, 'status' | 'statusReason' | 'scheduledAt' | 'durationMinutes' | 'price'>;

/**
 * What certainly speaks against a command, before any saga is asked; the saga checks again when the command's turn comes.
 * `forbidden` when the party may never ask this, `invalid_state` when the booking is not in the state for it.
 */
export function commandRefusal(command: Command, party: Party, booking: Life, now: Date): ProblemError | undefined {
  switch (command.kind) {
    case 'cancel':
      return isLive(booking.status) ? undefined : invalid(`A booking that is ${booking.status} cannot be cancelled`);
    case 'confirm':
    case 'decline':
      if (party !== 'tutor') return new ProblemError('forbidden');
      return booking.status === 'pending' && booking.statusReason === 'awaiting_tutor'
        ? undefined
        : invalid('The booking does not wait for the tutor');
    case 'complete':
      if (party !== 'tutor') return new ProblemError('forbidden');
      if (booking.status !== 'confirmed') return invalid(`A booking that is ${booking.status} cannot be completed`);
      return now.getTime() < Date.parse(endOf(booking.scheduledAt, booking.durationMinutes))
        ? invalid('The session has not ended yet')
        : undefined;
    case 'change':
      return changeRefusal(command, party, booking, now);
  }
}

function changeRefusal(
  command: Command & { kind: 'change' },
  party: Party,
  booking: Life,
  now: Date,
): ProblemError | undefined {
  if (party === 'operator') return new ProblemError('forbidden');
  if (command.meetingUrl !== undefined) {
    if (party !== 'tutor') return new ProblemError('forbidden', 'Only the tutor sets the meeting link');
    if (booking.price === null) return invalid('The booking is still to be made');
    if (!isLive(booking.status)) return invalid(`A booking that is ${booking.status} takes no meeting link`);
  }
  return command.scheduledAt === undefined ? undefined : moveRefusal(command.scheduledAt, party, booking, now);
}

function moveRefusal(scheduledAt: string, party: Party, booking: Life, now: Date): ProblemError | undefined {
  if (booking.status !== 'confirmed') return invalid('Only a confirmed booking can be moved');
  const ahead = Date.parse(booking.scheduledAt) - now.getTime();
  if (ahead <= 0) return invalid('The session has started');
  if (party === 'student' && ahead < FULL_UNTIL_MS) {
    return invalid('A student can move a session until 24 hours before its start');
  }
  return slotRefusal(scheduledAt, now);
}

/** Whether a booking of this status takes the student's time. */
export function isLive(status: BookingStatus): boolean {
  return status === 'pending' || status === 'confirmed';
}

/**
 * Whether the booking already is what `party` asks for by `command`. Of two who end a booking at once one was first: the other's reason
 * and terms do not hold.
 */
export function isFulfilled(command: Command, party: Party, booking: Life): boolean {
  switch (command.kind) {
    case 'cancel':
      return booking.statusReason === `cancelled_by_${party}`;
    case 'decline':
      return booking.statusReason === 'declined';
    case 'confirm':
      return booking.status === 'confirmed' || booking.status === 'completed';
    case 'complete':
      return booking.status === 'completed';
    case 'change':
      return command.scheduledAt === undefined || command.scheduledAt === booking.scheduledAt;
  }
}

/** The booking as `party` may see it: no addresses, and the payment's secret and the bank's words for the student alone. */
export function visibleTo(party: Party, booking: InternalBooking): Booking;
export function visibleTo(party: Party, booking: InternalBooking | RequestedBooking): BookingOrRequested;
export function visibleTo(party: Party, booking: InternalBooking | RequestedBooking): BookingOrRequested {
  if (booking.price === null) return booking;
  const { studentEmail, studentTimeZone, studentLocale, tutorEmail, tutorTimeZone, tutorLocale, ...shown } = booking;
  return party === 'student' ? shown : { ...shown, payment: withoutSecrets(booking.payment) };
}

/** The payment without what only the student needs. */
export function withoutSecrets(payment: Booking['payment']): Booking['payment'] {
  if (payment === null) return null;
  const { clientSecret, declineCode, ...shown } = payment;
  return shown;
}

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
  const { code, detail } = refusalAfter(statusReason);
  return new ProblemError(code, detail, { extras: { bookingId } });
}

/** The refusal that stands for a booking that was undone for `reason`. */
export function refusalAfter(reason: Booking['statusReason']): ProblemError {
  switch (reason) {
    case 'payment_declined':
    case 'payment_expired':
    case 'slot_unavailable':
      return new ProblemError(reason);
    default:
      return invalid('The booking was cancelled before this request was answered');
  }
}

/** A refusal that says nothing about the request: the same one may succeed later, with a booking of its own. */
export function isTemporary(refusal: { code: ErrorCode }): boolean {
  return ERROR_CODES[refusal.code].retryable;
}

function invalid(detail: string): ProblemError {
  return new ProblemError('invalid_state', detail);
}
