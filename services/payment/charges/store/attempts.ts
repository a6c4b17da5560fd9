import { and, eq, inArray, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../../db/client';
import { payments, stripeAttempts } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import type { Subject } from '../../../../kernel/payment-subject';
import { uuidv7 } from '../../../../platform/ids';
import { customerOf } from '../../accounts/store';
import type { NewCharge } from '../../contract';
import { type Attempt, doubtfulAttempts, openAttempt } from '../../stripe/store';
import { takeGuard } from './guards';
import { insertPayment, isFor, lockPayment, type PaymentRow } from './payments';

// Money steps that begin: whether a step may be taken, and the attempt that is committed before Stripe is asked.

/** A money step that may begin: `attempt` is what to send, null when there is nothing (more) to send. */
export interface Begun {
  payment: PaymentRow;
  attempt: Attempt | null;
}

/**
 * Begins the money step of a subject, making its payment if there is none. `feePercent` is the platform's share of a new one.
 * @throws ProblemError undone after a settlement; conflict when the subject's payment is another
 */
export async function beginCharge(
  db: Database,
  key: string,
  subject: Subject,
  charge: NewCharge,
  feePercent: number,
): Promise<Begun> {
  return db.transaction(async (tx) => {
    await takeGuard(tx, subject);
    const { amount, ...rest } = charge;
    const made = await insertPayment(tx, { id: uuidv7(), subject, ...rest, ...amount }, feePercent);
    if (made) return attemptCharge(tx, key, made);
    const existing = theOnly(await tx.select().from(payments).where(isFor(subject)).for('update'));
    if (!isSame(existing, charge))
      throw new ProblemError('conflict', `The ${subject.kind} has another payment already`);
    return attemptCharge(tx, key, existing);
  });
}

/**
 * Begins the charge of a direct payment, and with it the work of its saga: from now on nobody else refuses it.
 * @throws ProblemError not_found; undone after a settlement, or when it was refused before
 */
export async function beginDirectCharge(db: Database, key: string, id: string): Promise<Begun> {
  return db.transaction(async (tx) => {
    // The update takes the lock as well.
    const [payment] = await tx
      .update(payments)
      .set({ sagaStartedAt: sql`coalesce(${payments.sagaStartedAt}, now())` })
      .where(eq(payments.id, id))
      .returning();
    if (!payment) throw new ProblemError('not_found');
    return attemptCharge(tx, key, payment);
  });
}

/** Begins a capture. @throws ProblemError not_found, undone; invalid_state before the money is authorised; payment_failed after it was given up */
export async function beginCapture(db: Database, key: string, id: string): Promise<Begun> {
  return db.transaction(async (tx) => {
    const payment = await lockPayment(tx, id);
    if (payment.settledAt) throw new ProblemError('undone');
    if (payment.captured > 0) return { payment, attempt: null };
    if (payment.status === 'voided' || payment.status === 'failed') throw new ProblemError('payment_failed');
    if (payment.status !== 'authorized') throw new ProblemError('invalid_state', 'The payment is not authorised');
    return { payment, attempt: await openAttempt(tx, { stepKey: key, kind: 'capture', subject: id }) };
  });
}

/** Begins cancelling a payment's intent. @throws ProblemError not_found */
export async function beginCancel(db: Database, stepKey: string, id: string): Promise<Attempt> {
  return db.transaction(async (tx) => {
    await lockPayment(tx, id);
    return openAttempt(tx, { stepKey, kind: 'cancel', subject: id });
  });
}

/** Whether a capture or cancel of ours has ended a payment's authorisation, or may have: one that Stripe refused has not. */
export async function isEndedHere(db: Database, id: string): Promise<boolean> {
  const { kind, subject, outcome } = stripeAttempts;
  const ofOurs = and(eq(subject, id), inArray(kind, ['capture', 'cancel']), sql`coalesce(${outcome}, 'done') = 'done'`);
  return (await db.select({ kind }).from(stripeAttempts).where(ofOurs).limit(1)).length > 0;
}

/** The attempts at making an intent of which nobody knows for certain that they left nothing. */
export async function doubtfulCharges(db: Database, id: string) {
  return db.transaction((tx) => doubtfulAttempts(tx, id, 'create_intent'));
}

async function attemptCharge(tx: Transaction, key: string, payment: PaymentRow): Promise<Begun> {
  if (payment.settledAt) throw new ProblemError('undone');
  if (payment.status !== 'pending' || payment.stripeIntentId) return { payment, attempt: null };
  const customerId = await customerOf(tx, payment.payerId);
  const target = { stepKey: key, kind: 'create_intent' as const, subject: payment.id, customerId };
  return { payment, attempt: await openAttempt(tx, target) };
}

function isSame(row: PaymentRow, charge: NewCharge): boolean {
  return (
    row.payerId === charge.payerId &&
    row.payeeId === charge.payeeId &&
    row.amount === charge.amount.amount &&
    row.currency === charge.amount.currency &&
    row.paymentMethodId === charge.paymentMethodId &&
    row.capture === charge.capture
  );
}
