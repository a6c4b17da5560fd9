import type { Party } from '../../../kernel/session';
import type { Booking, BookingOrRequested, InternalBooking, RequestedBooking } from '../contract';

/** The booking as `party` may see it: nobody's zone or language, and the payment's secret and the bank's words for the student alone. */
export function visibleTo(party: Party, booking: InternalBooking): Booking;
export function visibleTo(party: Party, booking: InternalBooking | RequestedBooking): BookingOrRequested;
export function visibleTo(party: Party, booking: InternalBooking | RequestedBooking): BookingOrRequested {
  if (booking.price === null) return booking;
  const { studentTimeZone, studentLocale, tutorTimeZone, tutorLocale, ...shown } = booking;
  return party === 'student' ? shown : { ...shown, payment: withoutSecrets(booking.payment) };
}

/** The payment without what only the student needs. */
export function withoutSecrets(payment: Booking['payment']): Booking['payment'] {
  if (payment === null) return null;
  const { clientSecret, declineCode, ...shown } = payment;
  return shown;
}
