import { leastOf } from '../../../kernel/currencies';
import { ProblemError } from '../../../kernel/errors';
import type { Money } from '../../../kernel/money';
import { HORIZON_DAYS, HORIZON_MS } from '../../../kernel/session';
import { endOf } from '../../../kernel/time';

/** @throws ProblemError validation_failed when `price` is below the least that can be charged in its currency */
export function requirePrice(price: Money): void {
  const least = leastOf(price.currency);
  if (price.amount >= least) return;
  throw new ProblemError('validation_failed', 'The price of this session is too low to be charged', {
    errors: [{ path: 'price.amount', message: `must be at least ${least}` }],
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

/** What speaks against a start: that it has passed, or lies too far ahead. */
export function slotRefusal(startsAt: string, now: Date): ProblemError | undefined {
  const ahead = Date.parse(startsAt) - now.getTime();
  if (ahead <= 0) return new ProblemError('slot_unavailable', 'This time has passed');
  if (ahead > HORIZON_MS)
    return new ProblemError('slot_unavailable', `Sessions can be booked up to ${HORIZON_DAYS} days ahead`);
  return undefined;
}
