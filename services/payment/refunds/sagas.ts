import type { Sagas } from '../../../platform/temporal';
import { refundChanged, refundSaga } from '../../../workflows/refund.api';
import { bookingIdOf } from '../charges/rules';
import type { PaymentRow } from '../charges/store/payments';
import type { Till } from '../till';
import { type RefundRow, unattendedRefunds } from './store/refunds';

/**
 * Tells the sagas of refunds that there is news, and starts those again that have ended: a bank may return a refund that had
 * succeeded, and somebody may have made one in Stripe's dashboard. @throws ProblemError upstream_unavailable
 */
export async function wakeRefundSagas(sagas: Sagas, payment: PaymentRow, refunds: RefundRow[]): Promise<void> {
  const { id: paymentId, version } = payment;
  const bookingId = bookingIdOf(payment);
  for (const { id: refundId } of refunds)
    await sagas.wake(refundSaga, { refundId, paymentId, bookingId }, refundChanged, { refundId, version });
}

/**
 * Wakes the sagas of a payment's refunds that came to light beside another thing, not by a webhook of their own: made in Stripe's dashboard, or
 * replaced by one that was. `but`: the refund whose saga asks. @throws ProblemError upstream_unavailable
 */
export async function wakeUnattended({ db }: Till, sagas: Sagas, payment: PaymentRow, but?: string): Promise<void> {
  const unattended = await unattendedRefunds(db, payment.id);
  await wakeRefundSagas(
    sagas,
    payment,
    unattended.filter(({ id }) => id !== but),
  );
}
