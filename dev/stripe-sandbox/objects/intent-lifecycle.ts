/**
 * How a PaymentIntent moves from one status to the next. The endpoints, the 3-D Secure page and the clock all come here.
 * See https://docs.stripe.com/payments/paymentintents/lifecycle
 */
import type Stripe from 'stripe';
import { requireWholeSteps } from '../memory/amounts';
import { refused, StripeProblem } from '../memory/errors';
import type { Tx } from '../memory/unit-of-work';
import { type Outcome, ok } from '../wire/endpoint';
import { AUTHENTICATION_REQUIRED, askCustomer, paymentAuthenticates } from './authentication';
import { authorizeCharge, captureCharge, declineCharge, idOf } from './charges';
import { recordEvent } from './events';
import { attach, cardOf, declineFields } from './payment-methods';
import { releaseAuthorization } from './refunds';
import type { Decline } from './test-cards';

/** @throws StripeProblem `payment_intent_unexpected_state`, with the PaymentIntent in the error as at Stripe */
export function unexpectedState(intent: Stripe.PaymentIntent, message: string): StripeProblem {
  return refused(message, { code: 'payment_intent_unexpected_state', payment_intent: intent });
}

interface Attempt {
  /** The customer is not there to authenticate. */
  offSession?: boolean;
  errorOnRequiresAction?: boolean;
  returnUrl?: string;
  baseUrl: string;
}

/** Tries to pay with a card: succeeds, waits for capture or authentication, or is declined (402, whose effects stay). */
export function attemptPayment(
  tx: Tx,
  intent: Stripe.PaymentIntent,
  method: Stripe.PaymentMethod,
  attempt: Attempt,
): Outcome {
  if (!paymentAuthenticates(tx, method, attempt.offSession ?? false)) return settle(tx, intent, method, false);
  if (attempt.offSession || attempt.errorOnRequiresAction) return decline(tx, intent, method, AUTHENTICATION_REQUIRED);
  const waiting = tx.paymentIntents.save({
    ...intent,
    status: 'requires_action',
    payment_method: method.id,
    next_action: askCustomer(tx, intent.id, attempt),
    last_payment_error: null,
  });
  recordEvent(tx, 'payment_intent.requires_action', waiting);
  return ok(waiting);
}

/** The bank decides. */
function settle(tx: Tx, intent: Stripe.PaymentIntent, method: Stripe.PaymentMethod, authenticated: boolean): Outcome {
  const { declines } = cardOf(method);
  if (declines !== undefined) return decline(tx, intent, method, declines);
  if (intent.setup_future_usage !== null && intent.customer !== null) attach(tx, method, idOf(intent.customer) ?? '');
  if (intent.setup_future_usage === 'off_session') tx.paymentIntents.link(intent.id, `set_up:${method.id}`);
  const paid = { ...intent, payment_method: method.id, next_action: null, last_payment_error: null };
  return ok(
    intent.capture_method === 'manual'
      ? awaitCapture(tx, paid, method, authenticated)
      : payAtOnce(tx, paid, method, authenticated),
  );
}

function awaitCapture(tx: Tx, intent: Stripe.PaymentIntent, method: Stripe.PaymentMethod, authenticated: boolean) {
  const expiresAt = tx.unit.now + tx.unit.settings.captureWindowMs;
  const captureBefore = Math.floor(expiresAt / 1000);
  const charge = authorizeCharge(tx, intent, method, { authenticated, captureBefore });
  tx.unit.schedule('bank', expiresAt, tx.account, { kind: 'expire_authorization', intent: intent.id });
  const waiting = tx.paymentIntents.save({
    ...intent,
    status: 'requires_capture',
    amount_capturable: intent.amount,
    latest_charge: charge.id,
  });
  recordEvent(tx, 'charge.succeeded', charge);
  recordEvent(tx, 'payment_intent.amount_capturable_updated', waiting);
  return waiting;
}

function payAtOnce(tx: Tx, intent: Stripe.PaymentIntent, method: Stripe.PaymentMethod, authenticated: boolean) {
  const authorized = authorizeCharge(tx, intent, method, { authenticated });
  const charge = captureCharge(tx, authorized, intent.amount, intent.capture_method === 'automatic_async');
  const succeeded = tx.paymentIntents.save({
    ...intent,
    status: 'succeeded',
    amount_received: intent.amount,
    latest_charge: charge.id,
  });
  recordEvent(tx, 'charge.succeeded', charge);
  recordEvent(tx, 'payment_intent.succeeded', succeeded);
  return succeeded;
}

function decline(tx: Tx, intent: Stripe.PaymentIntent, method: Stripe.PaymentMethod, reason: Decline): Outcome {
  const charge = declineCharge(tx, intent, method, reason);
  const error = { ...declineFields(reason, method), charge: charge.id };
  const failed = failAttempt(tx, { ...intent, latest_charge: charge.id }, error);
  return { problem: new StripeProblem(402, { ...error, payment_intent: failed }, { executed: true }) };
}

