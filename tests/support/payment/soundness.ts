import { toStripe } from '../../../kernel/currencies';
import type { Payee } from './payouts';
import type { PaymentStack } from './stack';

/** Where it is looked: a stack of payment, or a platform. */
export type Books = Pick<PaymentStack, 'ledger' | 'state'> & {
  service: { database: Pick<PaymentStack['service']['database'], 'sql'> };
};

/**
 * What does not add up of a payee's money in a currency, in sentences: the ledger and Stripe's balance; the payouts' rows and what Stripe
 * transferred; what is in transit; the wallet and its entries.
 */
export async function unsound(
  { ledger: ledgerOf, state, service }: Books,
  who: Pick<Payee, 'id' | 'account' | 'see'>,
  currency: string,
): Promise<string[]> {
  const { sql } = service.database;
  const wrong: string[] = [];
  const expect = (what: string, is: number, should: number) => {
    if (is !== should) wrong.push(`${what} of ${currency} is ${is} and should be ${should}`);
  };
  const ledger = await ledgerOf(currency);
  const { balance, transfers, transfer_reversals: reversals } = await state();
  const sum = (lines: { amount: number; currency: string }[]) =>
    lines.reduce((total, line) => total + (line.currency === currency.toLowerCase() ? line.amount : 0), 0);
  const stripe = sum(balance.available) + sum(balance.pending);
  expect('stripe_balance', toStripe({ amount: ledger.stripe_balance ?? 0, currency }), stripe);

  const [rows] = await sql<{ transferred: number; waiting: number; under_way: number; paid: number; broken: number }[]>`
    select coalesce(sum(amount) filter (where transferred_at is not null and reversed_at is null), 0)::int as transferred,
      coalesce(sum(amount) filter (where returned_at is null and transferred_at is null), 0)::int as waiting,
      coalesce(sum(amount) filter (where status in ('pending', 'processing')
        or (status = 'failed' and returned_at is null)), 0)::int as under_way,
      coalesce(sum(amount) filter (where status = 'completed'), 0)::int as paid,
      count(*) filter (where returned_at is not null and transferred_at is not null and reversed_at is null
        and closed_as is null)::int as broken
    from payouts where payee_id = ${who.id} and currency = ${currency}`;
  const mine = transfers.filter(
    (made: { destination: string; currency: string }) =>
      made.destination === who.account && made.currency === currency.toLowerCase(),
  );
  const ids = new Set(mine.map(({ id }: { id: string }) => id));
  const back = reversals.filter(({ transfer }: { transfer: string }) => ids.has(transfer));
  const amounts = (all: { amount: number }[]) => all.reduce((total, { amount }) => total + amount, 0);
  const atStripe = toStripe({ amount: rows?.transferred ?? 0, currency });
  expect('what Stripe transferred', amounts(mine) - amounts(back), atStripe);
  expect('given back without its reversal', rows?.broken ?? 0, 0);

  const [transit] = await sql<{ amount: number }[]>`
    select coalesce(-sum(e.amount), 0)::int as amount from ledger_entries e join payouts p on e.account = 'payout_in_transit:' || p.id
    where p.payee_id = ${who.id} and e.currency = ${currency}`;
  const reversed = await sql<{ amount: number }[]>`
    select coalesce(sum(amount), 0)::int as amount from payouts
    where payee_id = ${who.id} and currency = ${currency} and reversed_at is not null and returned_at is null and closed_as is null`;
  expect('payout_in_transit', transit?.amount ?? 0, (rows?.waiting ?? 0) + (reversed[0]?.amount ?? 0));

  const { balances } = (await who.see('/api/wallet')).body;
  const shown = balances.find((each: { currency: string }) => each.currency === currency);
  if (!shown) return wrong;
  expect('payable less debt', shown.payable - shown.debt, 0 - (ledger[`tutor_payable:${who.id}`] ?? 0));
  expect('pending', shown.pending, 0 - (ledger[`tutor_pending:${who.id}`] ?? 0));
  expect('inPayout', shown.inPayout, rows?.under_way ?? 0);
  expect('paidOut', shown.paidOut, rows?.paid ?? 0);
  const { items } = (await who.see(`/api/wallet/entries?currency=${currency}&limit=100`)).body;
  const moved = items.reduce((total: number, { amount }: { amount: number }) => total + amount, 0);
  expect('the sum of the entries', moved, shown.pending + shown.payable - shown.debt);
  expect('the balance after the newest entry', items[0]?.balanceAfter ?? 0, moved);
  return wrong;
}
