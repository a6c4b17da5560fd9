/** SetupIntents: a card is kept for later payments. See https://docs.stripe.com/api/setup_intents */
import type Stripe from 'stripe';
import { z } from 'zod';
import { badParameter } from '../memory/errors';
import { newId, randomText } from '../memory/ids';
import type { Tx } from '../memory/unit-of-work';
import { type Call, type Endpoint, forBrowsers, get, type Outcome, ok, post } from '../wire/endpoint';
import { changeMetadata, choice, clearableText, expand, flag, metadata, paging, text } from '../wire/form';
import { requireClientSecret } from '../wire/keys';
import { page } from '../wire/lists';
import { idOf } from './charges';
import { recordEvent } from './events';
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
import { attemptSetup, cancelSetup, unexpectedSetupState } from './setup-lifecycle';

const descriptive = {
  customer: text().optional(),
  description: clearableText(1000).optional(),
  metadata: metadata().optional(),
};

/** Parameters of one attempt to set a card up. */
const attemptable = { return_url: returnUrl, use_stripe_sdk: flag().optional() };

const createParams = z.strictObject({
  ...methodTypes,
  ...attemptable,
  ...descriptive,
  automatic_payment_methods: automaticMethods,
  confirm: flag().optional(),
  payment_method: text().optional(),
  usage: choice('off_session', 'on_session').optional(),
  expand: expand(),
});
type CreateParams = z.output<typeof createParams>;

const confirmParams = z.strictObject({
  ...methodTypes,
  ...attemptable,
  client_secret: text().optional(),
  payment_method: text().optional(),
  expand: expand(),
});
type ConfirmParams = z.output<typeof confirmParams>;

const updateParams = z.strictObject({
  ...methodTypes,
  ...descriptive,
  payment_method: text().optional(),
  expand: expand(),
});
type UpdateParams = z.output<typeof updateParams>;

function requireConsistent(params: CreateParams): void {
  requireCards(params);
  const early = params.confirm
    ? undefined
    : (['return_url', 'use_stripe_sdk'] as const).find((name) => params[name] !== undefined);
  if (early === undefined) return;
  throw badParameter(
    `The parameter \`${early}\` cannot be passed when creating a SetupIntent unless \`confirm\` is set to true.`,
    early,
    'setup_intent_invalid_parameter',
  );
}

/** The payment method that is named, or that a token makes. @throws StripeProblem if it is somebody else's */
function chosen(tx: Tx, intent: Stripe.SetupIntent, name: string): Stripe.PaymentMethod {
  const method = usePaymentMethod(tx, name, 'payment_method');
  requireSameCustomer('SetupIntent', intent, method);
  return method;
}

/** See https://docs.stripe.com/api/setup_intents/create */
function create(call: Call, params: CreateParams): Outcome {
  const { tx } = call;
  requireConsistent(params);
  if (params.customer !== undefined) existingCustomer(tx, params.customer, 'customer');
  const id = newId('seti');
  const blank: Stripe.SetupIntent = {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: params.allowed_payment_method_types ?? null,
    application: null,
    automatic_payment_methods: automaticMethodsOf(params.automatic_payment_methods),
    cancellation_reason: null,
    client_secret: `${id}_secret_${randomText(25)}`,
    created: tx.seconds,
    customer: params.customer ?? null,
    customer_account: null,
    description: params.description ?? null,
    excluded_payment_method_types: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    managed_payments: null,
    mandate: null,
    metadata: changeMetadata({}, params.metadata),
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: { card: { mandate_options: null, network: null, request_three_d_secure: 'automatic' } },
    payment_method_types: ['card'],
    single_use_mandate: null,
    status: 'requires_payment_method',
    usage: params.usage ?? 'off_session',
  };
  const method = params.payment_method === undefined ? undefined : chosen(tx, blank, params.payment_method);
  const intent: Stripe.SetupIntent =
    method === undefined ? blank : { ...blank, payment_method: method.id, status: 'requires_confirmation' };
  tx.setupIntents.add(intent, intent.customer === null ? [] : [`customer:${idOf(intent.customer)}`]);
  recordEvent(tx, 'setup_intent.created', intent);
  // The token has become this SetupIntent's payment method: confirming with it again would make another.
  return params.confirm ? confirm(call, intent, { ...params, payment_method: undefined }) : ok(intent);
}

