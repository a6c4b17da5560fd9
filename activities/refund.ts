import type { RefundStatus } from '../kernel/statuses';
import { createBookingClient } from '../services/booking/client';
import { createPaymentClient } from '../services/payment/client';
import type { RefundState } from '../services/payment/contract';
import type { Clients } from './clients';
import { createNotices } from './notices';
import { projectionOf } from './payment';
import type { Step } from './step';

export interface RefundSummary {
  status: RefundStatus;
  /** Version of the payment the refund belongs to; grows with every change. */
  version: number;
  /** How often it was made at Stripe. */
  tries: number;
  /** Of a failed one: whether its payer is still to get it. Histories of before do not say; it was owed then. */
  owed?: boolean;
  /** Of a failed one: whether its payer had been told that it was made. */
  returned?: boolean;
  /** Its payment's money is at the bank, and it waits for what that decides; left out where that is not so. */
  disputed?: true;
}

export type RefundActivities = ReturnType<typeof createRefundActivities>;

export function createRefundActivities(clients: Clients) {
  const { clientOf } = clients;
  const payment = clientOf('payment', createPaymentClient);
  const booking = clientOf('booking', createBookingClient);
  const notices = createNotices(clients);

  const summary = ({ status, tries, owed, returned, disputed, payment }: RefundState): RefundSummary => ({
    ...{ status, version: payment.version, tries },
    ...(status === 'failed' && { owed, returned }),
    ...(disputed && { disputed }),
  });

  /** Has the payer written to; notification delivers it. */
  async function tellPayer(
    template: 'refund_succeeded' | 'refund_returned',
    { refundId, bookingId, key }: Step<{ refundId: string; bookingId: string | null }>,
  ): Promise<void> {
    const refund = await payment.getRefund(refundId);
    const { payerId } = await payment.getPayment(refund.paymentId);
    const data = { paymentId: refund.paymentId, bookingId, amount: refund.amount, description: null };
    await notices.record({ template, recipientId: payerId, usefulUntil: null, data }, key);
  }

  return {
    /** Hands the refund to Stripe. Refused by Stripe is a refund with status failed, not an error. */
    async submitRefund({ refundId, key }: Step<{ refundId: string }>): Promise<RefundSummary> {
      return summary(await payment.submitRefund(refundId, key));
    },

    /** Makes a failed refund again, as try `number`. @throws ProblemError refund_exceeds_payment when others have used its amount */
    async retryRefund(input: Step<{ refundId: string; number: number }>): Promise<RefundSummary> {
      return summary(await payment.retryRefund(input.refundId, input.number, input.key));
    },

    /** Notes that the saga has seen to the refund's end. Returned is its state, which may be another by then. */
    async closeRefund(input: Step<{ refundId: string; as: 'succeeded' | 'failed' }>): Promise<RefundSummary> {
      return summary(await payment.closeRefund(input.refundId, input.as, input.key));
    },

    async refreshRefund({ refundId }: { refundId: string }): Promise<RefundSummary> {
      return summary(await payment.refreshRefund(refundId));
    },

    /** Shows the refund on its booking; a cancelled booking that got everything back becomes refunded. */
    async recordRefund({ refundId, bookingId, key }: Step<{ refundId: string; bookingId: string }>): Promise<void> {
      const { payment: state } = await payment.getRefund(refundId);
      await booking.recordRefund(bookingId, { payment: projectionOf(state) }, `${key}/${state.version}`);
    },

    /** Tells the payer that it is made. */
    notifyRefund: (input: Step<{ refundId: string; bookingId: string | null }>) => tellPayer('refund_succeeded', input),

    /** Tells payer and payee that it waits for what a bank decides about a dispute of the payment. */
    async notifyRefundWaits({
      refundId,
      bookingId,
      key,
    }: Step<{ refundId: string; bookingId: string | null }>): Promise<void> {
      const { paymentId, amount } = await payment.getRefund(refundId);
      const { payerId, payeeId } = await payment.getPayment(paymentId);
      const data = { paymentId, bookingId, amount, description: null };
      const tell = (recipientId: string, as: 'payer' | 'payee') =>
        notices.record({ template: 'refund_waits', recipientId, usefulUntil: null, data }, `${key}/${as}`);
      await Promise.all([tell(payerId, 'payer'), tell(payeeId, 'payee')]);
    },

    /** Tells the payer that it came back from their bank, after they were told that it was made. */
    notifyRefundReturned: (input: Step<{ refundId: string; bookingId: string | null }>) =>
      tellPayer('refund_returned', input),
  };
}
