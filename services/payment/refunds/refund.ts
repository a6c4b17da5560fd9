import { refreshRefunds } from '../charges/charge';
import { refundStateOf } from '../charges/rules';
import type { RefundState } from '../contract';
import { perform, type Till } from '../stripe/attempt';
import type { BegunRefund, RefundAndPayment } from './store';

/**
 * Hands a refund to Stripe. A refusal is an outcome: the refund has failed then.
 * @throws ProblemError not_found; rate_limited, upstream_unavailable to call again under the same key
 */
export async function submit(till: Till, id: string, stepKey: string): Promise<RefundAndPayment> {
  return make(till, await till.refunds.beginSubmit(stepKey, id));
}

/**
 * Makes a failed refund again: Stripe never does by itself, so it is a new one there. What was refunded meanwhile, in Stripe's
 * dashboard for one, is found out first. Asked for the same try again it goes on with that one.
 * @throws ProblemError refund_exceeds_payment when other refunds have used its amount; and as `submit`
 */
export async function retry(till: Till, id: string, number: number, stepKey: string): Promise<RefundAndPayment> {
  await refreshRefund(till, id);
  return make(till, await till.refunds.beginRetry(stepKey, id, number));
}

async function make(till: Till, { refund, payment, attempt }: BegunRefund): Promise<RefundAndPayment> {
  const { refunds, stripe } = till;
  const { id, amount } = refund;
  const intentId = payment.stripeIntentId;
  if (!attempt || !intentId) return { refund, payment };
  const outcome = await perform(attempt, {
    async find() {
      const found = (await stripe.listRefunds(intentId)).filter(({ refundId }) => refundId === id);
      const others = await refunds.takenIds(payment.id, id);
      return found.find((made) => !others.has(made.id)) ?? null;
    },
    send: (key) => stripe.createRefund(key, { intentId, amount, paymentId: payment.id, refundId: id }),
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
