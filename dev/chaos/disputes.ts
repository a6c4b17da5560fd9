import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { fromStripe } from '../../kernel/currencies';
import { grouped } from './grouped';
import type { Evidence } from './reconciliation';
import type { SandboxState } from './stripe-state';

/** A dispute as payment has it, with what the ledger has posted of it. Amounts are in minor units. */
export interface DisputeRow {
  id: string;
  stripeId: string;
  payment: string;
  status: string;
  currency: string;
  amount: number;
  /** What the bank has taken, less what it has given back. */
  withdrawn: number;
  decided: boolean;
  /** Its saga has noted its end. */
  seen: boolean;
  /** By Stripe's lines in the ledger: the same as `withdrawn`, and Stripe's fees. */
  posted: number;
  fees: number;
  /** By what follows from them: what is decided as lost, what is frozen of the payee's, and from whom it was taken. */
  lost: number;
  frozen: number;
  /** Given up by payee and platform as their shares, or paid to the payer by the bank instead of by us. */
  shared: number;
  /** The platform's loss. */
  losses: number;
}

/** A payment that was taken, and where its money is. What somebody is owed is positive. */
export interface StandingRow {
  id: string;
  captured: number;
  /** As payment has it: what banks have until they decide, and what its payer has by them for good. */
  disputed: number;
  chargedBack: number;
  pending: number;
  payable: number;
  revenue: number;
  frozen: number;
  owed: number;
  /** Gone to the payer by refunds. */
  sent: number;
}

/** What has to agree about disputes. */
export interface DisputeBooks {
  disputes: readonly DisputeRow[];
  payments: readonly StandingRow[];
  /** Balances of the ledger's accounts; what somebody is owed is negative. */
  ledger: readonly { account: string; currency: string; amount: number }[];
  /** How the sagas of the disputes are, by the disputes' ids; left out: there is none. */
  sagas: ReadonlyMap<string, string>;
}

const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);

/** Everything about disputes that does not agree, in sentences. Nothing may go on by itself. */
export function aboutDisputes(books: DisputeBooks, { disputes: atStripe }: Pick<SandboxState, 'disputes'>): string[] {
  const byPayment = grouped(books.disputes, ({ payment }) => payment);
  const known = new Set(books.disputes.map(({ stripeId }) => stripeId));
  return [
    ...atStripe.filter(({ id }) => !known.has(id)).map(({ id }) => `${id} at Stripe is no dispute of ours`),
    ...books.disputes.flatMap((row) => [...aboutEnd(row, books, atStripe), ...aboutClaim(row)]),
    ...books.payments.flatMap((payment) => aboutStanding(payment, byPayment.get(payment.id) ?? [])),
    ...aboutAccounts(books),
  ];
}

/** Whether the bank has decided, its saga has seen to that, and Stripe says the same. */
function aboutEnd(row: DisputeRow, { sagas }: DisputeBooks, atStripe: SandboxState['disputes']): string[] {
  const { id, stripeId, status, currency, amount, withdrawn, decided, seen, posted, fees } = row;
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`dispute ${id} (${status}): ${what}`);
  };
  const saga = sagas.get(id) ?? 'not there';
  expect(decided, 'is not decided');
  expect(seen && saga === 'COMPLETED', `its saga is ${saga}, and has ${seen ? '' : 'not '}noted its end`);
  expect(posted === withdrawn, `${withdrawn} are withdrawn, and Stripe's lines in the ledger come to ${posted}`);
  const at = atStripe.find((one) => one.id === stripeId);
  if (!at) return [...wrong, `dispute ${id} (${status}): Stripe has no ${stripeId}`];
  const minor = (moved: number) => fromStripe(moved, currency);
  const lines = at.balance_transactions;
  const [taken, kept] = [0 - minor(sum(lines.map((line) => line.amount))), minor(sum(lines.map((line) => line.fee)))];
  expect(at.status === status && minor(at.amount) === amount, `Stripe says ${at.status} ${minor(at.amount)}`);
  expect(taken === withdrawn, `${withdrawn} are withdrawn, and at Stripe ${taken}`);
  expect(kept === fees, `its fees are ${fees} in the ledger, and at Stripe ${kept}`);
  return wrong;
}

/** What is lost is given up by shares or is the platform's loss; what is not decided is frozen. */
function aboutClaim({ id, status, withdrawn, decided, lost, frozen, shared, losses }: DisputeRow): string[] {
  const should = decided
    ? { lost: withdrawn, frozen: 0, given: withdrawn }
    : { lost: 0, frozen: shared, given: shared + losses };
  const is = { lost, frozen, given: shared + losses };
  const says = ({ lost: gone, frozen: held, given }: typeof is) =>
    `${gone} lost, ${held} frozen, ${given} taken from those who had it`;
  const isOurs = losses >= 0 && (decided || losses === 0);
  return [
    ...(says(is) === says(should)
      ? []
      : [`dispute ${id} (${status}): has ${says(is)}, and should have ${says(should)}`]),
    ...(isOurs ? [] : [`dispute ${id} (${status}): the platform has lost ${losses} by it`]),
  ];
}

/** What was paid is somewhere, nobody has less than nothing of it, and the payment says what its disputes say. */
function aboutStanding(payment: StandingRow, disputes: readonly DisputeRow[]): string[] {
  const { id, captured, disputed, chargedBack, ...where } = payment;
  const lost = sum(disputes.map((row) => row.lost - row.losses));
  const held = sum(disputes.filter(({ decided }) => !decided).map(({ withdrawn }) => withdrawn));
  const pairs: [string, number, number][] = [
    ['where its money is, and what was captured', sum(Object.values(where)) + lost, captured],
    ['disputed, and what banks have until they decide', disputed, held],
    ['charged back, and what its disputes have lost of it', chargedBack, lost],
  ];
  return [
    ...pairs
      .filter(([, ours, theirs]) => ours !== theirs)
      .map(([what, ours, theirs]) => `payment ${id}: ${what}: ${ours} is not ${theirs}`),
    ...Object.entries(where)
      .filter(([, amount]) => amount < 0)
      .map(([name, amount]) => `payment ${id}: ${name} is ${amount}`),
    ...(held === 0 && where.frozen !== 0 ? [`payment ${id}: ${where.frozen} are frozen, and nothing is disputed`] : []),
  ];
}

