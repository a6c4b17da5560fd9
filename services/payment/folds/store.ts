import { eq, inArray, sql } from 'drizzle-orm';
import { type Transaction, theOnly } from '../../../db/client';
import {
  debts,
  disputes,
  ledgerEntries,
  ledgerTransactions,
  payments,
  payouts,
  refunds,
} from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import { participants } from '../../../platform/event-schema';
import { foldedTable } from '../../../platform/fold';
import { appendEvent } from '../../../platform/outbox';
import { lockPayment, paymentFacts, paymentState } from '../charges/store/payments';
import { paymentEvents } from '../events';
import { tellPosted } from '../ledger/store';
import { lockPayout, payoutFacts } from '../payouts/store/payouts';
import { lockRefund, refundFacts } from '../refunds/store/refunds';
import { foldTransaction, shownEntries, TRANSACTION_COLUMNS } from './rules/ledger';
import { foldPayment, PAYMENT_COLUMNS } from './rules/payments';
import { foldPayout, PAYOUT_COLUMNS } from './rules/payouts';
import { foldRefund, REFUND_COLUMNS } from './rules/refunds';

// Payments, refunds, payouts and the ledger, held to their events.

const schemas = paymentEvents;

const foldedPayments = foldedTable({
  kind: 'payment',
  ...{ table: payments, schemas, columns: PAYMENT_COLUMNS, fold: foldPayment },
  read: (tx, ids) =>
    tx
      .select()
      .from(payments)
      .where(inArray(payments.id, [...ids])),
  lock: lockPayment,
  async baseline(tx, row) {
    const moments = { releasedAt: row.releasedAt?.toISOString() ?? null, createdAt: row.createdAt.toISOString() };
    const data = { ...paymentFacts(row), state: paymentState(row), ...moments };
    await appendEvent(tx, paymentEvents, { streamId: row.id, type: 'PaymentBaseline', data });
  },
});

const foldedRefunds = foldedTable({
  kind: 'refund',
  ...{ table: refunds, schemas, columns: REFUND_COLUMNS, fold: foldRefund },
  read: (tx, ids) =>
    tx
      .select()
      .from(refunds)
      .where(inArray(refunds.id, [...ids])),
  lock: async (tx, id) => (await lockRefund(tx, id)).refund,
  async baseline(tx, row) {
    const payment = await lockPayment(tx, row.paymentId);
    const data = { ...refundFacts(row, payment), createdAt: row.createdAt.toISOString() };
    await appendEvent(tx, paymentEvents, { streamId: row.id, type: 'RefundBaseline', data });
  },
});

const foldedPayouts = foldedTable({
  kind: 'payout',
  ...{ table: payouts, schemas, columns: PAYOUT_COLUMNS, fold: foldPayout },
  read: (tx, ids) =>
    tx
      .select()
      .from(payouts)
      .where(inArray(payouts.id, [...ids])),
  lock: lockPayout,
  async baseline(tx, row) {
    const data = { ...payoutFacts(row), createdAt: row.createdAt.toISOString() };
    await appendEvent(tx, paymentEvents, { streamId: row.id, type: 'PayoutBaseline', data });
  },
});

const foldedLedger = foldedTable({
  kind: 'ledger_transaction',
  table: ledgerTransactions,
  schemas,
  columns: { ...TRANSACTION_COLUMNS, entries: 'told' },
  fold: foldTransaction,
  read: readTransactions,
  async lock(tx, id) {
    const [transaction] = await tx.select().from(ledgerTransactions).where(eq(ledgerTransactions.id, id)).for('update');
    if (!transaction) throw new ProblemError('not_found');
    return theOnly(await readTransactions(tx, [id]));
  },
  async baseline(tx, transaction) {
    const entries = await tx.select().from(ledgerEntries).where(eq(ledgerEntries.transactionId, transaction.id));
    await tellPosted(tx, [{ transaction, entries }], await concernedBy(tx, transaction));
  },
});

async function readTransactions(tx: Transaction, ids: readonly string[]) {
  const transactions = await tx
    .select()
    .from(ledgerTransactions)
    .where(inArray(ledgerTransactions.id, [...ids]));
  const entries = await tx
    .select()
    .from(ledgerEntries)
    .where(inArray(ledgerEntries.transactionId, [...ids]));
  const of = new Map<string, (typeof entries)[number][]>();
  for (const entry of entries) of.set(entry.transactionId, [...(of.get(entry.transactionId) ?? []), entry]);
  return transactions.map((transaction) => ({ ...transaction, entries: shownEntries(of.get(transaction.id) ?? []) }));
}

/** Whose money a movement is. What it belongs to is never deleted. */
async function concernedBy(
  tx: Transaction,
  { paymentId, payoutId, disputeId, debtId }: typeof ledgerTransactions.$inferSelect,
): Promise<string[]> {
  if (payoutId) return payeeOf(await tx.select().from(payouts).where(eq(payouts.id, payoutId)));
  if (debtId) return payeeOf(await tx.select().from(debts).where(eq(debts.id, debtId)));
  const disputed = tx.select({ id: disputes.paymentId }).from(disputes).where(sql`${disputes.id} = ${disputeId}`);
  const { payerId, payeeId } = theOnly(
    await tx
      .select()
      .from(payments)
      .where(paymentId ? eq(payments.id, paymentId) : inArray(payments.id, disputed)),
  );
  return participants(payerId, payeeId);
}

const payeeOf = (rows: { payeeId: string }[]) => [theOnly(rows).payeeId];

/** All that payment holds to its events. */
export const foldedTables = [foldedPayments, foldedRefunds, foldedPayouts, foldedLedger];
