import { cancel, mainOf, paramsOf, record, retrieve } from '../charges/intent';
import { stateOf } from '../charges/rules';
import { doubtfulCharges } from '../charges/store/attempts';
import type { PaymentRow } from '../charges/store/payments';
import { giveBackStray } from '../charges/stray';
import type { PaymentState } from '../contract';
import { refreshRefunds } from '../refunds/refresh';
import { submit } from '../refunds/refund';
import { stripeIsAway } from '../stripe/door';
import type { Till } from '../till';
import { refundWhatIsLeft, voidUnmade } from './store';

/**
 * Brings a payment that is marked as settled to zero, whatever became of it: void, refund of what is left, or nothing.
 * Safe to repeat at any point and beside the step it undoes, which is refused from the mark on. A refund that Stripe has not made
 * by then is for `handOverRefunds`.
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
 * Gives up a payment when its customer took too long, unless the payment was authorised or paid meanwhile. Stripe is asked for
 * the intent before it is cancelled, since Stripe cancels an authorisation as readily as an open question.
 * @throws ProblemError rate_limited, upstream_unavailable
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
  const { db, stripe } = till;
  const attempts = await doubtfulCharges(db, payment.id);
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
  return now.stripeIntentId ? now : voidUnmade(db, now.id);
}

async function refundRest(till: Till, payment: PaymentRow, key: string): Promise<void> {
  await refreshRefunds(till, payment);
  for (const { id } of await refundWhatIsLeft(till.db, payment.id)) await submit(till, id, `${key}/refund/${id}`);
}
