import { PRICE } from './marketplace';
import { type MoneyFacts, moneyFacts } from './money-facts';
import type { TestPlatform } from './platform';

/** All that every context and Stripe know of a booking. */
export interface BookingFacts extends MoneyFacts {
  /** `status/reason`; null: there is no booking. */
  booking: string | null;
  /** The code that a request without a booking was refused with. */
  refusal: string | null;
  slot: string | null;
  /** booking's copy of its payment. */
  shownPayment: string | null;
}

/** At Stripe: a session's price, taken once. */
export const CAPTURED = { charges: 1, captured: PRICE, refunded: 0, reserved: 0, intents: ['succeeded'] };
/** At Stripe: nothing was ever asked for. */
export const NO_MONEY = { charges: 0, captured: 0, refunded: 0, reserved: 0, intents: [] };

export async function bookingFacts(platform: TestPlatform, id: string): Promise<BookingFacts> {
  const bookings = platform.database('booking');
  const [[booking], [request], [shown], [slot], money] = await Promise.all([
    bookings<
      { is: string }[]
    >`select status || coalesce('/' || status_reason, '') as is from bookings where id = ${id}`,
    bookings<{ code: string | null }[]>`select refusal->>'code' as code from booking_requests where id = ${id}`,
    bookings<{ is: string }[]>`
      select status || ' ' || captured || '-' || refunded as is from payments where booking_id = ${id}`,
    platform.database('tutoring')<{ state: string }[]>`select state from slots where booking_id = ${id}`,
    moneyFacts(platform, id, 'bookingId'),
  ]);
  return {
    booking: booking?.is ?? null,
    refusal: request?.code ?? null,
    slot: slot?.state ?? null,
    shownPayment: shown?.is ?? null,
    ...money,
  };
}
