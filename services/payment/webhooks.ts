import type { Sagas } from '../../platform/temporal';
import { paymentChanged } from '../../workflows/payment.api';
import { refundChanged, refundSaga } from '../../workflows/refund.api';
import type { Till } from './attempt';
import { record, refreshRefunds } from './charge';
import { ownerOf, refundOwner } from './rules';
import type { PaymentRow } from './store';
import type { StripeEvent } from './stripe.types';

/** What may change a payment. Whatever else Stripe tells of is noted and left at that. */
const OF_INTENTS = new Set([
  'payment_intent.succeeded',
  'payment_intent.amount_capturable_updated',
  'payment_intent.requires_action',
  'payment_intent.payment_failed',
  'payment_intent.processing',
  'payment_intent.canceled',
  'charge.updated', // Stripe's fee is known now
]);
const OF_REFUNDS = new Set(['refund.created', 'refund.updated', 'refund.failed', 'charge.refunded']);

/**
 * Acts on an event: asks Stripe what is true now, whatever the event says (events come late, twice and out of order), records
 * it and tells the sagas that wait for it. Repeating it does no harm.
 * @throws ProblemError rate_limited, upstream_unavailable: Stripe shall send the event again
 */
export async function act(till: Till, sagas: Sagas, event: StripeEvent): Promise<void> {
  const ofRefund = OF_REFUNDS.has(event.type);
  // Events of connected accounts are about their own business, not about payments of the platform.
  if (event.account || !event.intentId || !(ofRefund || OF_INTENTS.has(event.type))) return;
  let payment = await refreshByIntent(till, event.intentId);
  if (!payment) return;
  if (ofRefund && payment.captured > 0) payment = await refreshRefunds(till, payment);
  const { id: paymentId, version } = payment;
  await sagas.signal(ownerOf(payment), paymentChanged, { paymentId, version });
  const refund = event.refundId ? await till.refunds.findByStripeId(event.refundId) : undefined;
  if (!refund) return;
  const news = { refundId: refund.id, version };
  // A bank may return a refund that had succeeded: its saga has ended then, and must call an operator.
  if (refund.status === 'failed') {
    await sagas.wake(refundSaga, { refundId: refund.id, paymentId, bookingId: payment.bookingId }, refundChanged, news);
  } else await sagas.signal(refundOwner(refund.id), refundChanged, news);
}

/** Records an intent for the payment it belongs to. @returns undefined when it is none of ours */
async function refreshByIntent(till: Till, intentId: string): Promise<PaymentRow | undefined> {
  const intent = await till.stripe.retrieveIntent(intentId);
  if (!intent) return undefined;
  const known = await till.payments.findByIntent(intentId);
  const payment = known ?? (intent.paymentId ? await till.payments.find(intent.paymentId) : undefined);
  return payment && record(till, payment, intent);
}