/** The account of what banks have until they decide, and what is frozen for it. */
function aboutAccounts({ disputes, ledger }: DisputeBooks): string[] {
  const open = disputes.filter(({ decided }) => !decided);
  const of = (which: (account: string) => boolean, currency: string) =>
    sum(ledger.filter((row) => which(row.account) && row.currency === currency).map(({ amount }) => amount));
  const currencies = new Set([...disputes, ...ledger].map(({ currency }) => currency));
  return [...currencies].flatMap((currency) => {
    const here = open.filter((row) => row.currency === currency);
    const pairs: [string, number, number][] = [
      ['disputed', of((account) => account === 'disputed', currency), sum(here.map(({ withdrawn }) => withdrawn))],
      [
        'tutor_frozen of all',
        0 - of((account) => account.startsWith('tutor_frozen:'), currency),
        sum(here.map(({ frozen }) => frozen)),
      ],
    ];
    return pairs
      .filter(([, is, should]) => is !== should)
      .map(([account, is, should]) => `${account} is ${is} ${currency}, and what is not decided comes to ${should}`);
  });
}

/** How the disputes ended, with how many. */
export function disputeEnds({ disputes }: DisputeBooks): Map<string, number> {
  const endOf = ({ status, withdrawn }: DisputeRow) => (status === 'won' && withdrawn > 0 ? 'partly won' : status);
  return new Map([...grouped(disputes, endOf)].map(([end, all]) => [end, all.length]));
}

/** Reads the books. */
export async function disputeBooks({
  database,
  temporal,
}: Pick<Evidence, 'database' | 'temporal'>): Promise<DisputeBooks> {
  const sql = database('payment');
  const isStripes = sql`t.kind in ('dispute_withdrawn', 'dispute_reinstated')`;
  const [disputes, payments, ledger] = await Promise.all([
    sql<DisputeRow[]>`
      select d.id, d.stripe_dispute_id as "stripeId", d.payment_id as payment, d.status, d.currency,
        d.amount::float8 as amount, d.withdrawn::float8 as withdrawn, d.decided_at is not null as decided,
        d.closed_version is not distinct from d.version as seen,
        coalesce(sum(e.amount) filter (where ${isStripes} and e.account = 'disputed'), 0)::float8 as posted,
        coalesce(sum(e.amount) filter (where e.account = 'dispute_fees'), 0)::float8 as fees,
        coalesce(-sum(e.amount) filter (where not ${isStripes} and e.account = 'disputed'), 0)::float8 as lost,
        coalesce(-sum(e.amount) filter (where e.account like 'tutor_frozen:%'), 0)::float8 as frozen,
        coalesce(sum(e.amount) filter (where e.account = 'platform_revenue'
          or e.account ~ '^(tutor_pending|tutor_payable|payer_owed):'), 0)::float8 as shared,
        coalesce(sum(e.amount) filter (where e.account = 'dispute_losses'), 0)::float8 as losses
      from disputes d left join ledger_transactions t on t.dispute_id = d.id
        left join ledger_entries e on e.transaction_id = t.id
      group by d.id`,
    // What Stripe took twice is parked with the platform until it is sent back, and is no part of the payment.
    sql<StandingRow[]>`
      select p.id, p.captured::float8 as captured, p.disputed::float8 as disputed, p.charged_back::float8 as "chargedBack",
        coalesce(-sum(e.amount) filter (where e.account = 'tutor_pending:' || p.payee_id), 0)::float8 as pending,
        coalesce(-sum(e.amount) filter (where e.account = 'tutor_payable:' || p.payee_id), 0)::float8 as payable,
        coalesce(-sum(e.amount) filter (where e.account = 'platform_revenue'), 0)::float8 as revenue,
        coalesce(-sum(e.amount) filter (where e.account = 'tutor_frozen:' || p.payee_id), 0)::float8 as frozen,
        coalesce(-sum(e.amount) filter (where e.account = 'payer_owed:' || p.id), 0)::float8 as owed,
        coalesce(-sum(e.amount) filter (where e.account = 'stripe_balance'
          and t.kind in ('refund', 'refund_reversal')), 0)::float8 as sent
      from payments p left join ledger_transactions t on t.kind not in ('stray_capture', 'stray_refund')
          and (t.payment_id = p.id or t.dispute_id in (select id from disputes d where d.payment_id = p.id))
        left join ledger_entries e on e.transaction_id = t.id
      where p.captured > 0 group by p.id`,
    sql<{ account: string; currency: string; amount: number }[]>`
      select account, currency, sum(amount)::float8 as amount from ledger_entries group by 1, 2`,
  ]);
  return { disputes, payments, ledger, sagas: await sagasOf(temporal, disputes) };
}

async function sagasOf(temporal: Client, disputes: readonly { id: string }[]): Promise<Map<string, string>> {
  const sagas = new Map<string, string>();
  for (const { id } of disputes) {
    const described = await temporal.workflow
      .getHandle(`dispute:${id}`)
      .describe()
      .catch((error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return undefined;
        throw error;
      });
    if (described) sagas.set(id, described.status.name);
  }
  return sagas;
}
