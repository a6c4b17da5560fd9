import type { Database } from '../../../../db/client';
import { strayEntries } from '../../ledger/rules';
import { type PaymentPosting, post, stripeFeePostings } from '../../ledger/store';
import type { Intent, StripeRefund } from '../../stripe/answers';
import { type Attempt, openAttempt } from '../../stripe/store';
import { lockPayment } from './payments';

// Strays: intents at Stripe that bear a payment's id and are not the payment's own.

/** Begins what gives a stray back. @throws ProblemError not_found */
export async function beginStray(
  db: Database,
  paymentId: string,
  stepKey: string,
  kind: 'cancel' | 'refund',
  intentId: string,
): Promise<Attempt> {
  return db.transaction(async (tx) => {
    await lockPayment(tx, paymentId);
    return openAttempt(tx, { stepKey, kind, subject: intentId });
  });
}

/** Posts the money of a stray: nobody's, until it is sent back. @throws ProblemError not_found */
export async function recordStrayCapture(db: Database, paymentId: string, intent: Intent): Promise<void> {
  await db.transaction(async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    const entries = strayEntries(intent.received);
    const { id: reference, currency } = intent;
    const money: PaymentPosting = { paymentId, kind: 'stray_capture', reference, currency, entries };
    await post(tx, payment, money, ...stripeFeePostings(paymentId, intent.movement));
  });
}

/** Posts the money of a stray going back. @throws ProblemError not_found */
export async function recordStrayRefund(
  db: Database,
  paymentId: string,
  { currency }: Intent,
  made: StripeRefund,
): Promise<void> {
  await db.transaction(async (tx) => {
    const payment = await lockPayment(tx, paymentId);
    const entries = strayEntries(-made.amount);
    const money: PaymentPosting = { paymentId, kind: 'stray_refund', reference: made.id, currency, entries };
    await post(tx, payment, money, ...stripeFeePostings(paymentId, made.movement));
  });
}
