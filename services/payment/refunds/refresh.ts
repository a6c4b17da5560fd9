import { type PaymentRow, readPayment } from '../charges/store/payments';
import type { Till } from '../till';
import { recordStripeRefunds } from './store/at-stripe';
import { type RefundAndPayment, readRefund } from './store/refunds';

// What has become of refunds, as Stripe says now.

/** Asks Stripe what became of a refund and records it. @throws ProblemError not_found; rate_limited, upstream_unavailable */
export async function refreshRefund(till: Till, id: string): Promise<RefundAndPayment> {
  const { paymentId } = await readRefund(till.db, id);
  const payment = await refreshRefunds(till, await readPayment(till.db, paymentId));
  return { refund: await readRefund(till.db, id), payment };
}

/** Asks Stripe for all refunds of a payment and records them. @throws ProblemError rate_limited, upstream_unavailable */
export async function refreshRefunds({ db, stripe }: Till, payment: PaymentRow): Promise<PaymentRow> {
  if (!payment.stripeIntentId) return payment;
  return recordStripeRefunds(db, payment.id, await stripe.listRefunds(payment.stripeIntentId));
}
