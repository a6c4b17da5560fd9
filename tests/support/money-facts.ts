import { type MoneyAtStripe, moneyAtStripe, sandboxState } from '../../dev/chaos/stripe-state';
import type { TestPlatform } from './platform';

/** What payment, Stripe and the ledger know of a payment's money. */
export interface MoneyFacts {
  /** payment's own row, `status captured-refunded`. */
  payment: string | null;
  stripe: MoneyAtStripe;
  /** Whether the payee has been promised a day from which they can be paid. */
  earningsDue: boolean;
  /** Balances by kind of account, zeros left out. */
  ledger: Record<string, number>;
}

/** @param of whose id it is: the payment's own, or that of the booking it is for */
export async function moneyFacts(
  platform: Pick<TestPlatform, 'database' | 'sandbox'>,
  id: string,
  of: 'bookingId' | 'paymentId' = 'paymentId',
): Promise<MoneyFacts> {
  const sql = platform.database('payment');
  const itsPayment = of === 'paymentId' ? sql`p.id = ${id}` : sql`p.booking_id = ${id}`;
  const [[payment], ledger, state] = await Promise.all([
    sql<{ is: string; due: boolean }[]>`
      select status || ' ' || captured || '-' || refunded as is, earnings_due_at is not null as due
      from payments p where ${itsPayment}`,
    sql<{ account: string; amount: string }[]>`
      select split_part(e.account, ':', 1) as account, sum(e.amount) as amount
      from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
      join payments p on p.id = t.payment_id or t.dispute_id in (select id from disputes d where d.payment_id = p.id)
      where ${itsPayment} group by 1 having sum(e.amount) <> 0 order by 1`,
    sandboxState(platform),
  ]);
  return {
    payment: payment?.is ?? null,
    earningsDue: payment?.due ?? false,
    stripe: moneyAtStripe(state, id, of),
    ledger: Object.fromEntries(ledger.map(({ account, amount }) => [account, Number(amount)])),
  };
}