function failAttempt(tx: Tx, intent: Stripe.PaymentIntent, error: Stripe.PaymentIntent.LastPaymentError) {
  const failed = tx.paymentIntents.save({
    ...intent,
    status: 'requires_payment_method',
    payment_method: null,
    next_action: null,
    last_payment_error: error,
  });
  recordEvent(tx, 'payment_intent.payment_failed', failed);
  return failed;
}

/**
 * The customer's answer to the bank's 3-D Secure question.
 * @throws StripeProblem `resource_missing`, or `payment_intent_unexpected_state` if nobody is being asked (any more)
 */
export function authenticate(tx: Tx, id: string, passed: boolean): Stripe.PaymentIntent {
  const intent = tx.paymentIntents.get(id);
  const method = tx.paymentMethods.find(idOf(intent.payment_method) ?? '');
  if (intent.status !== 'requires_action' || method === undefined) {
    throw unexpectedState(intent, `This PaymentIntent has a status of ${intent.status} and awaits no authentication.`);
  }
  if (passed) settle(tx, intent, method, true);
  else {
    failAttempt(tx, intent, {
      type: 'invalid_request_error',
      code: 'payment_intent_authentication_failure',
      message:
        'The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again.',
      payment_method: method,
    });
  }
  return tx.paymentIntents.get(id);
}

/**
 * Captures all or part of what was authorised; the rest is given back.
 * See https://docs.stripe.com/api/payment_intents/capture
 * @throws StripeProblem `payment_intent_unexpected_state`, `amount_too_large`, `charge_expired_for_capture`
 */
export function capture(tx: Tx, intent: Stripe.PaymentIntent, amount = intent.amount_capturable): Stripe.PaymentIntent {
  const charge = tx.charges.find(idOf(intent.latest_charge) ?? '');
  if (intent.status !== 'requires_capture' || charge === undefined) {
    throw unexpectedState(
      intent,
      `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`,
    );
  }
  if (amount !== intent.amount_capturable) requireWholeSteps(amount, intent.currency);
  if (amount > intent.amount_capturable) {
    throw refused('The amount_to_capture is greater than the amount_capturable of this PaymentIntent.', {
      code: 'amount_too_large',
      param: 'amount_to_capture',
      payment_intent: intent,
    });
  }
  if ((charge.payment_method_details?.card?.capture_before ?? Infinity) < tx.seconds) {
    throw refused('The authorization of this charge has expired and it can no longer be captured.', {
      code: 'charge_expired_for_capture',
      payment_intent: intent,
    });
  }
  const captured = captureCharge(tx, charge, amount, false);
  recordEvent(tx, 'charge.captured', captured, charge);
  releaseAuthorization(tx, captured, null);
  const succeeded = tx.paymentIntents.save({
    ...intent,
    status: 'succeeded',
    amount_capturable: 0,
    amount_received: amount,
  });
  recordEvent(tx, 'payment_intent.succeeded', succeeded);
  return succeeded;
}

const CANCELABLE = [
  'requires_payment_method',
  'requires_capture',
  'requires_confirmation',
  'requires_action',
  'processing',
];

/**
 * Ends a PaymentIntent and gives back what it holds. See https://docs.stripe.com/api/payment_intents/cancel
 * @throws StripeProblem `payment_intent_unexpected_state` once it has succeeded or was canceled
 */
export function cancel(
  tx: Tx,
  intent: Stripe.PaymentIntent,
  reason: Stripe.PaymentIntent['cancellation_reason'],
): Stripe.PaymentIntent {
  if (!CANCELABLE.includes(intent.status)) {
    throw unexpectedState(
      intent,
      `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be canceled: ${CANCELABLE.join(', ')}.`,
    );
  }
  const charge = tx.charges.find(idOf(intent.latest_charge) ?? '');
  if (intent.status === 'requires_capture' && charge !== undefined) {
    releaseAuthorization(tx, charge, reason === 'automatic' ? 'expired_uncaptured_charge' : null);
  }
  const canceled = tx.paymentIntents.save({
    ...intent,
    status: 'canceled',
    amount_capturable: 0,
    canceled_at: tx.seconds,
    cancellation_reason: reason,
    next_action: null,
  });
  recordEvent(tx, 'payment_intent.canceled', canceled);
  return canceled;
}

/** "If the authorization expires before you capture the funds, the funds are released and the payment status changes to canceled." */
export function expireAuthorization(tx: Tx, id: string): void {
  const intent = tx.paymentIntents.find(id);
  if (intent?.status !== 'requires_capture') return;
  // A later attempt of the same PaymentIntent has its own, later, expiry.
  const charge = tx.charges.find(idOf(intent.latest_charge) ?? '');
  if ((charge?.payment_method_details?.card?.capture_before ?? 0) > tx.seconds) return;
  cancel(tx, intent, 'automatic');
}
