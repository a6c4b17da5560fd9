import type { Sql } from 'postgres';
import type { DatabaseContext } from '../../kernel/modules';
import type { SandboxState } from './stripe-state';

/** Accounts of what is somebody else's, by what their names begin with: a debit balance would be money taken from them twice. */
const CREDIT_ACCOUNTS = ['tutor_pending', 'tutor_payable', 'payer_owed', 'platform_revenue'];

/** Whether refund `r` is still to be brought to its payer: it is under way, or has failed and nobody has given it up. */
export const isPromised = (sql: Sql) => sql`(r.status = 'pending' or (r.status = 'failed'
  and r.closed_as is distinct from 'failed' and r.failure_code is distinct from 'refunded_otherwise'))`;

/** What the ledger says differently from Stripe, or from the payments and their refunds, in sentences. */
export async function aboutLedger(
  { database }: { database(context: DatabaseContext): Sql },
  state: SandboxState,
): Promise<string[]> {
  const sql = database('payment');
  const [unbalanced, balances, totals, owed] = await Promise.all([
    sql<{ id: string }[]>`select transaction_id as id from ledger_entries group by 1 having sum(amount) <> 0`,
    sql<{ account: string; amount: string }[]>`
      select account, sum(amount) as amount from ledger_entries group by 1`,
    sql<{ captured: string; refunded: string }[]>`
      select coalesce(sum(captured), 0) as captured, coalesce(sum(refunded), 0) as refunded from payments`,
    // What is pending at Stripe has left the balance already.
    sql<{ id: string; promised: string; reserved: string; counted: string }[]>`
      select p.id, p.refund_pending as reserved,
        coalesce(sum(r.amount) filter (where ${isPromised(sql)}), 0) as counted,
        coalesce(sum(r.amount) filter (where ${isPromised(sql)}
          and not (r.status = 'pending' and r.stripe_refund_id is not null)), 0) as promised
      from payments p left join refunds r on r.payment_id = p.id group by p.id`,
  ]);
  const ledger = new Map(balances.map(({ account, amount }) => [account, Number(amount)]));
  const { captured, refunded, fees, balance } = state.totals.eur ?? { captured: 0, refunded: 0, fees: 0, balance: 0 };
  const pairs: [string, number, number][] = [
    ['captured less refunds and fees at Stripe, and its balance', captured - refunded - fees, balance],
    ['stripe_balance of the ledger, and at Stripe', ledger.get('stripe_balance') ?? 0, balance],
    ['stripe_fees of the ledger, and at Stripe', ledger.get('stripe_fees') ?? 0, fees],
    ['captured by the payments, and at Stripe', Number(totals[0]?.captured), captured],
    ['refunded by the payments, and at Stripe', Number(totals[0]?.refunded), refunded],
    ...owed.flatMap(({ id, promised, reserved, counted }): [string, number, number][] => [
      [
        `payer_owed of payment ${id}, and what its refunds promise`,
        -(ledger.get(`payer_owed:${id}`) ?? 0),
        Number(promised),
      ],
      [`reserved by payment ${id}, and what its refunds promise`, Number(reserved), Number(counted)],
    ]),
  ];
  return [
    ...unbalanced.map(({ id }) => `ledger transaction ${id} does not sum to zero`),
    ...pairs
      .filter(([, ours, theirs]) => ours !== theirs)
      .map(([what, ours, theirs]) => `${what}: ${ours} is not ${theirs}`),
    ...balances
      .filter(({ account, amount }) => Number(amount) > 0 && CREDIT_ACCOUNTS.includes(account.split(':')[0] ?? ''))
      .map(({ account, amount }) => `${account} is overdrawn by ${amount}`),
  ];
}