const CONFIRMABLE = ['requires_payment_method', 'requires_confirmation', 'requires_action'];

/**
 * See https://docs.stripe.com/api/setup_intents/confirm
 * @throws StripeProblem `setup_intent_unexpected_state`; 400 without the `return_url` that redirects need
 */
function confirm({ tx, baseUrl }: Call, intent: Stripe.SetupIntent, params: ConfirmParams): Outcome {
  requireCards(params);
  const name = params.payment_method ?? idOf(intent.payment_method);
  if (name === null) throw unexpectedSetupState(intent, missingMethod('SetupIntent'));
  if (!CONFIRMABLE.includes(intent.status)) {
    const why = intent.status === 'succeeded' ? 'it has already succeeded' : 'it has been canceled';
    throw unexpectedSetupState(intent, `You cannot confirm this SetupIntent because ${why}.`);
  }
  requireReturnUrl('SetupIntent', intent, params.return_url);
  const method = chosen(tx, intent, name);
  const ready = tx.setupIntents.save({
    ...intent,
    allowed_payment_method_types: params.allowed_payment_method_types ?? intent.allowed_payment_method_types,
  });
  return attemptSetup(tx, ready, method, { returnUrl: wayBack(params), baseUrl });
}

/** See https://docs.stripe.com/api/setup_intents/update */
function update({ tx, id }: Call, params: UpdateParams): Outcome {
  const intent = tx.setupIntents.get(id);
  const { expand: _, metadata: change, payment_method: name, payment_method_types: __, ...plain } = params;
  requireCards(params);
  if (name !== undefined && !CONFIRMABLE.includes(intent.status)) {
    const why = intent.status === 'succeeded' ? 'it has already succeeded' : 'it has been canceled';
    throw unexpectedSetupState(intent, `You cannot update this SetupIntent because ${why}.`);
  }
  if (params.customer !== undefined) {
    existingCustomer(tx, params.customer, 'customer');
    tx.setupIntents.link(id, `customer:${params.customer}`);
  }
  const changed = { ...intent, ...plain, metadata: changeMetadata(intent.metadata ?? {}, change) };
  const method = name === undefined ? undefined : chosen(tx, changed, name);
  return ok(
    tx.setupIntents.save({
      ...changed,
      ...(method && { payment_method: method.id, status: 'requires_confirmation', next_action: null }),
    }),
  );
}

export const setupIntentEndpoints: Endpoint[] = [
  post('/v1/setup_intents', createParams, create),
  forBrowsers(
    get(
      '/v1/setup_intents/:id',
      z.strictObject({ client_secret: text().optional(), expand: expand() }),
      (call, params) => {
        const intent = call.tx.setupIntents.get(call.id);
        requireClientSecret(call, intent, params.client_secret);
        return ok(intent);
      },
    ),
  ),
  post('/v1/setup_intents/:id', updateParams, update),
  forBrowsers(
    post('/v1/setup_intents/:id/confirm', confirmParams, (call, params) => {
      const intent = call.tx.setupIntents.get(call.id);
      requireClientSecret(call, intent, params.client_secret);
      return confirm(call, intent, params);
    }),
  ),
  post(
    '/v1/setup_intents/:id/cancel',
    z.strictObject({
      cancellation_reason: choice('abandoned', 'duplicate', 'requested_by_customer').optional(),
      expand: expand(),
    }),
    ({ tx, id }, { cancellation_reason: reason = null }) => ok(cancelSetup(tx, tx.setupIntents.get(id), reason)),
  ),
  get(
    '/v1/setup_intents',
    z.strictObject({ ...paging, customer: text().optional(), payment_method: text().optional() }),
    ({ tx }, params) => {
      const { customer, payment_method: method } = params;
      return ok(
        page(tx.setupIntents, '/v1/setup_intents', params, {
          link: customer && `customer:${customer}`,
          keep: (intent) =>
            (customer === undefined || intent.customer === customer) &&
            (method === undefined || intent.payment_method === method),
        }),
      );
    },
  ),
];
