import { eq } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { refunds } from '../../../../db/schema/payment';
import { uuidv7 } from '../../../../platform/ids';
import { lockPayment, type PaymentRow } from '../../charges/store/payments';
import { refundEntries } from '../../ledger/rules';
import { entriesOf, type PaymentPosting, post, stripeFeePostings } from '../../ledger/store';
import type { StripeRefund } from '../../stripe/answers';
import { type Attempt, closeAttempt } from '../../stripe/store';
import { refundStatusAfter } from '../rules';
import { coverBy, coverExcess } from './cover';
import { postGivenUp, postOwed } from './owed';
import { changeRefund, lockRefund, type RefundAndPayment, type RefundRow, storeRefund } from './refunds';

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

/**
 * Records that Stripe refused to make a refund of `asked`: it has failed, and its payer is owed it still. One that is for less by now,
 * because others were made elsewhere, stays pending: what is left of it has not been refused. So does one of a payment whose money a bank has: it
 * waits for what the bank decides. @throws ProblemError not_found
 */
export async function recordRefundRefusal(
  db: Database,
  id: string,
  attempt: Attempt,
  { code, asked }: { code: string; asked: number },
): Promise<RefundAndPayment> {
  return db.transaction(async (tx) => {
    const both = await lockRefund(tx, id);
    await closeAttempt(tx, attempt, 'refused', code);
    const { status, stripeRefundId, amount } = both.refund;
    const waits = both.payment.disputed > 0;
    if (status !== 'pending' || stripeRefundId || amount !== asked || waits) return both;
    return changeRefund(tx, both.payment, both.refund, { status: 'failed', failureCode: code });
  });
}

/** Records what Stripe says of all refunds of a payment, those made in its dashboard too. @throws ProblemError not_found */
export async function recordStripeRefunds(db: Database, paymentId: string, found: StripeRefund[]): Promise<PaymentRow> {
  return db.transaction(async (tx) => {
    let payment = await lockPayment(tx, paymentId);
    const strangers: StripeRefund[] = [];
    // Our own first: only then is it known in whose place one that was made elsewhere can stand.
    for (const made of [...found].reverse()) {
      const refund = await ownerOfRefund(tx, payment, made);
      if (refund) payment = (await applyStripeRefund(tx, payment, refund, made)).payment;
      else strangers.push(made);
    }
    for (const made of strangers) payment = await adopt(tx, payment, made);
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
async function adopt(tx: Transaction, payment: PaymentRow, made: StripeRefund): Promise<PaymentRow> {
  if (!made.movement) return payment;
  const details = { id: uuidv7(), origin: 'stripe' as const, reason: AT_STRIPE, requestedBy: null };
  const stored = await storeRefund(tx, payment, { ...details, amount: made.amount, stripeRefundId: made.id });
  const covered = await coverBy(tx, stored);
  await postOwed(tx, covered, stored.refund.id);
  return (await applyStripeRefund(tx, covered, stored.refund, made)).payment;
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
    ? // It may have been for another amount when it was sent.
      await changeRefund(tx, payment, refund, { stripeRefundId: made.id, amount: made.amount, status, failureCode })
    : { refund, payment };
  if (made.amount > refund.amount) now.payment = await coverExcess(tx, now.payment);
  await postRefund(tx, now, made);
  return now;
}

/**
 * Posts the money leaving, and coming back after a failure, when Stripe's own books say so: then the ledger's balance is
 * Stripe's at any moment, also while a refund is pending there.
 */
async function postRefund(tx: Transaction, { refund, payment }: RefundAndPayment, made: StripeRefund): Promise<void> {
  const { id: paymentId, currency } = payment;
  const { movement, reversal, amount } = made;
  const posting = { paymentId, kind: 'refund' as const, reference: made.id, currency };
  const isPosted = (await entriesOf(tx, posting)).length > 0;
  if (movement && !isPosted) {
    // What the code of before has reserved is not in the ledger yet.
    await postOwed(tx, payment, made.id);
    await post(tx, payment, { ...posting, entries: refundEntries(amount, paymentId) });
  }
  await post(tx, payment, ...stripeFeePostings(paymentId, movement));
  if (!reversal || !(movement || isPosted)) return;
  const entries = refundEntries(-amount, paymentId);
  const back: PaymentPosting = { paymentId, kind: 'refund_reversal', reference: reversal.id, currency, entries };
  await post(tx, payment, back, ...stripeFeePostings(paymentId, reversal));
  // It may have been given up while its money was on its way back.
  if (refund.closedAs === 'failed')
    await postGivenUp(tx, payment, refund.id, refund.failureCode === 'paid_elsewhere' ? 'paid_elsewhere' : 'waived');
}
