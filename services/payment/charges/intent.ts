import type { Intent, IntentParams } from '../stripe/answers';
import { perform } from '../stripe/attempt';
import type { StripeDoor } from '../stripe/door';
import { type Attempt, type Closing, closeWithoutEffect } from '../stripe/store';
import type { Till } from '../till';
import { isCancellable, isOpenDecline, subjectOf } from './rules';
import { beginCancel, doubtfulCharges } from './store/attempts';
import { recordIntent } from './store/intents';
import type { PaymentRow } from './store/payments';
import { giveBackStray } from './stray';

/** What is sent to make the payment's intent; the same for every attempt under one key. */
export function paramsOf(payment: PaymentRow, attempt: Pick<Attempt, 'customerId'>): IntentParams {
  return {
    paymentId: payment.id,
    subject: subjectOf(payment),
    amount: { amount: payment.amount, currency: payment.currency },
    paymentMethodId: payment.paymentMethodId,
    customerId: attempt.customerId,
    capture: payment.capture,
  };
}

/**
 * Asks Stripe for the truth about a payment's intent and records it. Where no answer ever named the intent, it is looked for.
 * @throws ProblemError rate_limited, upstream_unavailable
 */
export async function askAgain(till: Till, payment: PaymentRow): Promise<PaymentRow> {
  const { db, stripe } = till;
  if (payment.stripeIntentId) return record(till, payment, await retrieve(stripe, payment.stripeIntentId));
  if (payment.status !== 'pending') return payment;
  const [attempt] = await doubtfulCharges(db, payment.id);
  const found = attempt && mainOf(await stripe.findIntents(paramsOf(payment, attempt), attempt.startedAt));
  return found ? record(till, payment, found) : payment;
}

/**
 * Records an intent with all that follows from it: a decline is ended for good, one too many is given back.
 * @throws ProblemError not_found; those of `cancel` and `giveBackStray`
 */
export async function record(till: Till, { id }: PaymentRow, intent: Intent, closing?: Closing): Promise<PaymentRow> {
  const row = await recordIntent(till.db, id, intent, closing);
  if (row.stripeIntentId !== intent.id) {
    await giveBackStray(till, row, intent);
    return row;
  }
  const isOpen = row.status === 'pending' || row.status === 'requires_action';
  return isOpen && isOpenDecline(intent) ? cancel(till, row, `payment:${id}/decline`) : row;
}

/**
 * Cancels a payment's intent and records what Stripe says then: cancelled, or paid a moment before.
 * @throws ProblemError rate_limited, upstream_unavailable
 */
export async function cancel({ db, stripe }: Till, payment: PaymentRow, stepKey: string): Promise<PaymentRow> {
  const intentId = payment.stripeIntentId;
  if (!intentId) return payment;
  const attempt = await beginCancel(db, stepKey, payment.id);
  const outcome = await perform(attempt, {
    find: () => ended(stripe, intentId),
    send: (key) => stripe.cancelIntent(key, intentId),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done') return recordIntent(db, payment.id, outcome.value, { attempt, outcome: 'done' });
  const intent = await retrieve(stripe, intentId);
  return recordIntent(db, payment.id, intent, { attempt, outcome: 'refused', code: outcome.code });
}

/**
 * Chooses which of a payment's intents is to be its own: one that holds or took money before one that does not.
 * @returns null when there are no intents
 */
export function mainOf(intents: Intent[]): Intent | null {
  const rank = ({ status }: Intent) =>
    ['succeeded', 'requires_capture', 'processing', 'requires_action'].indexOf(status);
  const ranked = intents.filter((intent) => rank(intent) >= 0).sort((a, b) => rank(a) - rank(b));
  return ranked[0] ?? intents[0] ?? null;
}

/** The intent, once nothing can be cancelled or captured any more; null before that. @throws as `retrieve` does */
export async function ended(stripe: StripeDoor, intentId: string): Promise<Intent | null> {
  const intent = await retrieve(stripe, intentId);
  return isCancellable(intent) ? null : intent;
}

/**
 * An intent as Stripe has it now.
 * @throws Error when Stripe no longer knows an intent that it made: for an operator, and nothing to retry blindly
 */
export async function retrieve(stripe: StripeDoor, intentId: string): Promise<Intent> {
  const intent = await stripe.retrieveIntent(intentId);
  if (!intent) throw new Error(`Stripe does not know ${intentId}`);
  return intent;
}
