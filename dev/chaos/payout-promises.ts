import type { Sql } from 'postgres';
import { payoutMinimum } from '../../services/payment/payouts/rules';
import { grouped } from './grouped';
import { isUnderWay, type PayoutBooks, type PayoutRow } from './payouts';
import type { AskRecord, EarnerRecord, Span } from './records';
import { payoutSchema, refusalSchema, type WalletView } from './wire';

/** A movement of what is payable to a payee, in minor units. Negative: it was taken from them. */
export interface Movement {
  at: Date;
  amount: number;
}

/** A movement is dated by the beginning of its transaction, which may then have waited for the payee's lock. */
const WAITED_AT_MOST_MS = 15_000;

/** What payees were told and is not so, and refusals without a reason, in sentences. `payouts`, `movements`: the payee's own. */
export function judgeAsks(
  { plan: { currency, number }, asks }: Pick<EarnerRecord, 'plan' | 'asks'>,
  payouts: readonly PayoutRow[],
  movements: readonly Movement[],
): string[] {
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`earner ${number}: ${what}`);
  };
  const promised: string[] = [];
  for (const { amount, at, reply } of asks) {
    if (!reply) continue;
    if (reply.status === 201) {
      const told = payoutSchema.parse(reply.body);
      const row = payouts.find(({ id }) => id === told.id);
      expect(row?.origin === 'request', `payout ${told.id} was promised and is not there`);
      const sums = [told.amount.amount, amount ?? told.amount.amount];
      expect(
        !row || sums.every((one) => one === row.amount),
        `payout ${told.id} of ${sums.join(' and ')} became ${row?.amount}`,
      );
      expect(!promised.includes(told.id), `payout ${told.id} was the answer under two keys`);
      promised.push(told.id);
    } else
      expect(
        isReason({ amount, reply, at }, currency, payouts, movements),
        `a payout of ${amount ?? 'all'} was refused for no reason: ${reply.status} ${reply.code ?? ''}`,
      );
  }
  const unasked = payouts.filter(({ id, origin }) => origin === 'request' && !promised.includes(id));
  const perhaps = asks.filter(({ reply }) => !reply).length;
  expect(
    unasked.length <= perhaps,
    `${unasked.length} payouts were opened beside those that were promised, and ${perhaps} askings were given up: ${unasked.map(({ id }) => id).join(', ')}`,
  );
  return wrong;
}

function isReason(
  { amount, at, reply }: AskRecord,
  currency: string,
  payouts: readonly PayoutRow[],
  movements: readonly Movement[],
): boolean {
  const payable = leastPayable(movements, at);
  switch (reply?.code) {
    case 'payout_in_progress':
      return payouts.some(({ id }) => id === refusalSchema.parse(reply.body).payoutId);
    case 'nothing_to_pay':
      return payable < (amount ?? 1);
    case 'below_minimum':
      return Math.min(payable, amount ?? payable) < payoutMinimum(currency, new Map());
    default:
      return false;
  }
}

/** The least that was payable while somebody waited for an answer. */
export function leastPayable(movements: readonly Movement[], { from, to }: Span): number {
  const began = from - WAITED_AT_MOST_MS;
  let balance = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const { at, amount } of movements.toSorted((one, other) => one.at.getTime() - other.at.getTime())) {
    if (at.getTime() > to) break;
    if (at.getTime() > began) least = Math.min(least, balance);
    balance += amount;
  }
  return Math.min(least, balance);
}

/** What a payee's wallet shows differently from the ledger and the payouts, in sentences. */
export function judgeWallet(payee: string, { balances }: WalletView, { payouts, ledger }: PayoutBooks): string[] {
  const mine = payouts.filter((row) => row.payee === payee);
  const owed = (name: string, currency: string) =>
    0 - (ledger.find((row) => row.account === `${name}:${payee}` && row.currency === currency)?.amount ?? 0);
  const sum = (currency: string, which: (row: PayoutRow) => boolean) =>
    mine.reduce((total, row) => total + (row.currency === currency && which(row) ? row.amount : 0), 0);
  const currencies = ledger.filter(({ account }) => account.endsWith(`:${payee}`)).map(({ currency }) => currency);
  return [...new Set(currencies)].flatMap((currency) => {
    const shown = balances.find((one) => one.currency === currency);
    const payable = owed('tutor_payable', currency);
    const is = {
      ...{ pending: owed('tutor_pending', currency), payable: Math.max(0, payable), debt: Math.max(0, 0 - payable) },
      frozen: owed('tutor_frozen', currency),
      inPayout: sum(currency, isUnderWay),
      paidOut: sum(currency, ({ status }) => status === 'completed'),
    };
    return Object.entries(is)
      .filter(([name, amount]) => shown?.[name] !== amount)
      .map(
        ([name, amount]) => `the wallet of ${payee} shows ${name} ${shown?.[name]} ${currency}, and it is ${amount}`,
      );
  });
}

/** What moved the payable earnings of each payee. */
export async function movementsOf(payments: Sql): Promise<Map<string, Movement[]>> {
  const rows = await payments<(Movement & { payee: string })[]>`
    select split_part(e.account, ':', 2) as payee, t.posted_at as at, -e.amount::float8 as amount
    from ledger_entries e join ledger_transactions t on t.id = e.transaction_id where e.account like 'tutor_payable:%'`;
  return grouped(rows, ({ payee }) => payee);
}
