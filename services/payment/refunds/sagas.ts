import type { Sagas } from '../../../platform/temporal';
import { refundChanged, refundSaga } from '../../../workflows/refund.api';
import type { PaymentRow } from '../charges/store/payments';
import type { RefundRow } from './store/refunds';

/**
 * Tells the sagas of refunds that there is news, and starts those again that have ended: a bank may return a refund that had
 * succeeded, and somebody may have made one in Stripe's dashboard. @throws ProblemError upstream_unavailable
 */
export async function wakeRefundSagas(sagas: Sagas, payment: PaymentRow, refunds: RefundRow[]): Promise<void> {
  const { id: paymentId, bookingId, version } = payment;
  for (const { id: refundId } of refunds)
    await sagas.wake(refundSaga, { refundId, paymentId, bookingId }, refundChanged, { refundId, version });
}
