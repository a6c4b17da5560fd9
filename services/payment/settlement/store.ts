import { and, eq, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { payments, refunds } from '../../../db/schema/payment';
import type { Subject } from '../../../kernel/payment-subject';
import { uuidv7 } from '../../../platform/ids';
import { settleGuard } from '../charges/store/guards';
import { changePayment, isFor, lockPayment, type PaymentRow, tellPayment } from '../charges/store/payments';
import { REFUNDED_OTHERWISE, toSettle } from '../refunds/rules';
import { insertRefund, isUnseen, type RefundRow, tellRefunds } from '../refunds/store/refunds';
import { closeAttempt, doubtfulAttempts } from '../stripe/store';

/** The reason of a refund for which no person gave one. */
const SETTLED = 'Settled to zero: the booking or payment came to nothing';

/** Marks a subject as settled to zero, whether or not it has a payment. From then on its money steps are refused. @returns its payment, null when there is none */
export async function markSubjectSettled(db: Database, subject: Subject): Promise<PaymentRow | null> {
  return db.transaction(async (tx) => {
    await settleGuard(tx, subject);
    const [row] = await tx.select().from(payments).where(isFor(subject)).for('update');
    return row ? markSettled(tx, row) : null;
  });
}

/** As `markSubjectSettled`, for a direct payment, which is its own guard; null when there is none. */
export async function markPaymentSettled(db: Database, id: string): Promise<PaymentRow | null> {
  return db.transaction(async (tx) => {
    const [row] = await tx.select().from(payments).where(eq(payments.id, id)).for('update');
    return row ? markSettled(tx, row) : null;
  });
}

async function markSettled(tx: Transaction, row: PaymentRow): Promise<PaymentRow> {
  if (row.settledAt) return row;
  const settled = theOnly(
    await tx.update(payments).set({ settledAt: sql`now()` }).where(eq(payments.id, row.id)).returning(),
  );
  await tellPayment(tx, 'PaymentChanged', settled);
  return settled;
}

/**
 * Voids a payment of which no intent exists and none can be made any more. Does nothing when one turned up meanwhile.
 * @throws ProblemError not_found
 */
export async function voidUnmade(db: Database, id: string): Promise<PaymentRow> {
  return db.transaction(async (tx) => {
    const row = await lockPayment(tx, id);
    if (row.status !== 'pending' || row.stripeIntentId) return row;
    for (const attempt of await doubtfulAttempts(tx, id, 'create_intent')) await closeAttempt(tx, attempt, 'nothing');
    return changePayment(tx, row, { status: 'voided' });
  });
}

/**
 * Records the refund that brings a payment to zero, if anything is left of the payment that no other refund owes. The caller of
 * the settlement sees to its success, so that no saga is woken for it.
 * @returns all refunds of settlements that Stripe has not got yet
 * @throws ProblemError not_found
 */
export async function refundWhatIsLeft(db: Database, paymentId: string): Promise<RefundRow[]> {
  return db.transaction(async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    const settlements = and(eq(refunds.paymentId, paymentId), eq(refunds.origin, 'settlement'));
    const made = await tx.select().from(refunds).where(settlements);
    const amount = toSettle(
      payment,
      made.filter(({ closedAs, failureCode }) => closedAs === 'failed' && failureCode !== REFUNDED_OTHERWISE),
    );
    const open = made.filter(({ status, stripeRefundId }) => status === 'pending' && stripeRefundId === null);
    if (amount === 0) return open;
    const details = { id: uuidv7(), origin: 'settlement', reason: SETTLED, requestedBy: null } as const;
    const { refund } = await insertRefund(tx, payment, { ...details, amount, closedAs: 'succeeded' });
    return [...open, refund];
  });
}

/**
 * The refunds of a settlement whose state at Stripe nobody has seen to yet. From now on the caller of the
 * settlement no longer sees to them, however they end: each needs a saga.
 */
export async function handOverRefunds(db: Database, paymentId: string): Promise<RefundRow[]> {
  const settlements = and(isUnseen(paymentId), eq(refunds.origin, 'settlement'));
  return db.transaction(async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    const handed = await tx.update(refunds).set({ closedAs: null }).where(settlements).returning();
    await tellRefunds(tx, 'RefundChanged', handed, payment);
    return handed;
  });
}
