import type Stripe from 'stripe';
import { z } from 'zod';
import { noSuch, refused, StripeProblem } from '../memory/errors';
import { newId } from '../memory/ids';
import type { Tx } from '../memory/unit-of-work';
import { type Call, type Endpoint, forBrowsers, get, noParams, ok, post } from '../wire/endpoint';
import {
  address,
  changeMetadata,
  choice,
  clearableText,
  expand,
  fullAddress,
  type MetadataChange,
  metadata,
  paging,
  text,
  wholeNumber,
} from '../wire/form';
import { page } from '../wire/lists';
import { recordEvent } from './events';
import { cardWith, type Decline, fingerprintOf, TEST_CARDS, type TestCard } from './test-cards';
import { typedCard } from './typed-cards';

/**
 * The payment method a parameter names. Like Stripe, each use of a test token such as `pm_card_visa` makes a new one.
 * @throws StripeProblem `resource_missing`, or 400 if it was taken away from a customer
 */
export function usePaymentMethod(tx: Tx, idOrToken: string, param: string): Stripe.PaymentMethod {
  const card = TEST_CARDS.get(idOrToken);
  if (card === undefined) return requireUsable(tx, tx.paymentMethods.get(idOrToken, param));
  return tx.paymentMethods.add(describe(tx, newId('pm'), idOrToken, card));
}

/** "After a PaymentMethod is detached, it can no longer be used for a payment": https://docs.stripe.com/api/payment_methods/detach */
function requireUsable(tx: Tx, method: Stripe.PaymentMethod): Stripe.PaymentMethod {
  if (tx.paymentMethods.list({ link: `detached:${method.id}` }).next().done) return method;
  throw refused(
    'The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.',
  );
}

/**
 * A customer that was not deleted: Stripe still shows a deleted one when asked for it directly, and nowhere else.
 * @throws StripeProblem `resource_missing`
 */
export function existingCustomer(tx: Tx, id: string, param?: string): Stripe.Customer {
  const customer = tx.customers.get(id, param);
  if (customer.deleted) throw noSuch('customer', id, param);
  return customer;
}

/** How the card behind a payment method behaves. */
export function cardOf(method: Stripe.PaymentMethod): TestCard {
  return cardWith(method.card?.fingerprint);
}

