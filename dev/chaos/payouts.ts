import type { Sql } from 'postgres';
import { fromStripe } from '../../kernel/currencies';
import type { DatabaseContext } from '../../kernel/modules';
import { scaleHalfUp } from '../../kernel/money';
import { isoWeekOf } from '../../kernel/week';
import { grouped } from './grouped';
import { cameBack, type SandboxState } from './stripe-state';

/** A payout as payment has it. Amounts of the books are in minor units. */
export interface PayoutRow {
  id: string;
  payee: string;
  origin: 'request' | 'schedule';
  status: string;
  reason: string | null;
  currency: string;
  amount: number;
  account: string | null;
  transferred: boolean;
  reversed: boolean;
  /** Its amount is payable again. */
  returned: boolean;
  /** How an operator has settled it by hand. */
  closed: string | null;
  createdAt: Date;
}

/** A payment, as far as its payee earns by it. `posted`: what the ledger says that they have of it, pending and payable together. */
export interface EarningRow {
  id: string;
  payee: string;
  currency: string;
  captured: number;
  fee: number;
  /** Given back, or promised to be. */
  promised: number;
  /** What its payer has by disputes for good. */
  chargedBack: number;
  /** Promised once, and settled by an operator: the platform's. */
  givenUp: number;
  /** By how many disputes its shares were reckoned anew. */
  disputes: number;
  released: boolean;
  posted: number;
}

/** What has to agree about payouts. */
export interface PayoutBooks {
  payouts: readonly PayoutRow[];
  earnings: readonly EarningRow[];
  /** Balances of the ledger's accounts; what somebody is owed is negative. */
  ledger: readonly { account: string; currency: string; amount: number }[];
  /** Connected accounts by their owners. */
  accounts: ReadonlyMap<string, string>;
  /** Ids of the workflows that run. */
  running: ReadonlySet<string>;
}

type AtStripe = Pick<SandboxState, 'accounts' | 'transfers' | 'transfer_reversals' | 'connected_payouts'>;

/** What is between a payout and its payee's bank, and nothing but the payee can change. */
const PAYEE_IS_ASKED = ['awaiting_onboarding', 'awaiting_bank_account'];

/** Everything about payouts that does not agree, in sentences. Nothing may go on by itself. */
export function aboutPayouts(books: PayoutBooks, stripe: AtStripe): string[] {
  return [
    ...books.payouts.flatMap((payout) => [...aboutEnd(payout, books, stripe), ...aboutTransfer(payout, stripe)]),
    ...unknownAtStripe(books, stripe),
    ...tooMany(books.payouts),
    ...aboutMovedMoney(books, stripe),
    ...aboutTransit(books),
    ...aboutEarnings(books),
  ];
}

/** Whether its money is neither at the bank nor payable again. */
export const isUnderWay = ({ status, returned, closed }: PayoutRow) =>
  status === 'pending' || status === 'processing' || (status === 'failed' && !returned && closed === null);
const isAway = ({ transferred, reversed }: PayoutRow) => transferred && !reversed;
const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);

/** Whether the state of a payout is one to rest in, and Stripe's payout of it says the same. */
function aboutEnd(payout: PayoutRow, { running }: PayoutBooks, stripe: AtStripe): string[] {
  const { id, status, reason, returned, reversed, transferred, closed, amount, currency } = payout;
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`payout ${id} (${status}/${reason}): ${what}`);
  };
  const all = bankPayoutsOf(stripe, id);
  const [at] = all;
  const said = all.map((one) => `${one.status} ${one.amount} ${one.currency}`).join(', ') || 'nothing';
  expect(all.length <= 1, `was sent to the bank ${all.length} times: ${said}`);
  if (at) expect(moneyOf(at) === amount && at.currency.toUpperCase() === currency, `Stripe sends ${said}`);
  if (isUnderWay(payout)) {
    const waits = status === 'pending' && PAYEE_IS_ASKED.includes(reason ?? '') && running.has(`payout:${id}`);
    expect(waits, `is neither over nor waits for its payee${running.has(`payout:${id}`) ? '' : ', and has no saga'}`);
    if (waits) expect(isMissing(payout, stripe), 'waits for its payee, who lacks nothing at Stripe');
    expect(!transferred && all.length === 0, `is still to be sent, and Stripe says ${said}`);
    return wrong;
  }
  if (closed !== null) return wrong;
  if (status === 'completed') {
    expect(at?.status === 'paid', `Stripe says ${said}`);
    expect(isAway(payout) && !returned, 'is paid, and its money was taken back');
    return wrong;
  }
  // What failed, or came to nothing, is payable again, and no longer at the payee's account.
  expect(status === 'failed' ? at?.status === 'failed' : at === undefined, `Stripe says ${said}`);
  expect(returned, 'is not payable again');
  expect(!transferred || reversed, 'was given back, and its transfer was not reversed');
  return wrong;
}

