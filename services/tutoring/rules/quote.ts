import { ProblemError } from '../../../kernel/errors';
import { endOf } from '../../../kernel/time';
import type { Availability, Quote, Tutor } from '../contract';
import { assertOffered } from './hours';
import { priceFault, sessionPrice } from './prices';
import { spelledSubject } from './profile';

/** A session that somebody wants: when it starts, how long it is and at which hourly option, the default one if absent. */
export interface WantedSession {
  subject: string;
  scheduledAt: string;
  durationMinutes: number;
  pricingOptionId?: string | undefined;
}

/**
 * What the tutor offers for a wanted session, at their prices and within their hours. Whether somebody else has the time
 * is not asked here. `settling` are the currencies of SETTLEMENT_CURRENCIES.
 * @throws ProblemError not_found when the tutor takes no bookings; validation_failed for a subject, option or price there
 * is not; slot_unavailable
 */
export function quoteFor(
  tutor: Tutor,
  hours: Availability,
  wanted: WantedSession,
  now: number,
  settling: readonly string[],
): Quote {
  const { scheduledAt, durationMinutes } = wanted;
  // A tutor whose prices became unusable may not be unlisted yet.
  if (!tutor.listed || tutor.pricing.some((option) => priceFault(option, settling)))
    throw new ProblemError('not_found', 'The tutor takes no bookings');
  const subject = spelledSubject(tutor.subjects, wanted.subject);
  const price = sessionPrice(tutor.pricing, durationMinutes, wanted.pricingOptionId);
  assertOffered(hours, Date.parse(scheduledAt), durationMinutes, now);
  const { id: tutorId, displayName, timeZone, instantBooking } = tutor;
  return {
    tutorId,
    displayName,
    timeZone,
    instantBooking,
    subject,
    price,
    startsAt: scheduledAt,
    endsAt: endOf(scheduledAt, durationMinutes),
  };
}
