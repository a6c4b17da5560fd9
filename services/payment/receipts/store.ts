import { and, asc, desc, eq, gt, isNotNull, isNull, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import {
  creditNotes,
  ledgerTransactions,
  payments,
  receiptNumbers,
  receipts,
  refunds,
} from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import { feeOf } from '../charges/rules';
import { lockPayment } from '../charges/store/payments';
import { lockRefund } from '../refunds/store/refunds';

// Receipts and credit notes in the database. What is issued is never changed.

/** A receipt as it is stored. */
export type ReceiptRow = typeof receipts.$inferSelect;

/** A credit note as it is stored. */
export type CreditNoteRow = typeof creditNotes.$inferSelect;

/** A payment that is to get a receipt. */
type DueReceipt = Pick<typeof payments.$inferSelect, 'payerId' | 'payeeId'> & { paymentId: string };

/** Payments whose money was taken and that have no receipt, the latest first: who has just paid does not wait behind years of before. */
export async function dueReceipts(db: Database, limit: number): Promise<DueReceipt[]> {
  return db
    .select({ paymentId: payments.id, payerId: payments.payerId, payeeId: payments.payeeId })
    .from(payments)
    .where(and(gt(payments.captured, 0), isNull(payments.receiptIssuedAt)))
    .orderBy(desc(payments.createdAt))
    .limit(limit);
}

/** What is not the payment's own to say on its receipt. */
type Told = Pick<ReceiptRow, 'names' | 'language'>;

/**
 * Issues the receipt of a payment, once: of those that come at the same time one does. @returns whether it was this one
 * @throws ProblemError not_found, invalid_state when no money was taken
 */
export async function issueReceipt(db: Database, paymentId: string, { names, language }: Told): Promise<boolean> {
  return db.transaction(async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    if (payment.captured === 0) throw new ProblemError('invalid_state', 'No money has been taken');
    if (payment.receiptIssuedAt) return false;
    const { version: paymentVersion, currency, captured: amount, description } = payment;
    await tx.insert(receipts).values({
      ...{ paymentId, paymentVersion, currency, amount, description, language, names },
      ...(await nextNumber(tx, 'receipt')),
      fee: feeOf(payment),
      paidAt: await capturedAt(tx, paymentId),
    });
    await tx.update(payments).set({ receiptIssuedAt: sql`now()` }).where(eq(payments.id, paymentId));
    return true;
  });
}

/** Refunds that are made and have no credit note, of payments that have their receipt; the oldest first. */
export async function dueCreditNotes(db: Database, limit: number): Promise<string[]> {
  const found = await db
    .select({ id: refunds.id })
    .from(refunds)
    .innerJoin(payments, eq(payments.id, refunds.paymentId))
    .where(
      and(eq(refunds.status, 'succeeded'), isNull(refunds.creditNoteIssuedAt), isNotNull(payments.receiptIssuedAt)),
    )
    .orderBy(asc(refunds.createdAt))
    .limit(limit);
  return found.map(({ id }) => id);
}

/**
 * Issues the credit note of a refund, once, unless the refund has come back meanwhile. @returns whether it did
 * @throws ProblemError not_found
 */
export async function issueCreditNote(db: Database, refundId: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    const { refund } = await lockRefund(tx, refundId);
    if (refund.status !== 'succeeded' || refund.creditNoteIssuedAt) return false;
    const { paymentId, currency, amount } = refund;
    const numbered = await nextNumber(tx, 'credit_note');
    await tx.insert(creditNotes).values({ refundId, paymentId, currency, amount, ...numbered });
    await tx.update(refunds).set({ creditNoteIssuedAt: sql`now()` }).where(eq(refunds.id, refundId));
    return true;
  });
}

/** The receipt of a payment; undefined while it has none. */
export async function findReceipt(db: Database, paymentId: string): Promise<ReceiptRow | undefined> {
  const [row] = await db.select().from(receipts).where(eq(receipts.paymentId, paymentId));
  return row;
}

/** The credit note of a refund with the receipt of its payment; undefined while it has none. */
export async function findCreditNote(
  db: Database,
  refundId: string,
): Promise<{ note: CreditNoteRow; receipt: ReceiptRow } | undefined> {
  const [row] = await db
    .select({ note: creditNotes, receipt: receipts })
    .from(creditNotes)
    .innerJoin(receipts, eq(receipts.paymentId, creditNotes.paymentId))
    .where(eq(creditNotes.refundId, refundId));
  return row;
}

/** The receipt with the latest number; undefined while there is none. */
export async function newestReceipt(db: Database): Promise<ReceiptRow | undefined> {
  const [row] = await db.select().from(receipts).orderBy(desc(receipts.year), desc(receipts.number)).limit(1);
  return row;
}

/** The next number of this year. Others of its kind wait for this transaction to end, and get the same one if it comes to nothing. */
async function nextNumber(
  tx: Transaction,
  kind: (typeof receiptNumbers.$inferSelect)['kind'],
): Promise<{ year: number; number: number }> {
  const { year, last } = receiptNumbers;
  const taken = await tx
    .insert(receiptNumbers)
    // The day of issue is that of the transaction too: a receipt of New Year's Eve has that year's number, however long it waited for it.
    .values({ kind, year: sql`extract(year from now() at time zone 'utc')`, last: 1 })
    .onConflictDoUpdate({ target: [receiptNumbers.kind, year], set: { last: sql`${last} + 1` } })
    .returning({ year, number: last });
  return theOnly(taken);
}

/** When a payment's money was taken, by the ledger. */
async function capturedAt(tx: Transaction, paymentId: string): Promise<Date> {
  const { postedAt, kind } = ledgerTransactions;
  const found = await tx
    .select({ postedAt })
    .from(ledgerTransactions)
    .where(and(eq(ledgerTransactions.paymentId, paymentId), eq(kind, 'capture')))
    .orderBy(asc(postedAt))
    .limit(1);
  return theOnly(found).postedAt;
}