/** Each payout is transferred once, whole, to its payee's account, and fetched back once if at all. */
function aboutTransfer({ id, amount, transferred, reversed, account }: PayoutRow, stripe: AtStripe): string[] {
  const transfers = stripe.transfers.filter(({ transfer_group: group }) => group === id);
  const ids = transfers.map((transfer) => transfer.id);
  const reversals = stripe.transfer_reversals.filter(({ transfer }) => ids.includes(transfer));
  const wrong: string[] = [];
  const made = (what: string, all: readonly AtStripe['transfers'][number][] | typeof reversals, isMade: boolean) => {
    const total = sum(all.map(moneyOf));
    if (all.length !== (isMade ? 1 : 0) || total !== (isMade ? amount : 0))
      wrong.push(
        `payout ${id} of ${amount} was ${what} ${all.length} times at Stripe, ${total} in all, and is recorded as ${isMade ? '' : 'not '}${what}`,
      );
  };
  made('transferred', transfers, transferred);
  made('reversed', reversals, reversed);
  for (const { destination } of transfers)
    if (destination !== account) wrong.push(`payout ${id} was transferred to ${destination} instead of ${account}`);
  return wrong;
}

/** Transfers and payouts at Stripe that belong to no payout of ours. */
function unknownAtStripe({ payouts }: PayoutBooks, stripe: AtStripe): string[] {
  const known = new Set(payouts.map(({ id }) => id));
  const sent = Object.values(stripe.connected_payouts).flat();
  return [
    ...stripe.transfers.filter(({ transfer_group: group }) => !known.has(group ?? '')),
    ...sent.filter(({ metadata }) => !known.has(metadata?.payoutId ?? '')),
  ].map(({ id }) => `${id} at Stripe belongs to no payout`);
}

/** Payees with two payouts under way, or two of the Schedule in one week. */
function tooMany(payouts: readonly PayoutRow[]): string[] {
  const found = (what: string, all: readonly PayoutRow[], by: (row: PayoutRow) => string) =>
    [...grouped(all, by)].flatMap(([key, same]) => (same.length > 1 ? [`${same.length} payouts ${what}: ${key}`] : []));
  const weekly = payouts.filter(({ origin }) => origin === 'schedule');
  const weekOf = ({ createdAt }: PayoutRow) => isoWeekOf(createdAt.getTime());
  return [
    ...found('are under way at once for a payee and currency', payouts.filter(isUnderWay), ownerOf),
    ...found('of one week for a payee and currency', weekly, (row) => `${ownerOf(row)} ${weekOf(row)}`),
  ];
}

const ownerOf = ({ payee, currency }: { payee: string; currency: string }) => `${payee} ${currency}`;

