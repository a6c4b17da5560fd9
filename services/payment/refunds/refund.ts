import { isRetryable } from '../../../platform/problem';
import type { SettledByHand } from '../contract';
import { refreshDisputes } from '../disputes/dispute';
import { perform } from '../stripe/attempt';
import { closeWithoutEffect } from '../stripe/store';
import type { Till } from '../till';
import { refreshRefund, refreshRefunds } from './refresh';
import { recordRefundMade, recordRefundRefusal } from './store/at-stripe';
import { type BegunRefund, beginRetry, beginSubmit, takenStripeIds } from './store/attempts';
import { giveUpRefund } from './store/by-hand';
import type { RefundAndPayment } from './store/refunds';

/**
 * Hands a refund to Stripe. A refusal is an outcome: the refund has failed then, or others have taken its place.
 * @throws ProblemError not_found; rate_limited, upstream_unavailable to call again under the same key
 */
export async function submit(till: Till, id: string, stepKey: string): Promise<RefundAndPayment> {
  return make(till, stepKey, await beginSubmit(till.db, stepKey, id));
}

/**
 * Makes a failed refund again: Stripe never does by itself, so it is a new one there. What was refunded meanwhile, in Stripe's
 * dashboard for one, is found out first. A try that is asked for again is continued.
 * @throws ProblemError refund_exceeds_payment when other refunds have used its amount; and as `submit`
 */
export async function retry(till: Till, id: string, number: number, stepKey: string): Promise<RefundAndPayment> {
  await refreshRefund(till, id);
  return make(till, stepKey, await beginRetry(till.db, stepKey, id, number));
}

async function make(till: Till, stepKey: string, { refund, payment, attempt }: BegunRefund): Promise<RefundAndPayment> {
  const { db, stripe } = till;
  const { id, amount, currency } = refund;
  const intentId = payment.stripeIntentId;
  if (!attempt || !intentId) return { refund, payment };
  const outcome = await perform(attempt, {
    async find() {
      const found = (await stripe.listRefunds(intentId)).filter(({ refundId }) => refundId === id);
      const others = await takenStripeIds(db, payment.id, id);
      return found.find((made) => !others.has(made.id)) ?? null;
    },
    send: (key) =>
      stripe.createRefund(key, { intentId, amount: { amount, currency }, paymentId: payment.id, refundId: id }),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done') return recordRefundMade(db, id, attempt, outcome.value);
  // What was refunded in Stripe's dashboard may have taken its place, or a part of it: what is left of it is made then.
  await refreshRefunds(till, payment);
  // A bank may have its money, of which nobody here has heard: then it waits for what the bank decides.
  if (outcome.code === 'charge_disputed') await refreshDisputes(till, payment);
  const refused = await recordRefundRefusal(db, id, attempt, { code: outcome.code, asked: amount });
  const { disputed } = refused.payment;
  const isForLess = refused.refund.status === 'pending' && refused.refund.amount < amount && disputed === 0;
  return isForLess ? make(till, stepKey, await beginSubmit(db, stepKey, id)) : refused;
}

/**
 * An operator has settled a refund by hand. Stripe is asked first whether it has it: one that it has stays as Stripe says.
 * @throws ProblemError not_found
 */
export async function giveUp(till: Till, id: string, as: SettledByHand['as']): Promise<RefundAndPayment> {
  await refreshRefund(till, id).catch((error: unknown) => {
    // Stripe's being away is why an operator had to do it by hand. What it turns out to have made will be recorded beside this one.
    if (!isRetryable(error)) throw error;
  });
  return giveUpRefund(till.db, id, as);
}
