import { cancel, mainOf, paramsOf, record, refreshRefunds, retrieve } from '../charges/charge';
import { stateOf } from '../charges/rules';
import type { PaymentRow } from '../charges/store';
import { giveBackStray } from '../charges/stray';
import type { PaymentState } from '../contract';
import { submit } from '../refunds/refund';
import type { Till } from '../stripe/attempt';
import { stripeIsAway } from '../stripe/door';

/**
 * Brings a payment that is marked as settled to zero, whatever became of it: void, refund of what is left, or nothing.
 * Safe to repeat at any point and beside the step it undoes, which is refused from the mark on. What Stripe has not refunded by then
 * is for `handOver` of the refunds.
 * @throws ProblemError refund_failed when Stripe refuses to give back an intent too many; rate_limited, upstream_unavailable
 */
export async function settle(till: Till, marked: PaymentRow, key: string): Promise<void> {
  let payment = await closeDoubt(till, marked);
  if (payment.stripeIntentId) {
    payment = await record(till, payment, await retrieve(till.stripe, payment.stripeIntentId));
    if (payment.captured === 0) payment = await cancelOpen(till, payment, key);
  }
  if (payment.captured > 0) return refundRest(till, payment, key);
  // Stripe may hold on to a payment that a bank is still working on: it is asked again until that is decided.
  if (payment.status !== 'voided' && payment.status !== 'failed') throw stripeIsAway();
}

/**
 * Gives a payment up whose customer took too long, unless it was authorised or paid meanwhile. It is looked at before it
 * is cancelled, since Stripe cancels an authorisation as readily as an open question.
 */
export async function abandon(till: Till, given: PaymentRow, key: string): Promise<PaymentState> {
  if (!isWaiting(given)) return stateOf(given);
  let payment = await closeDoubt(till, given);
  if (payment.stripeIntentId)
    payment = await record(till, payment, await retrieve(till.stripe, payment.stripeIntentId));
  return stateOf(isWaiting(payment) ? await cancelOpen(till, payment, key) : payment);
}

function isWaiting({ status }: PaymentRow): boolean {
  return status === 'pending' || status === 'requires_action';
}

async function cancelOpen(till: Till, payment: PaymentRow, key: string): Promise<PaymentRow> {
  if (payment.status === 'voided' || payment.status === 'failed') return payment;
  return cancel(till, payment, `${key}/cancel`);
}

/**
 * Makes certain which intents exist and that no other can appear. A request that is still under way, or was given up
 * as lost, may yet reach Stripe: its key is taken first (`claimIntentKey`), so that it cannot; what was made before is
 * then found by list. With no intent left the payment is void.
 */
async function closeDoubt(till: Till, payment: PaymentRow): Promise<PaymentRow> {
  const { payments, stripe } = till;
  const attempts = await payments.doubtful(payment.id);
  let now = payment;
  for (const attempt of attempts) {
    const params = paramsOf(payment, attempt);
    if (attempt.open) {
      const claim = await stripe.claimIntentKey(attempt.stripeKey, params);
      if (claim.kind === 'not_executed') throw claim.problem;
      if (claim.kind === 'in_use' || (claim.kind === 'doubtful' && !claim.replayed)) throw stripeIsAway();
    }
    const found = await stripe.findIntents(params, attempt.startedAt);
    const main = mainOf(found);
    if (main) now = await record(till, now, main, { attempt, outcome: 'done' });
    for (const stray of found.filter(({ id }) => id !== main?.id && id !== now.stripeIntentId))
      await giveBackStray(till, now, stray);
  }
  return now.stripeIntentId ? now : payments.voidUnmade(now.id);
}

async function refundRest(till: Till, payment: PaymentRow, key: string): Promise<void> {
  await refreshRefunds(till, payment);
  for (const { id } of await till.refunds.beginSettlement(payment.id)) await submit(till, id, `${key}/refund/${id}`);
}
