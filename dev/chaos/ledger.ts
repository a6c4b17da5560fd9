import type { Sql } from 'postgres';
import { fromStripe } from '../../kernel/currencies';
import type { DatabaseContext } from '../../kernel/modules';
import type { SandboxState } from './stripe-state';

/** Accounts of what is somebody else's, by what their names begin with: a debit balance would be money taken from them twice. */
const CREDIT_ACCOUNTS = [
  'tutor_pending',
  'tutor_payable',
  'tutor_frozen',
  'payer_owed',
  'payout_in_transit',
  'platform_revenue',
];

/** Whether refund `r` is still to be brought to its payer: it is under way, or has failed and nobody has given it up. */
export const isPromised = (sql: Sql) => sql`(r.status = 'pending' or (r.status = 'failed'
  and r.closed_as is distinct from 'failed' and r.failure_code is distinct from 'refunded_otherwise'))`;

/** What the ledger says differently from Stripe, or from the payments and their refunds, in sentences. */
export async function aboutLedger(
  { database }: { database(context: DatabaseContext): Sql },
  state: SandboxState,
): Promise<string[]> {
  const sql = database('payment');
  const [unbalanced, balances, totals, owed, paidOut, withdrawn] = await Promise.all([
    sql<{ id: string }[]>`select transaction_id as id from ledger_entries group by 1 having sum(amount) <> 0`,
    sql<{ account: string; currency: string; amount: string }[]>`
      select account, currency, sum(amount) as amount from ledger_entries group by 1, 2`,
    sql<{ currency: string; captured: string; refunded: string }[]>`
      select currency, sum(captured) as captured, sum(refunded) as refunded from payments group by 1`,
    // What is pending at Stripe has left the balance already.
    sql<{ id: string; currency: string; promised: string; reserved: string; counted: string; disputed: boolean }[]>`
      select p.id, p.currency, p.refund_pending as reserved, p.disputed > 0 as disputed,
        coalesce(sum(r.amount) filter (where ${isPromised(sql)}), 0) as counted,
        coalesce(sum(r.amount) filter (where ${isPromised(sql)}
          and not (r.status = 'pending' and r.stripe_refund_id is not null)), 0) as promised
      from payments p left join refunds r on r.payment_id = p.id group by p.id`,
    sql<{ account: string; currency: string; amount: string }[]>`
      select 'tutor_payable:' || payee_id as account, currency, sum(amount) as amount from payouts
      where returned_at is null group by 1, 2`,
    sql<{ currency: string; amount: string }[]>`
      select e.currency, sum(e.amount) as amount from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
      where e.account = 'disputed' and t.kind in ('dispute_withdrawn', 'dispute_reinstated') group by 1`,
  ]);
  const ledger = new Map(balances.map(({ account, currency, amount }) => [`${account} ${currency}`, Number(amount)]));
  const currencies = new Set([
    ...Object.keys(state.totals).map((code) => code.toUpperCase()),
    ...balances.map(({ currency }) => currency),
  ]);
  const pairs: [string, number, number][] = [
    ...[...currencies].flatMap((currency): [string, number, number][] => {
      const at = atStripe(state, currency);
      const ours = totals.find((row) => row.currency === currency);
      const inLedger = (account: string) => ledger.get(`${account} ${currency}`) ?? 0;
      const taken = Number(withdrawn.find((row) => row.currency === currency)?.amount ?? 0);
      const left = at.captured - at.refunded - at.fees - at.transferred - at.disputed - at.disputeFees;
      return [
        [
          `captured less refunds, fees, transfers and disputes at Stripe in ${currency}, and its balance`,
          left,
          at.balance,
        ],
        [`stripe_balance of the ledger in ${currency}, and at Stripe`, inLedger('stripe_balance'), at.funds],
        [`stripe_fees of the ledger in ${currency}, and at Stripe`, inLedger('stripe_fees'), at.fees],
        [`dispute_fees of the ledger in ${currency}, and at Stripe`, inLedger('dispute_fees'), at.disputeFees],
        [`withdrawn by disputes in ${currency}, and at Stripe`, taken, at.disputed],
        [`captured by the payments in ${currency}, and at Stripe`, Number(ours?.captured ?? 0), at.captured],
        [`refunded by the payments in ${currency}, and at Stripe`, Number(ours?.refunded ?? 0), at.refunded],
      ];
    }),
    ...owed.flatMap(({ id, currency, promised, reserved, counted, disputed }): [string, number, number][] => [
      // As long as a bank has the money, what its payer is owed of it is not known.
      ...(disputed
        ? []
        : [
            [
              `payer_owed of payment ${id}, and what its refunds promise`,
              -(ledger.get(`payer_owed:${id} ${currency}`) ?? 0),
              Number(promised),
            ] satisfies [string, number, number],
          ]),
      [`reserved by payment ${id}, and what its refunds promise`, Number(reserved), Number(counted)],
    ]),
  ];
  // What was paid out and is given back or disputed afterwards is its payee's debt.
  const debtOf = (account: string, currency: string) =>
    Number(paidOut.find((row) => row.account === account && row.currency === currency)?.amount ?? 0);
  return [
    ...unbalanced.map(({ id }) => `ledger transaction ${id} does not sum to zero`),
    ...pairs
      .filter(([, ours, theirs]) => ours !== theirs)
      .map(([what, ours, theirs]) => `${what}: ${ours} is not ${theirs}`),
    ...balances
      .filter(({ account }) => CREDIT_ACCOUNTS.includes(account.split(':')[0] ?? ''))
      .filter(({ account, currency, amount }) => Number(amount) > debtOf(account, currency))
      .map(({ account, amount, currency }) => `${account} is overdrawn by ${amount} ${currency}`),
  ];
}

/** What Stripe has of a currency, in minor units. `funds`: available and still to come. `disputed`: taken by banks, less what came back. */
function atStripe({ totals, balance: { available, pending } }: SandboxState, currency: string) {
  const code = currency.toLowerCase();
  const minor = (amount: number) => fromStripe(amount, currency);
  const { captured = 0, refunded = 0, fees = 0, transferred = 0, balance = 0 } = totals[code] ?? {};
  const { disputed = 0, reinstated = 0, disputeFees = 0 } = totals[code] ?? {};
  const funds = [...available, ...pending].filter((one) => one.currency === code);
  return {
    ...{ captured: minor(captured), refunded: minor(refunded), fees: minor(fees), transferred: minor(transferred) },
    ...{ disputed: minor(disputed - reinstated), disputeFees: minor(disputeFees) },
    ...{ balance: minor(balance), funds: minor(funds.reduce((sum, { amount }) => sum + amount, 0)) },
  };
}