function describe(
  tx: Tx,
  id: string,
  token: string,
  card: TestCard,
  expiry: { exp_month?: number; exp_year?: number } = {},
): Stripe.PaymentMethod {
  return {
    id,
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: card.brand,
      exp_month: 8,
      exp_year: new Date(tx.unit.now).getUTCFullYear() + 1,
      ...expiry,
      fingerprint: fingerprintOf(token),
      funding: card.funding,
      generated_from: null,
      last4: card.number.slice(-4),
      networks: { available: [card.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: tx.seconds,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
  };
}

/** The error of a declined card, without the payment it belongs to. See https://docs.stripe.com/declines/codes */
export function declineFields(decline: Decline, method: Stripe.PaymentMethod) {
  return {
    type: 'card_error' as const,
    code: decline.code,
    decline_code: decline.declineCode,
    message: decline.message,
    payment_method: method,
  };
}

/**
 * Attaches a payment method to a customer. Stripe asks the bank first, so a card that declines cannot be attached.
 * @throws StripeProblem 402 `card_declined`, or 400 if it already belongs to somebody else
 */
export function attach(tx: Tx, method: Stripe.PaymentMethod, customer: string): Stripe.PaymentMethod {
  if (method.customer === customer) return method;
  if (method.customer !== null) {
    throw refused('The payment method you provided has already been attached to a customer.');
  }
  const { declines, attachable } = cardOf(method);
  if (declines !== undefined && !attachable) {
    throw new StripeProblem(402, declineFields(declines, method), { executed: true });
  }
  const attached = tx.paymentMethods.save({ ...method, customer });
  tx.paymentMethods.link(method.id, `customer:${customer}`);
  recordEvent(tx, 'payment_method.attached', attached);
  return attached;
}

function detach(tx: Tx, method: Stripe.PaymentMethod): Stripe.PaymentMethod {
  if (method.customer === null) {
    throw refused('The payment method you provided is not attached to a customer so detachment is impossible.');
  }
  const detached = tx.paymentMethods.save({ ...method, customer: null });
  tx.paymentMethods.link(method.id, `detached:${method.id}`);
  recordEvent(tx, 'payment_method.detached', detached, method);
  return detached;
}

/** Detaches all of a customer's payment methods, as deleting the customer does. */
export function detachAll(tx: Tx, customer: string): void {
  for (const method of [...tx.paymentMethods.list({ link: `customer:${customer}` })]) {
    if (method.customer === customer) detach(tx, method);
  }
}

function listOf(tx: Tx, customer: string, url: string, params: Parameters<typeof page>[2]) {
  return page(tx.paymentMethods, url, params, {
    link: `customer:${customer}`,
    keep: (method) => method.customer === customer,
  });
}

const onlyCards = { type: choice('card').optional() };

/** A test token, or what was typed. */
const cardParams = z.union([
  z.strictObject({ token: text() }),
  z.strictObject({
    number: text(30),
    exp_month: wholeNumber(0, 99),
    exp_year: wholeNumber(0, 9999),
    cvc: text(4).optional(),
  }),
]);

interface NewMethod {
  card: z.output<typeof cardParams>;
  metadata?: MetadataChange;
  billing_details?: z.output<typeof billingDetails>;
}

const billingDetails = z.strictObject({
  address: address().optional(),
  email: clearableText(800).optional(),
  name: clearableText().optional(),
  phone: clearableText(100).optional(),
});

/** Which test card is meant, and until when it is good if that was said. */
function cardGiven({ tx, key }: Call, given: NewMethod['card']) {
  if (!('token' in given)) {
    return { ...typedCard(tx, key, given), expiry: { exp_month: given.exp_month, exp_year: given.exp_year } };
  }
  const token = given.token.replace(/^tok_/, 'pm_card_');
  const card = TEST_CARDS.get(token);
  if (card === undefined) throw noSuch('token', given.token, 'card[token]');
  return { token, card, expiry: {} };
}

/** A card from a test token such as `tok_visa`, which is what `pm_card_visa` is to payment methods, or from what was typed. */
function create(call: Call, params: NewMethod) {
  const { tx } = call;
  const { token, card, expiry } = cardGiven(call, params.card);
  const method = describe(tx, newId('pm'), token, card, expiry);
  const { address: home, ...person } = params.billing_details ?? {};
  return ok(
    tx.paymentMethods.add({
      ...method,
      billing_details: {
        ...method.billing_details,
        ...person,
        address: home === undefined ? null : fullAddress(home),
      },
      metadata: changeMetadata({}, params.metadata),
    }),
  );
}

export const paymentMethodEndpoints: Endpoint[] = [
  forBrowsers(
    post(
      '/v1/payment_methods',
      z.strictObject({
        type: choice('card'),
        card: cardParams,
        billing_details: billingDetails.optional(),
        metadata: metadata().optional(),
        expand: expand(),
      }),
      create,
    ),
  ),
  get('/v1/payment_methods/:id', noParams, ({ tx, id }) => {
    const card = TEST_CARDS.get(id);
    return ok(card === undefined ? tx.paymentMethods.get(id) : describe(tx, id, id, card));
  }),
  get('/v1/payment_methods', z.strictObject({ ...paging, ...onlyCards, customer: text() }), ({ tx }, params) =>
    ok(listOf(tx, params.customer, '/v1/payment_methods', params)),
  ),
  get('/v1/customers/:id/payment_methods', z.strictObject({ ...paging, ...onlyCards }), ({ tx, id }, params) => {
    existingCustomer(tx, id);
    return ok(listOf(tx, id, `/v1/customers/${id}/payment_methods`, params));
  }),
  post(
    '/v1/payment_methods/:id/attach',
    z.strictObject({ customer: text(), expand: expand() }),
    ({ tx, id }, { customer }) => {
      existingCustomer(tx, customer, 'customer');
      const method = TEST_CARDS.has(id) ? undefined : tx.paymentMethods.get(id);
      return ok(attach(tx, usePaymentMethod(tx, method?.id ?? id, 'id'), customer));
    },
  ),
  post('/v1/payment_methods/:id/detach', noParams, ({ tx, id }) => ok(detach(tx, tx.paymentMethods.get(id)))),
];
