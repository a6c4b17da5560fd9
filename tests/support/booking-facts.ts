import { z } from 'zod';
import type { TestPlatform } from './platform';

const intentSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  amount: z.number(),
  metadata: z.record(z.string(), z.string()),
});
const chargeSchema = z.looseObject({
  id: z.string(),
  payment_intent: z.string().nullish(),
  status: z.string(),
  amount_captured: z.number(),
});
const refundSchema = z.looseObject({
  payment_intent: z.string().nullish(),
  status: z.string(),
  amount: z.number(),
  balance_transaction: z.unknown(),
});
const stateSchema = z.looseObject({
  payment_intents: z.array(intentSchema),
  charges: z.array(chargeSchema),
  refunds: z.array(refundSchema),
  totals: z.record(
    z.string(),
    z.object({
      captured: z.number(),
      fees: z.number(),
      refunded: z.number(),
      transferred: z.number(),
      balance: z.number(),
    }),
  ),
  pending_webhooks: z.number(),
});
export type SandboxState = z.output<typeof stateSchema>;

export async function sandboxState({ sandbox }: Pick<TestPlatform, 'sandbox'>): Promise<SandboxState> {
  return stateSchema.parse((await sandbox('GET', '/sandbox/state')).body);
}

/** A booking's money at Stripe, in cents. */
export interface MoneyAtStripe {
  /** Statuses of its PaymentIntents; there is to be one at most. */
  intents: string[];
  /** Charges that took or reserved money. */
  charges: number;
  captured: number;
  refunded: number;
  /** Reserved on the card and not taken. */
  reserved: number;
}

export function moneyAtStripe(state: SandboxState, bookingId: string): MoneyAtStripe {
  // Inert ones only occupy a key, so that a request that was given up cannot take effect late.
  const intents = state.payment_intents.filter(
    ({ metadata }) => metadata.bookingId === bookingId && metadata.inert === undefined,
  );
  const ids = new Set(intents.map(({ id }) => id));
  const ours = <T extends { payment_intent?: string | null | undefined; status: string }>(objects: T[]) =>
    objects.filter((one) => one.status === 'succeeded' && ids.has(one.payment_intent ?? ''));
  const charges = ours(state.charges);
  // A release of an authorisation looks like a refund, but no balance moved.
  const refunds = ours(state.refunds).filter((refund) => refund.balance_transaction !== null);
  return {
    intents: intents.map(({ status }) => status),
    charges: charges.length,
    captured: charges.reduce((sum, charge) => sum + charge.amount_captured, 0),
    refunded: refunds.reduce((sum, refund) => sum + refund.amount, 0),
    reserved: intents.reduce((sum, { status, amount }) => sum + (status === 'requires_capture' ? amount : 0), 0),
  };
}

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
