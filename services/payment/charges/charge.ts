import { ProblemError } from '../../../kernel/errors';
import type { PaymentState } from '../contract';
import type { Intent, IntentParams } from '../stripe/answers';
import { perform, type Till } from '../stripe/attempt';
import type { StripeDoor } from '../stripe/door';
import type { Attempt } from '../stripe/store';
import { isCancellable, isDecided, isOpenDecline, stateOf } from './rules';
import type { Begun, Closing, PaymentRow } from './store';
import { giveBackStray } from './stray';

/**
 * Authorises or takes the money of a payment that has begun, and answers with its state.
 * @throws ProblemError payment_declined; payment_expired when it was given up meanwhile; undone after a settlement;
 * rate_limited or upstream_unavailable to call again under the same key
 */
export async function charge(till: Till, { payment, attempt }: Begun): Promise<PaymentState> {
  if (!attempt) return answerOf(await askAgain(till, payment));
  const { payments, stripe } = till;
  const params = paramsOf(payment, attempt);
  const outcome = await perform(attempt, {
    find: async () => mainOf((await stripe.findIntents(params, attempt.startedAt)).filter(isDecided)),
    send: (key) => stripe.createIntent(key, params),
    giveUp: () => payments.close({ attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done')
    return answerOf(await record(till, payment, outcome.value, { attempt, outcome: 'done' }));
  const { code } = outcome;
  if (outcome.kind === 'declined' && outcome.intent)
    return answerOf(await record(till, payment, outcome.intent, { attempt, outcome: 'refused', code }));
  return answerOf(await payments.recordRefusal(payment.id, attempt, code));
}

/** What is sent to make the payment's intent; the same for every attempt under one key. */
export function paramsOf(payment: PaymentRow, attempt: Pick<Attempt, 'customerId'>): IntentParams {
  return {
    paymentId: payment.id,
    bookingId: payment.bookingId,
    amount: { amount: payment.amount, currency: payment.currency },
    paymentMethodId: payment.paymentMethodId,
    customerId: attempt.customerId,
    capture: payment.capture,
  };
}

/**
 * Takes the money that was authorised.
 * @throws ProblemError payment_failed when Stripe refuses: the authorisation has lapsed or was cancelled
 */
export async function capture(till: Till, { payment, attempt }: Begun): Promise<PaymentState> {
  const { payments, stripe } = till;
  const intentId = payment.stripeIntentId;
  if (!attempt || !intentId) return stateOf(payment);
  const outcome = await perform(attempt, {
    find: () => ended(stripe, intentId),
    send: (key) => stripe.captureIntent(key, intentId),
    giveUp: () => payments.close({ attempt, outcome: 'nothing' }),
  });
  const isDone = outcome.kind === 'done';
  const intent = isDone ? outcome.value : await retrieve(stripe, intentId);
  const closing = {
    attempt,
    ...(isDone ? { outcome: 'done' as const } : { outcome: 'refused' as const, code: outcome.code }),
  };
  const row = await record(till, payment, intent, closing);
  if (row.captured === 0) throw new ProblemError('payment_failed');
  return stateOf(row);
}

/** Asks Stripe for the truth and records it. Makes nothing happen but the end of a decline. */
export async function refresh(till: Till, payment: PaymentRow): Promise<PaymentRow> {
  const row = await askAgain(till, payment);
  return row.captured > 0 ? refreshRefunds(till, row) : row;
}

export async function refreshRefunds({ refunds, stripe }: Till, payment: PaymentRow): Promise<PaymentRow> {
  if (!payment.stripeIntentId) return payment;
  return refunds.recordAll(payment.id, await stripe.listRefunds(payment.stripeIntentId));
}

async function askAgain(till: Till, payment: PaymentRow): Promise<PaymentRow> {
  const { payments, stripe } = till;
  if (payment.stripeIntentId) return record(till, payment, await retrieve(stripe, payment.stripeIntentId));
  if (payment.status !== 'pending') return payment;
  const [attempt] = await payments.doubtful(payment.id);
  const found = attempt && mainOf(await stripe.findIntents(paramsOf(payment, attempt), attempt.startedAt));
  return found ? record(till, payment, found) : payment;
}

/** Records an intent with all that follows from it: a decline is ended for good, one too many is given back. */
export async function record(till: Till, { id }: PaymentRow, intent: Intent, closing?: Closing): Promise<PaymentRow> {
  const row = await till.payments.recordIntent(id, intent, closing);
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
export async function cancel(till: Till, payment: PaymentRow, stepKey: string): Promise<PaymentRow> {
  const { payments, stripe } = till;
  const intentId = payment.stripeIntentId;
  if (!intentId) return payment;
  const attempt = await payments.beginCancel(stepKey, payment.id);
  const outcome = await perform(attempt, {
    find: () => ended(stripe, intentId),
    send: (key) => stripe.cancelIntent(key, intentId),
    giveUp: () => payments.close({ attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done') return payments.recordIntent(payment.id, outcome.value, { attempt, outcome: 'done' });
  const intent = await retrieve(stripe, intentId);
  return payments.recordIntent(payment.id, intent, { attempt, outcome: 'refused', code: outcome.code });
}

/** Of several intents of one payment the one that is to be its own: one that holds or took money before one that does not. */
export function mainOf(intents: Intent[]): Intent | null {
  const rank = ({ status }: Intent) =>
    ['succeeded', 'requires_capture', 'processing', 'requires_action'].indexOf(status);
  const ranked = intents.filter((intent) => rank(intent) >= 0).sort((a, b) => rank(a) - rank(b));
  return ranked[0] ?? intents[0] ?? null;
}

/** The intent, once nothing can be cancelled or captured any more. */
async function ended(stripe: StripeDoor, intentId: string): Promise<Intent | null> {
  const intent = await retrieve(stripe, intentId);
  return isCancellable(intent) ? null : intent;
}

/** @throws Error when Stripe no longer knows an intent that it made: for an operator, and nothing to retry blindly */
export async function retrieve(stripe: StripeDoor, intentId: string): Promise<Intent> {
  const intent = await stripe.retrieveIntent(intentId);
  if (!intent) throw new Error(`Stripe does not know ${intentId}`);
  return intent;
}

function answerOf(payment: PaymentRow): PaymentState {
  if (payment.settledAt) throw new ProblemError('undone');
  const extras = { paymentId: payment.id };
  if (payment.status === 'voided') throw new ProblemError('payment_expired', undefined, { extras });
  if (payment.status !== 'failed') return stateOf(payment);
  throw new ProblemError('payment_declined', undefined, { extras: { ...extras, declineCode: payment.declineCode } });
}
