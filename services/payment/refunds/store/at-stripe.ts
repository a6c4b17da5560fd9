import { eq } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { refunds } from '../../../../db/schema/payment';
import { uuidv7 } from '../../../../platform/ids';
import { feeOf } from '../../charges/rules';
import { lockPayment, type PaymentRow } from '../../charges/store/payments';
import { refundEntries, reversalEntries } from '../../ledger/rules';
import { entriesOf, type Posting, post, sharesOf, stripeFeePostings } from '../../ledger/store';
import type { StripeRefund } from '../../stripe/answers';
import { type Attempt, closeAttempt } from '../../stripe/store';
import { refundStatusAfter } from '../rules';
import { changeRefund, insertRefund, lockRefund, type RefundAndPayment, type RefundRow } from './refunds';

// What Stripe says of refunds, as it is recorded here.

const AT_STRIPE = "Made in Stripe's own dashboard";

/** Records what Stripe says of one refund that was just made. @throws ProblemError not_found */
export async function recordRefundMade(
  db: Database,
  id: string,
  attempt: Attempt,
  made: StripeRefund,
): Promise<RefundAndPayment> {
  return db.transaction(async (tx) => {
    const { refund, payment } = await lockRefund(tx, id);
    await closeAttempt(tx, attempt, 'done');
    return applyStripeRefund(tx, payment, refund, made);
  });
}

/** Records that Stripe refused to make the refund: it has failed, and its amount can be refunded again. @throws ProblemError not_found */
export async function recordRefundRefusal(
  db: Database,
  id: string,
  attempt: Attempt,
  code: string,
): Promise<RefundAndPayment> {
  return db.transaction(async (tx) => {
    const both = await lockRefund(tx, id);
    await closeAttempt(tx, attempt, 'refused', code);
    if (both.refund.status !== 'pending' || both.refund.stripeRefundId) return both;
    return changeRefund(tx, both.payment, both.refund, { status: 'failed', failureCode: code });
  });
}

/** Records what Stripe says of all refunds of a payment, those made in its dashboard too. @throws ProblemError not_found */
export async function recordStripeRefunds(db: Database, paymentId: string, found: StripeRefund[]): Promise<PaymentRow> {
  return db.transaction(async (tx) => {
    let payment = await lockPayment(tx, paymentId);
    for (const made of [...found].reverse()) {
      const refund = (await ownerOfRefund(tx, payment, made)) ?? (await adopt(tx, payment, made));
      if (!refund) continue;
      payment = (await applyStripeRefund(tx, await lockPayment(tx, paymentId), refund, made)).payment;
    }
    return payment;
  });
}

/**
 * The row that a refund of Stripe belongs to, by what the row is at Stripe now or was in an earlier try. Each row takes one: a
 * second one with its id was made by a request thought lost.
 */
async function ownerOfRefund(tx: Transaction, payment: PaymentRow, made: StripeRefund): Promise<RefundRow | undefined> {
  const rows = await tx.select().from(refunds).where(eq(refunds.paymentId, payment.id)).for('update');
  return (
    rows.find((row) => row.stripeRefundId === made.id || row.formerStripeIds.includes(made.id)) ??
    rows.find((row) => row.id === made.refundId && row.stripeRefundId === null && row.status === 'pending')
  );
}

/** Takes up a refund that was not made here. Where no money moved (a released authorisation) there is nothing to take up. */
async function adopt(tx: Transaction, payment: PaymentRow, made: StripeRefund): Promise<RefundRow | undefined> {
  if (!made.movement) return undefined;
  const details = { id: uuidv7(), origin: 'stripe' as const, reason: AT_STRIPE, requestedBy: null };
  return (await insertRefund(tx, payment, { ...details, amount: made.amount })).refund;
}

async function applyStripeRefund(
  tx: Transaction,
  payment: PaymentRow,
  refund: RefundRow,
  made: StripeRefund,
): Promise<RefundAndPayment> {
  // An earlier try, or one too many, brings only one piece of news: the money that moved.
  const isCurrent = made.id === (refund.stripeRefundId ?? made.id) && !refund.formerStripeIds.includes(made.id);
  const status = isCurrent ? refundStatusAfter(refund.status, made.status) : refund.status;
  const isNew = isCurrent && (refund.stripeRefundId === null || status !== refund.status);
  const failureCode = status === 'failed' ? (refund.failureCode ?? made.failureCode) : null;
  const now = isNew
    ? await changeRefund(tx, payment, refund, { stripeRefundId: made.id, status, failureCode })
    : { refund, payment };
  await postRefund(tx, now, made);
  return now;
}

/**
 * Posts the money leaving, and coming back after a failure, when Stripe's own books say so: then the ledger's balance is
 * Stripe's at any moment, also while a refund is pending there.
 */
async function postRefund(tx: Transaction, { refund, payment }: RefundAndPayment, made: StripeRefund): Promise<void> {
  const { id: paymentId, payeeId: tutorId, captured, currency } = payment;
  const { movement, reversal } = made;
  const posting = { paymentId, kind: 'refund' as const, reference: made.id, currency };
  if (movement && (await entriesOf(tx, posting)).length === 0) {
    const shares = await sharesOf(tx, paymentId, tutorId);
    const entries = refundEntries(refund.amount, { captured, fee: feeOf(payment), tutorId }, shares);
    await post(tx, { ...posting, entries });
  }
  await post(tx, ...stripeFeePostings(paymentId, movement));
  if (!reversal) return;
  const entries = reversalEntries(await entriesOf(tx, posting), tutorId, payment.releasedAt !== null);
  const money: Posting = { paymentId, kind: 'refund_reversal', reference: reversal.id, currency, entries };
  await post(tx, money, ...stripeFeePostings(paymentId, reversal));
}
