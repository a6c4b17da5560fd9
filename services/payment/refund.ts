import { perform, type Till } from './attempt';
import { refreshRefunds } from './charge';
import type { RefundState } from './contract';
import type { RefundAndPayment } from './refunds.store';
import { refundStateOf } from './rules';

/**
 * Hands a refund to Stripe. A refusal is an outcome: the refund has failed then.
 * @throws ProblemError not_found; rate_limited, upstream_unavailable to call again under the same key
 */
export async function submit(till: Till, id: string, stepKey: string): Promise<RefundAndPayment> {
  const { refunds, stripe } = till;
  const { refund, payment, attempt } = await refunds.beginSubmit(stepKey, id);
  const intentId = payment.stripeIntentId;
  if (!attempt || !intentId) return { refund, payment };
  const outcome = await perform(attempt, {
    find: async () => (await stripe.listRefunds(intentId)).find(({ refundId }) => refundId === id) ?? null,
    send: (key) => stripe.createRefund(key, { intentId, amount: refund.amount, paymentId: payment.id, refundId: id }),
    giveUp: () => till.payments.close({ attempt, outcome: 'nothing' }),
  });
  return outcome.kind === 'done'
    ? refunds.recordMade(id, attempt, outcome.value)
    : refunds.recordRefusal(id, attempt, outcome.code);
}

/** Asks Stripe what became of a refund and records it. @throws ProblemError not_found */
export async function refreshRefund(till: Till, id: string): Promise<RefundState> {
  const { paymentId } = await till.refunds.get(id);
  const payment = await refreshRefunds(till, await till.payments.get(paymentId));
  return refundStateOf(await till.refunds.get(id), payment);
}
