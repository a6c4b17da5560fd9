import { eq } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { refunds } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import type { PaymentRow } from '../../charges/store/payments';
import { type Attempt, openAttempt } from '../../stripe/store';
import { isPromised } from '../rules';
import { changeRefund, lockRefund, markStarted, type RefundAndPayment } from './refunds';

/** A refund that may be handed to Stripe. */
export interface BegunRefund extends RefundAndPayment {
  /** What to send to Stripe; null when it is there already, or over, or waits for the end of a dispute. */
  attempt: Attempt | null;
}

/** Begins handing a refund to Stripe, which somebody pursues from now on. @throws ProblemError not_found */
export async function beginSubmit(db: Database, stepKey: string, id: string): Promise<BegunRefund> {
  return db.transaction(async (tx) => {
    const both = await lockRefund(tx, id);
    if (!both.refund.sagaStartedAt) await markStarted(tx, id);
    return beginAtStripe(tx, stepKey, both);
  });
}

/**
 * Begins try `number` of a failed refund, whose amount is reserved still. Begun already, it goes on; one that is owed no more stays as it is.
 * @throws ProblemError not_found; refund_exceeds_payment when other refunds have used the amount
 */
export async function beginRetry(db: Database, stepKey: string, id: string, number: number): Promise<BegunRefund> {
  return db.transaction(async (tx) => {
    const { refund, payment } = await lockRefund(tx, id);
    const waits = payment.disputed > 0;
    if (!isPromised(refund) || refund.status !== 'failed' || refund.tries !== number - 1 || waits)
      return beginAtStripe(tx, stepKey, { refund, payment });
    if (refund.amount > (await leftFor(tx, payment, id))) throw new ProblemError('refund_exceeds_payment');
    const { stripeRefundId, formerStripeIds } = refund;
    const reopened = await changeRefund(tx, payment, refund, {
      status: 'pending',
      tries: number,
      stripeRefundId: null,
      formerStripeIds: stripeRefundId === null ? formerStripeIds : [...formerStripeIds, stripeRefundId],
      failureCode: null,
      closedAs: null,
    });
    return beginAtStripe(tx, stepKey, reopened);
  });
}

/** What the other refunds of a locked payment leave of it. Those of before may have promised one amount twice. */
async function leftFor(tx: Transaction, payment: PaymentRow, id: string): Promise<number> {
  const rows = await tx.select().from(refunds).where(eq(refunds.paymentId, payment.id));
  const others = rows.filter((row) => row.id !== id && (row.status === 'succeeded' || isPromised(row)));
  return others.reduce((left, { amount }) => left - amount, payment.captured - payment.chargedBack);
}

/** The ids at Stripe that belong to other refunds of the payment than `id`, or to its earlier tries. */
export async function takenStripeIds(db: Database, paymentId: string, id: string): Promise<ReadonlySet<string>> {
  const rows = await db.select().from(refunds).where(eq(refunds.paymentId, paymentId));
  const taken = rows.flatMap((row) => [...row.formerStripeIds, ...(row.id === id ? [] : [row.stripeRefundId])]);
  return new Set(taken.filter((stripeId) => stripeId !== null));
}

async function beginAtStripe(
  tx: Transaction,
  stepKey: string,
  { refund, payment }: RefundAndPayment,
): Promise<BegunRefund> {
  // While a bank has the payment's money Stripe refunds nothing of it: it waits.
  const waits = payment.disputed > 0;
  if (refund.status !== 'pending' || refund.stripeRefundId || waits) return { refund, payment, attempt: null };
  return { refund, payment, attempt: await openAttempt(tx, { stepKey, kind: 'refund', subject: refund.id }) };
}