/** What is at the payees' accounts, or was sent on from them, is what our rows say. */
function aboutMovedMoney({ payouts, accounts }: PayoutBooks, stripe: AtStripe): string[] {
  const at = new Map<string, { transferred: number; sent: number }>();
  const noted = (key: string, what: 'transferred' | 'sent', amount: number) => {
    const sums = at.get(key) ?? { transferred: 0, sent: 0 };
    at.set(key, sums);
    sums[what] += amount;
  };
  const destinations = new Map(stripe.transfers.map((transfer) => [transfer.id, transfer.destination]));
  for (const transfer of stripe.transfers)
    noted(inAccount(transfer.destination, transfer), 'transferred', moneyOf(transfer));
  for (const reversal of stripe.transfer_reversals)
    noted(inAccount(destinations.get(reversal.transfer), reversal), 'transferred', -moneyOf(reversal));
  for (const [account, all] of Object.entries(stripe.connected_payouts))
    for (const payout of all)
      if (payout.status !== 'failed' && payout.status !== 'canceled')
        noted(inAccount(account, payout), 'sent', moneyOf(payout));
  const rows = grouped(payouts, (row) => inAccount(row.account ?? accounts.get(row.payee), row));
  return [...new Set([...at.keys(), ...rows.keys()])].flatMap((key) => {
    const { transferred, sent } = at.get(key) ?? { transferred: 0, sent: 0 };
    const ours = (rows.get(key) ?? []).filter(isAway);
    const moved = sum(ours.map(({ amount }) => amount));
    const paid = sum(
      ours.filter(({ status, closed }) => status === 'completed' && closed === null).map(({ amount }) => amount),
    );
    return [
      ...(transferred === moved
        ? []
        : [
            `transfers less reversals to ${key}: Stripe has ${transferred}, and the payouts that were not taken back are ${moved}`,
          ]),
      ...(sent === paid ? [] : [`paid out of ${key}: Stripe has ${sent}, and the completed payouts are ${paid}`]),
    ];
  });
}

const inAccount = (account: string | null | undefined, { currency }: { currency: string }) =>
  `${account ?? 'no account'} ${currency.toUpperCase()}`;

/** What is set aside for a payout is its amount until the transfer, and again between a reversal and the end. */
function aboutTransit({ payouts, ledger }: PayoutBooks): string[] {
  const name = (id: string, currency: string) => `payout_in_transit:${id} ${currency}`;
  const expected = new Map(
    payouts.map((row) => [
      name(row.id, row.currency),
      row.returned || row.closed !== null || isAway(row) ? 0 : row.amount,
    ]),
  );
  const posted = new Map(
    ledger
      .filter(({ account }) => account.startsWith('payout_in_transit:'))
      .map(({ account, currency, amount }) => [`${account} ${currency}`, 0 - amount]),
  );
  return [...new Set([...expected.keys(), ...posted.keys()])].flatMap((key) => {
    const [is, should] = [posted.get(key) ?? 0, expected.get(key) ?? 0];
    return is === should ? [] : [`${key} is ${is}, and its payout has ${should} set aside`];
  });
}

/** What payees have in the ledger is what they earned by their payments, less what was paid out to them. */
function aboutEarnings({ earnings, payouts, ledger }: PayoutBooks): string[] {
  const expected = new Map<string, number>();
  const add = (account: string, amount: number) => expected.set(account, (expected.get(account) ?? 0) + amount);
  for (const row of earnings)
    add(`tutor_${row.released ? 'payable' : 'pending'}:${row.payee} ${row.currency}`, row.posted);
  for (const row of payouts) if (!row.returned) add(`tutor_payable:${row.payee} ${row.currency}`, -row.amount);
  const posted = new Map(
    ledger
      .filter(({ account }) => /^tutor_(?:payable|pending):/.test(account))
      .map(({ account, currency, amount }) => [`${account} ${currency}`, 0 - amount]),
  );
  return [
    ...earnings.flatMap((row) => {
      const { least, most } = shareOf(row);
      if (row.posted >= least && row.posted <= most) return [];
      const theirs = least === most ? most : `${least} to ${most}`;
      return [`payment ${row.id} has brought its payee ${row.posted}, and ${theirs} of it are theirs`];
    }),
    ...[...new Set([...expected.keys(), ...posted.keys()])].flatMap((key) => {
      const [is, should] = [posted.get(key) ?? 0, expected.get(key) ?? 0];
      return is === should ? [] : [`${key} is ${is}, and payments less payouts come to ${should}`];
    }),
  ];
}

