/**
 * How a SetupIntent moves from one status to the next: a card is asked, authenticated if its bank wants that, and kept.
 * See https://docs.stripe.com/payments/setupintents/lifecycle
 */
import type Stripe from 'stripe';
import { refused, StripeProblem } from '../memory/errors';
import type { Tx } from '../memory/unit-of-work';
import { type Outcome, ok } from '../wire/endpoint';
import { askCustomer, setupAuthenticates } from './authentication';
import { idOf } from './charges';
import { recordEvent } from './events';
import { attach, cardOf, declineFields } from './payment-methods';
import type { Decline } from './test-cards';

/** @throws StripeProblem `setup_intent_unexpected_state`, with the SetupIntent in the error as at Stripe */
export function unexpectedSetupState(intent: Stripe.SetupIntent, message: string): StripeProblem {
  return refused(message, { code: 'setup_intent_unexpected_state', setup_intent: intent });
}

interface Attempt {
  returnUrl?: string | undefined;
  baseUrl: string;
}

/** Tries to set a card up: succeeds, waits for authentication, or is declined (402, whose effects stay). */
export function attemptSetup(
  tx: Tx,
  intent: Stripe.SetupIntent,
  method: Stripe.PaymentMethod,
  attempt: Attempt,
): Outcome {
  if (!setupAuthenticates(method)) return settle(tx, intent, method);
  const waiting = tx.setupIntents.save({
    ...intent,
    status: 'requires_action',
    payment_method: method.id,
    next_action: askCustomer(tx, intent.id, attempt),
    last_setup_error: null,
  });
  recordEvent(tx, 'setup_intent.requires_action', waiting);
  return ok(waiting);
}

/** The bank decides. A customer keeps the card from then on. */
function settle(tx: Tx, intent: Stripe.SetupIntent, method: Stripe.PaymentMethod): Outcome {
  const { declines, attachable } = cardOf(method);
  if (declines !== undefined && !attachable) return decline(tx, intent, method, declines);
  const customer = idOf(intent.customer);
  if (customer !== null) attach(tx, method, customer);
  const succeeded = tx.setupIntents.save({
    ...intent,
    status: 'succeeded',
    payment_method: method.id,
    next_action: null,
    last_setup_error: null,
  });
  if (intent.usage === 'off_session') tx.setupIntents.link(intent.id, `set_up:${method.id}`);
  recordEvent(tx, 'setup_intent.succeeded', succeeded);
  return ok(succeeded);
}

function decline(tx: Tx, intent: Stripe.SetupIntent, method: Stripe.PaymentMethod, reason: Decline): Outcome {
  const error = declineFields(reason, method);
  const failed = fail(tx, intent, error);
  return { problem: new StripeProblem(402, { ...error, setup_intent: failed }, { executed: true }) };
}

function fail(tx: Tx, intent: Stripe.SetupIntent, error: Stripe.SetupIntent.LastSetupError): Stripe.SetupIntent {
  const failed = tx.setupIntents.save({
    ...intent,
    status: 'requires_payment_method',
    payment_method: null,
    next_action: null,
    last_setup_error: error,
  });
  recordEvent(tx, 'setup_intent.setup_failed', failed);
  return failed;
}

/**
 * The customer's answer to the bank's 3-D Secure question.
 * @throws StripeProblem `resource_missing`, or `setup_intent_unexpected_state` if nobody is being asked (any more)
 */
export function authenticateSetup(tx: Tx, id: string, passed: boolean): Stripe.SetupIntent {
  const intent = tx.setupIntents.get(id);
  const method = tx.paymentMethods.find(idOf(intent.payment_method) ?? '');
  if (intent.status !== 'requires_action' || method === undefined) {
    throw unexpectedSetupState(
      intent,
      `This SetupIntent has a status of ${intent.status} and awaits no authentication.`,
    );
  }
  if (passed) settle(tx, intent, method);
  else {
    fail(tx, intent, {
      type: 'invalid_request_error',
      code: 'setup_intent_authentication_failure',
      message:
        'The latest attempt to set up the payment method has failed because authentication failed. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this SetupIntent again.',
      payment_method: method,
    });
  }
  return tx.setupIntents.get(id);
}

const CANCELABLE = ['requires_payment_method', 'requires_confirmation', 'requires_action'];

/**
 * Gives a SetupIntent up. See https://docs.stripe.com/api/setup_intents/cancel
 * @throws StripeProblem `setup_intent_unexpected_state` once it has succeeded or was canceled
 */
export function cancelSetup(
  tx: Tx,
  intent: Stripe.SetupIntent,
  reason: Stripe.SetupIntent['cancellation_reason'],
): Stripe.SetupIntent {
  if (!CANCELABLE.includes(intent.status)) {
    const why =
      intent.status === 'canceled'
        ? 'it is already canceled.'
        : `it has a status of ${intent.status}. Only a SetupIntent with one of the following statuses may be canceled: \`requires_payment_method\`, \`requires_confirmation\`, or \`requires_action\`.`;
    throw unexpectedSetupState(intent, `You cannot cancel this SetupIntent because ${why}`);
  }
  const canceled = tx.setupIntents.save({
    ...intent,
    status: 'canceled',
    cancellation_reason: reason,
    next_action: null,
  });
  recordEvent(tx, 'setup_intent.canceled', canceled);
  return canceled;
}
