import { leftOut, type ToldRow } from '../../../../kernel/fold';
import type { PaymentEvent } from '../../events';
import { accountName } from '../../ledger/rules';

/** What events tell of a movement of money, and why they do not tell the rest. Its entries are told with it, as `entries`. */
export const TRANSACTION_COLUMNS = {
  id: 'told',
  paymentId: 'told',
  payoutId: 'told',
  disputeId: 'told',
  debtId: 'told',
  kind: 'told',
  reference: leftOut("is mostly an id at Stripe, and no event has Stripe's names of things"),
  currency: 'told',
  postedAt: 'told',
} as const;

/** What events tell of an entry: all of it. */
export const ENTRY_COLUMNS = { transactionId: 'told', account: 'told', currency: 'told', amount: 'told' } as const;

/** A movement of money as its event tells it; `entries` as `shownEntries` shows them. */
export type ToldTransaction = ToldRow<typeof TRANSACTION_COLUMNS & { entries: 'told' }>;

/** A column of an entry's values. */
type Entry = Record<keyof typeof ENTRY_COLUMNS, string | number>;

/** All columns of a transaction's entries in one text, whatever order they are in: an entry a line. */
export function shownEntries(entries: readonly Entry[]): string {
  const lines = entries.map((entry) => [entry.transactionId, entry.account, entry.currency, entry.amount].join(' '));
  return lines.toSorted().join('\n');
}

/** The movement of money that an event tells of; it is never changed. Null when none does. */
export function foldTransaction(events: readonly PaymentEvent[]): ToldTransaction | null {
  const last = events.findLast((event) => event.type === 'LedgerTransactionPosted');
  if (!last) return null;
  const { transactionId: id, paymentId, payoutId, disputeId, debtId, kind, currency, postedAt, entries } = last.data;
  const shown = entries.map((entry) => ({
    ...{ transactionId: id, account: accountName(entry), currency, amount: entry.amount },
  }));
  return { id, paymentId, payoutId, disputeId, debtId, kind, currency, postedAt, entries: shownEntries(shown) };
}
