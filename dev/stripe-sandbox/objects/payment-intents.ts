import type Stripe from 'stripe';
import { z } from 'zod';
import { countingOf, money, requireWholeSteps } from '../memory/amounts';
import { badParameter } from '../memory/errors';
import { newId, randomText } from '../memory/ids';
import { type Call, type Endpoint, forBrowsers, get, type Outcome, ok, post } from '../wire/endpoint';
import {
  amount,
  changeMetadata,
  choice,
  clearableText,
  currency,
  expand,
  flag,
  fullShipping,
  metadata,
  paging,
  shipping,
  text,
} from '../wire/form';
import { requireClientSecret } from '../wire/keys';
import { page } from '../wire/lists';
import { idOf } from './charges';
import { recordEvent } from './events';
import { attemptPayment, cancel, capture, unexpectedState } from './intent-lifecycle';
import {
  automaticMethods,
  automaticMethodsOf,
  methodTypes,
  missingMethod,
  requireCards,
  requireReturnUrl,
  requireSameCustomer,
  returnUrl,
  wayBack,
} from './intent-params';
import { existingCustomer, usePaymentMethod } from './payment-methods';

/** Parameters of every request that creates, confirms or updates. */
const payable = {
  ...methodTypes,
  payment_method: text().optional(),
  receipt_email: text(800).optional(),
  setup_future_usage: choice('off_session', 'on_session').optional(),
  shipping: shipping().optional(),
  expand: expand(),
};

/** Parameters of one attempt to pay. */
const attemptable = {
  error_on_requires_action: flag().optional(),
  off_session: flag().optional(),
  return_url: returnUrl,
  use_stripe_sdk: flag().optional(),
};

const descriptive = {
  capture_method: choice('automatic', 'automatic_async', 'manual').optional(),
  customer: text().optional(),
  description: clearableText(1000).optional(),
  metadata: metadata().optional(),
  statement_descriptor: clearableText(22).optional(),
  statement_descriptor_suffix: clearableText(22).optional(),
  transfer_group: text().optional(),
};

const createParams = z.strictObject({
  ...payable,
  ...attemptable,
  ...descriptive,
  amount: amount(),
  currency: currency(),
  automatic_payment_methods: automaticMethods,
  confirm: flag().optional(),
  confirmation_method: choice('automatic').optional(),
});
type CreateParams = z.output<typeof createParams>;

const confirmParams = z.strictObject({
  ...payable,
  ...attemptable,
  capture_method: descriptive.capture_method,
  client_secret: text().optional(),
});
type ConfirmParams = z.output<typeof confirmParams>;

const updateParams = z.strictObject({
  ...payable,
  ...descriptive,
  amount: amount().optional(),
  currency: currency().optional(),
});
type UpdateParams = z.output<typeof updateParams>;

function requireChargeable(value: number, code: string): void {
  requireWholeSteps(value, code);
  const { least } = countingOf(code);
  if (value >= least) return;
  throw badParameter(`Amount must be at least ${money(least, code)} ${code}`, 'amount', 'amount_too_small');
}

const ONLY_WITH_CONFIRM = ['error_on_requires_action', 'off_session', 'return_url', 'use_stripe_sdk'] as const;

function requireConsistent(params: CreateParams): void {
  requireCards(params);
  const early = params.confirm ? undefined : ONLY_WITH_CONFIRM.find((name) => params[name] !== undefined);
  if (early !== undefined) {
    throw badParameter(
      `The parameter \`${early}\` cannot be passed when creating a PaymentIntent unless \`confirm\` is set to true.`,
      early,
      'payment_intent_invalid_parameter',
    );
  }
}

/** See https://docs.stripe.com/api/payment_intents/create */
function create(call: Call, params: CreateParams): Outcome {
  const { tx } = call;
  requireChargeable(params.amount, params.currency);
  requireConsistent(params);
  if (params.customer !== undefined) existingCustomer(tx, params.customer, 'customer');
  const id = newId('pi');
  const method = params.payment_method && usePaymentMethod(tx, params.payment_method, 'payment_method').id;
  const intent: Stripe.PaymentIntent = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: params.allowed_payment_method_types ?? null,
    amount: params.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: automaticMethodsOf(params.automatic_payment_methods),
    canceled_at: null,
    cancellation_reason: null,
    capture_method: params.capture_method ?? 'automatic_async',
    client_secret: `${id}_secret_${randomText(25)}`,
    confirmation_method: 'automatic',
    created: tx.seconds,
    currency: params.currency,
    customer: params.customer ?? null,
    customer_account: null,
    description: params.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: changeMetadata({}, params.metadata),
    next_action: null,
    on_behalf_of: null,
    payment_method: method ?? null,
    payment_method_configuration_details: null,
    payment_method_options: {
      card: { installments: null, mandate_options: null, network: null, request_three_d_secure: 'automatic' },
    },
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: params.receipt_email ?? null,
    review: null,
    setup_future_usage: params.setup_future_usage ?? null,
    shipping: params.shipping === undefined ? null : fullShipping(params.shipping),
    source: null,
    statement_descriptor: params.statement_descriptor ?? null,
    statement_descriptor_suffix: params.statement_descriptor_suffix ?? null,
    status: method === undefined ? 'requires_payment_method' : 'requires_confirmation',
    transfer_data: null,
    transfer_group: params.transfer_group ?? null,
  };
  tx.paymentIntents.add(intent, intent.customer === null ? [] : [`customer:${idOf(intent.customer)}`]);
  recordEvent(tx, 'payment_intent.created', intent);
  if (!params.confirm) return ok(intent);
  // The token has become this PaymentIntent's payment method: confirming with it again would make another.
  return confirm(call, intent, { ...params, payment_method: undefined });
}

