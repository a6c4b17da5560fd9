import type Stripe from 'stripe';
import { fromStripe } from '../../../../kernel/currencies';
import type { Intent, Movement, StripeRefund } from '../answers';

// What Stripe's objects say, in our words.

/** The payment that an intent was made for, from its metadata; null for one that was only to take a key. */
export function paymentOf({ metadata }: Stripe.PaymentIntent): string | null {
  return metadata.inert ? null : (metadata.paymentId ?? null);
}

export function intentOf(intent: Stripe.PaymentIntent): Intent {
  const charge = typeof intent.latest_charge === 'object' ? intent.latest_charge : null;
  const line = typeof charge?.balance_transaction === 'object' ? charge.balance_transaction : null;
  const captureBefore = charge?.payment_method_details?.card?.capture_before;
  const problem = intent.last_payment_error;
  const currency = intent.currency.toUpperCase();
  return {
    id: intent.id,
    paymentId: paymentOf(intent),
    status: intent.status,
    received: fromStripe(intent.amount_received, currency),
    currency,
    clientSecret: intent.client_secret,
    captureBefore: captureBefore === undefined ? null : new Date(captureBefore * 1_000),
    declineCode: problem ? (problem.decline_code ?? problem.code ?? problem.type) : null,
    movement: movementOf(line),
    availableOn: line && new Date(line.available_on * 1_000),
  };
}

export function refundOf(refund: Stripe.Refund): StripeRefund {
  const failed = refund.status === 'failed' || refund.status === 'canceled';
  return {
    id: refund.id,
    refundId: refund.metadata?.refundId ?? null,
    status: failed ? 'failed' : refund.status === 'succeeded' ? 'succeeded' : 'pending',
    amount: fromStripe(refund.amount, refund.currency.toUpperCase()),
    failureCode: failed ? (refund.failure_reason ?? refund.status) : null,
    movement: movementOf(refund.balance_transaction),
    reversal: null,
  };
}

export function movementOf(line: string | Stripe.BalanceTransaction | null | undefined): Movement | null {
  if (typeof line !== 'object' || line === null) return null;
  const currency = line.currency.toUpperCase();
  return { id: line.id, fee: fromStripe(line.fee, currency), currency };
}