/**
 * What a payee is to have of a payment. What was given up is the platform's, also where others take from the payment afterwards; and what a
 * dispute gives back is what it took, rounded as it was then.
 */
function shareOf({ captured, promised, chargedBack, givenUp, disputes, fee, currency }: EarningRow) {
  const of = (left: number) => (left <= 0 ? 0 : left - scaleHalfUp({ amount: left, currency }, fee, captured));
  const left = captured - promised - chargedBack;
  return { least: Math.max(0, of(left - givenUp) - disputes), most: of(left) + disputes };
}

function bankPayoutsOf({ connected_payouts: payouts }: AtStripe, id: string) {
  return Object.values(payouts)
    .flat()
    .filter(({ metadata }) => metadata?.payoutId === id);
}

const moneyOf = ({ amount, currency }: { amount: number; currency: string }) =>
  fromStripe(amount, currency.toUpperCase());

/** Whether Stripe does not pay the payee's account out, or has no bank for the currency. */
function isMissing({ payee, currency }: PayoutRow, { accounts }: AtStripe): boolean {
  const account = accounts.find(({ metadata }) => metadata.userId === payee);
  const bank = account?.external_accounts.data.find(
    (one) => one.currency === currency.toLowerCase() && one.default_for_currency,
  );
  return !account?.payouts_enabled || bank === undefined || bank.status === 'errored';
}

/** How the payouts ended, in words, with how many. */
export function payoutEnds({ payouts }: PayoutBooks, stripe: AtStripe): Map<string, number> {
  const ended = ({ id, status, reason }: PayoutRow) => {
    if (status === 'completed') return 'paid';
    if (status === 'failed') return bankPayoutsOf(stripe, id).some(cameBack) ? 'returned' : 'rejected';
    return `${status}${reason === null ? '' : ` (${reason})`}`;
  };
  return new Map([...grouped(payouts, ended)].map(([end, all]) => [end, all.length]));
}

/** Reads the books. `running`: the ids of the workflows that run. */
export async function payoutBooks(
  { database }: { database(context: DatabaseContext): Sql },
  running: ReadonlySet<string>,
): Promise<PayoutBooks> {
  const sql = database('payment');
  const [payouts, earnings, ledger, accounts] = await Promise.all([
    sql<PayoutRow[]>`
      select id, payee_id as payee, origin, status, status_reason as reason, currency, amount::float8 as amount,
        stripe_account as account, transferred_at is not null as transferred, reversed_at is not null as reversed,
        returned_at is not null as returned, closed_as as closed, created_at as "createdAt" from payouts`,
    sql<EarningRow[]>`
      select p.id, p.payee_id as payee, p.currency, p.captured::float8 as captured, p.fee::float8 as fee,
        (p.refunded + p.refund_pending)::float8 as promised, p.charged_back::float8 as "chargedBack",
        coalesce((select sum(e.amount) from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
          where t.payment_id = p.id and t.kind in ('waived', 'paid_elsewhere') and e.amount > 0), 0)::float8 as "givenUp",
        (select count(*) from disputes d where d.payment_id = p.id)::int as disputes,
        p.released_at is not null as released,
        coalesce((select -sum(e.amount) from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
          where (t.payment_id = p.id or t.dispute_id in (select id from disputes d where d.payment_id = p.id))
            and e.account in ('tutor_pending:' || p.payee_id, 'tutor_payable:' || p.payee_id)), 0)::float8
          as posted
      from payments p`,
    sql<{ account: string; currency: string; amount: number }[]>`
      select account, currency, sum(amount)::float8 as amount from ledger_entries group by 1, 2`,
    sql<{ owner: string; account: string }[]>`
      select user_id as owner, stripe_id as account from stripe_accounts where role = 'tutor' and stripe_id is not null`,
  ]);
  return {
    ...{ payouts, earnings, ledger, running },
    accounts: new Map(accounts.map(({ owner, account }) => [owner, account])),
  };
}