const CONFIRMABLE = ['requires_payment_method', 'requires_confirmation', 'requires_action'];

/**
 * See https://docs.stripe.com/api/payment_intents/confirm
 * @throws StripeProblem `payment_intent_unexpected_state`; 400 without the `return_url` that redirects need
 */
function confirm({ tx, baseUrl }: Call, intent: Stripe.PaymentIntent, params: ConfirmParams): Outcome {
  requireCards(params);
  if (!CONFIRMABLE.includes(intent.status)) {
    const why =
      intent.status === 'succeeded'
        ? 'it has already succeeded after being previously confirmed'
        : `it has a status of ${intent.status}`;
    throw unexpectedState(intent, `You cannot confirm this PaymentIntent because ${why}.`);
  }
  const chosen = params.payment_method ?? idOf(intent.payment_method);
  if (chosen === null) throw unexpectedState(intent, missingMethod('PaymentIntent'));
  requireReturnUrl('PaymentIntent', intent, params.return_url);
  const method = usePaymentMethod(tx, chosen, 'payment_method');
  requireSameCustomer('PaymentIntent', intent, method);
  const ready = tx.paymentIntents.save({
    ...intent,
    allowed_payment_method_types: params.allowed_payment_method_types ?? intent.allowed_payment_method_types,
    capture_method: params.capture_method ?? intent.capture_method,
    receipt_email: params.receipt_email ?? intent.receipt_email,
    setup_future_usage: params.setup_future_usage ?? intent.setup_future_usage,
    shipping: (params.shipping && fullShipping(params.shipping)) ?? intent.shipping,
  });
  return attemptPayment(tx, ready, method, {
    offSession: params.off_session,
    errorOnRequiresAction: params.error_on_requires_action,
    returnUrl: wayBack(params),
    baseUrl,
  });
}

/** See https://docs.stripe.com/api/payment_intents/update */
function update({ tx, id }: Call, params: UpdateParams): Outcome {
  const intent = tx.paymentIntents.get(id);
  const { expand: _, metadata: change, payment_method: token, payment_method_types: __, shipping, ...plain } = params;
  const open = CONFIRMABLE.includes(intent.status);
  const locked = (['amount', 'currency', 'capture_method', 'customer', 'payment_method'] as const).find(
    (name) => params[name] !== undefined,
  );
  if (!open && locked !== undefined) {
    throw unexpectedState(
      intent,
      `This PaymentIntent's ${locked} could not be updated because it has a status of ${intent.status}. You may only update the ${locked} of a PaymentIntent with one of the following statuses: ${CONFIRMABLE.join(', ')}.`,
    );
  }
  requireChargeable(params.amount ?? intent.amount, params.currency ?? intent.currency);
  if (params.customer !== undefined) {
    existingCustomer(tx, params.customer, 'customer');
    tx.paymentIntents.link(id, `customer:${params.customer}`);
  }
  const method = token && usePaymentMethod(tx, token, 'payment_method').id;
  return ok(
    tx.paymentIntents.save({
      ...intent,
      ...plain,
      ...(method === undefined ? {} : { payment_method: method, status: 'requires_confirmation', next_action: null }),
      shipping: (shipping && fullShipping(shipping)) ?? intent.shipping,
      metadata: changeMetadata(intent.metadata, change),
    }),
  );
}

export const paymentIntentEndpoints: Endpoint[] = [
  post('/v1/payment_intents', createParams, create),
  forBrowsers(
    get(
      '/v1/payment_intents/:id',
      z.strictObject({ client_secret: text().optional(), expand: expand() }),
      (call, params) => {
        const intent = call.tx.paymentIntents.get(call.id);
        requireClientSecret(call, intent, params.client_secret);
        return ok(intent);
      },
    ),
  ),
  post('/v1/payment_intents/:id', updateParams, update),
  forBrowsers(
    post('/v1/payment_intents/:id/confirm', confirmParams, (call, params) => {
      const intent = call.tx.paymentIntents.get(call.id);
      requireClientSecret(call, intent, params.client_secret);
      return confirm(call, intent, params);
    }),
  ),
  post(
    '/v1/payment_intents/:id/capture',
    z.strictObject({
      amount_to_capture: amount().optional(),
      final_capture: choice('true').optional(),
      metadata: metadata().optional(),
      statement_descriptor: descriptive.statement_descriptor,
      statement_descriptor_suffix: descriptive.statement_descriptor_suffix,
      expand: expand(),
    }),
    ({ tx, id }, { amount_to_capture: part, metadata: change, final_capture: _, expand: __, ...descriptors }) => {
      const intent = tx.paymentIntents.get(id);
      const metadata = changeMetadata(intent.metadata, change);
      return ok(capture(tx, { ...intent, ...descriptors, metadata }, part));
    },
  ),
  post(
    '/v1/payment_intents/:id/cancel',
    z.strictObject({
      cancellation_reason: choice('abandoned', 'duplicate', 'fraudulent', 'requested_by_customer').optional(),
      expand: expand(),
    }),
    ({ tx, id }, { cancellation_reason: reason = null }) => ok(cancel(tx, tx.paymentIntents.get(id), reason)),
  ),
  get('/v1/payment_intents', z.strictObject({ ...paging, customer: text().optional() }), ({ tx }, params) =>
    ok(
      page(tx.paymentIntents, '/v1/payment_intents', params, {
        link: params.customer && `customer:${params.customer}`,
        keep: (intent) => params.customer === undefined || intent.customer === params.customer,
      }),
    ),
  ),
];
