import type { Sql } from 'postgres';

/** What banks have had to do with a payment's money, in minor units. */
export interface Claimed {
  /** What they have ever taken by chargebacks, above what was paid as well. */
  taken: number;
  /** What of the payment its payer has by them for good. */
  chargedBack: number;
  /** What an operator has settled by other means, or let off: Stripe refunds nothing of what was charged back. */
  givenUp: number;
  /** Something was counted as lost at first and came back: a share of what was left meanwhile was a share of less. */
  wonLate: boolean;
}

/** Of a payment that nobody has disputed. */
export const UNCLAIMED: Claimed = { taken: 0, chargedBack: 0, givenUp: 0, wonLate: false };

/** What banks have had to do with each payment; those of which they have taken nothing, and of which nothing was given up, are left out. */
export async function claimsByPayment(payments: Sql): Promise<ReadonlyMap<string, Claimed>> {
  const rows = await payments<(Claimed & { id: string })[]>`
    select p.id, p.charged_back::float8 as "chargedBack",
      coalesce((select sum(e.amount) from ledger_transactions t join ledger_entries e on e.transaction_id = t.id
        join disputes d on d.id = t.dispute_id
        where d.payment_id = p.id and t.kind = 'dispute_withdrawn' and e.account = 'disputed'), 0)::float8 as taken,
      coalesce((select sum(e.amount) from ledger_transactions t join ledger_entries e on e.transaction_id = t.id
        where t.payment_id = p.id and t.kind in ('waived', 'paid_elsewhere') and e.amount > 0), 0)::float8 as "givenUp",
      exists (select from events e join disputes d on d.id::text = e.stream_id
        where d.payment_id = p.id and d.status = 'won' and e.type = 'DisputeLost') as "wonLate"
    from payments p`;
  return new Map(
    rows.filter(({ taken, givenUp }) => taken > 0 || givenUp > 0).map(({ id, ...claimed }) => [id, claimed]),
  );
}
