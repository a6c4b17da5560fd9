import { ProblemError } from '../../../kernel/errors';
import type { PaymentState } from '../contract';
import { perform } from '../stripe/attempt';
import { closeWithoutEffect } from '../stripe/store';
import type { Till } from '../till';
import { askAgain, ended, mainOf, paramsOf, record, retrieve } from './intent';
import { isDecided, stateOf } from './rules';
import type { Begun } from './store/attempts';
import { recordChargeRefusal } from './store/intents';
import type { PaymentRow } from './store/payments';

/**
 * Authorises or takes the money of a payment that has begun, and answers with its state.
 * @throws ProblemError payment_declined; payment_rejected when Stripe calls the request invalid; payment_expired when it was given up meanwhile; undone after a settlement;
 * rate_limited or upstream_unavailable to call again under the same key
 */
export async function charge(till: Till, { payment, attempt }: Begun): Promise<PaymentState> {
  if (!attempt) return answerOf(await askAgain(till, payment));
  const { db, stripe } = till;
  const params = paramsOf(payment, attempt);
  const outcome = await perform(attempt, {
    find: async () => mainOf((await stripe.findIntents(params, attempt.startedAt)).filter(isDecided)),
    send: (key) => stripe.createIntent(key, params),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done')
    return answerOf(await record(till, payment, outcome.value, { attempt, outcome: 'done' }));
  const { kind, code } = outcome;
  if (kind === 'declined' && outcome.intent)
    return answerOf(await record(till, payment, outcome.intent, { attempt, outcome: 'refused', code }));
  // Whatever else keeps an intent from being made is nothing that the customer or their bank has done.
  return answerOf(await recordChargeRefusal(db, payment.id, attempt, { code, isOurs: kind !== 'declined' }));
}

/**
 * Takes the money that was authorised.
 * @throws ProblemError payment_failed when Stripe refuses: the authorisation has lapsed or was cancelled; payment_rejected when it calls
 * the request invalid
 */
export async function capture(till: Till, { payment, attempt }: Begun): Promise<PaymentState> {
  const { db, stripe } = till;
  const intentId = payment.stripeIntentId;
  if (!attempt || !intentId) return stateOf(payment);
  const outcome = await perform(attempt, {
    find: () => ended(stripe, intentId),
    send: (key) => stripe.captureIntent(key, intentId),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  const isDone = outcome.kind === 'done';
  const intent = isDone ? outcome.value : await retrieve(stripe, intentId);
  const closing = {
    attempt,
    ...(isDone ? { outcome: 'done' as const } : { outcome: 'refused' as const, code: outcome.code }),
  };
  const row = await record(till, payment, intent, closing);
  if (row.captured === 0) throw new ProblemError(outcome.kind === 'rejected' ? 'payment_rejected' : 'payment_failed');
  return stateOf(row);
}

function answerOf(payment: PaymentRow): PaymentState {
  if (payment.settledAt) throw new ProblemError('undone');
  const extras = { paymentId: payment.id };
  if (payment.status === 'voided') throw new ProblemError('payment_expired', undefined, { extras });
  if (payment.status !== 'failed') return stateOf(payment);
  if (payment.refusal === 'payment_rejected') throw new ProblemError('payment_rejected', undefined, { extras });
  throw new ProblemError('payment_declined', undefined, { extras: { ...extras, declineCode: payment.declineCode } });
}
