import { eq } from 'drizzle-orm';
import type { Transaction } from '../../../../db/client';
import { refunds } from '../../../../db/schema/payment';
import { participants } from '../../../../platform/event-schema';
import { appendEvent } from '../../../../platform/outbox';
import type { PaymentRow } from '../../charges/store/payments';
import { paymentEvents } from '../../events';
import { isPromised, REFUNDED_OTHERWISE } from '../rules';
import { changeRefund, type RefundAndPayment, type RefundRow } from './refunds';

// A refund that was made elsewhere, as in Stripe's dashboard, can take the place of one that is promised here.

/**
 * Takes what a refund made elsewhere has brought the payer off what is promised: first off refunds that failed, since to make a stuck one
 * in Stripe's dashboard is what it is mostly for, then off as much as is promised beyond what was captured. The rest comes out of the
 * shares. @returns the payment as it is then
 */
export async function coverBy(tx: Transaction, { refund, payment }: RefundAndPayment): Promise<PaymentRow> {
  const failed = (await unmade(tx, payment.id)).filter(({ status }) => status === 'failed');
  return coverExcess(tx, await takeOff(tx, payment, failed, refund.amount));
}

/** Takes off the promised refunds what Stripe would refuse to make of them: what they come to beyond what was captured. */
export async function coverExcess(tx: Transaction, payment: PaymentRow): Promise<PaymentRow> {
  const rows = await tx.select().from(refunds).where(eq(refunds.paymentId, payment.id));
  const counted = rows.filter((row) => row.status === 'succeeded' || isPromised(row));
  const excess = counted.reduce((sum, { amount }) => sum + amount, 0) - (payment.captured - payment.chargedBack);
  return excess > 0 ? takeOff(tx, payment, await unmade(tx, payment.id), excess) : payment;
}

/** What of a locked payment is promised to its payer and not made, in minor units: a bank that gives them the money takes its place. */
export async function coverable(tx: Transaction, paymentId: string): Promise<number> {
  return (await unmade(tx, paymentId)).reduce((sum, { amount }) => sum + amount, 0);
}

/** A bank has given the payer `amount`: as much of it as is promised is owed no longer. @returns the payment as it is then */
export async function coverByBank(tx: Transaction, payment: PaymentRow, amount: number): Promise<PaymentRow> {
  return takeOff(tx, payment, await unmade(tx, payment.id), amount);
}

/** The refunds of a locked payment that are promised and that Stripe has not got, the failed ones first. */
async function unmade(tx: Transaction, paymentId: string): Promise<RefundRow[]> {
  const rows = await tx.select().from(refunds).where(eq(refunds.paymentId, paymentId)).orderBy(refunds.id);
  const open = rows.filter((row) => isPromised(row) && (row.status === 'failed' || row.stripeRefundId === null));
  return [...open.filter(({ status }) => status === 'failed'), ...open.filter(({ status }) => status === 'pending')];
}

async function takeOff(
  tx: Transaction,
  payment: PaymentRow,
  from: readonly RefundRow[],
  amount: number,
): Promise<PaymentRow> {
  let [now, rest] = [payment, amount];
  for (const refund of from) {
    const covered = Math.min(rest, refund.amount);
    if (covered === 0) break;
    rest -= covered;
    now = await lower(tx, now, refund, covered);
  }
  return now;
}

/** A refund that nothing is left of has failed, and its saga has yet to see that nobody is owed it. */
async function lower(tx: Transaction, payment: PaymentRow, refund: RefundRow, by: number): Promise<PaymentRow> {
  const { id: refundId, paymentId, currency } = refund;
  const covered = { amount: by, currency };
  const participantIds = participants(payment.payerId, payment.payeeId);
  await appendEvent(tx, paymentEvents, {
    streamId: refundId,
    type: 'RefundCovered',
    data: { refundId, paymentId, participantIds, covered },
  });
  const patch =
    by < refund.amount
      ? { amount: refund.amount - by }
      : { status: 'failed' as const, failureCode: REFUNDED_OTHERWISE };
  return (await changeRefund(tx, payment, refund, patch)).payment;
}
