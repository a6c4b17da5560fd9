import { type MoneyAtStripe, moneyAtStripe, sandboxState } from '../../dev/chaos/stripe-state';
import { PRICE } from './marketplace';
import type { TestPlatform } from './platform';

/** All that every context and Stripe know of a booking. */
export interface BookingFacts {
  /** `status/reason`; null: there is no booking. */
  booking: string | null;
  /** The code that a request without a booking was refused with. */
  refusal: string | null;
  slot: string | null;
  /** payment's own row, `status captured-refunded`. */
  payment: string | null;
  /** booking's copy of it. */
  shownPayment: string | null;
  stripe: MoneyAtStripe;
  /** Balances by kind of account, zeros left out. */
  ledger: Record<string, number>;
}

/** At Stripe: a session's price, taken once. */
export const CAPTURED = { charges: 1, captured: PRICE, refunded: 0, reserved: 0, intents: ['succeeded'] };
/** At Stripe: nothing was ever asked for. */
export const NO_MONEY = { charges: 0, captured: 0, refunded: 0, reserved: 0, intents: [] };

export async function bookingFacts(platform: TestPlatform, id: string): Promise<BookingFacts> {
  const bookings = platform.database('booking');
  const payments = platform.database('payment');
  const [[booking], [request], [shown], [slot], [payment], ledger, state] = await Promise.all([
    bookings<
      { is: string }[]
    >`select status || coalesce('/' || status_reason, '') as is from bookings where id = ${id}`,
    bookings<{ code: string | null }[]>`select refusal->>'code' as code from booking_requests where id = ${id}`,
    bookings<{ is: string }[]>`
      select status || ' ' || captured || '-' || refunded as is from payments where booking_id = ${id}`,
    platform.database('tutoring')<{ state: string }[]>`select state from slots where booking_id = ${id}`,
    payments<{ is: string }[]>`
      select status || ' ' || captured || '-' || refunded as is from payments where booking_id = ${id}`,
    payments<{ account: string; amount: string }[]>`
      select split_part(e.account, ':', 1) as account, sum(e.amount) as amount
      from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
      join payments p on p.id = t.payment_id
      where p.booking_id = ${id} group by 1 having sum(e.amount) <> 0 order by 1`,
    sandboxState(platform),
  ]);
  return {
    booking: booking?.is ?? null,
    refusal: request?.code ?? null,
    slot: slot?.state ?? null,
    payment: payment?.is ?? null,
    shownPayment: shown?.is ?? null,
    stripe: moneyAtStripe(state, id),
    ledger: Object.fromEntries(ledger.map(({ account, amount }) => [account, Number(amount)])),
  };
}
