import type Stripe from 'stripe';
import { ENDPOINTS } from '../api';
import { type Bench, CARD_PAYMENT, control, refusal, sdkFor, startBench } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
afterEach(() => control(bench.sandbox.url, 'POST', '/sandbox/reset'));

/** A request as a browser sends it. */
async function ask(method: string, pathname: string, params: Record<string, string> = {}, key = 'pk_test_page') {
  const form = new URLSearchParams(params);
  const url = new URL(method === 'GET' ? `${pathname}?${form}` : pathname, bench.sandbox.url);
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' };
  const response = await fetch(url, { method, headers, ...(method === 'POST' && { body: form }) });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

const nextYear = String(new Date().getUTCFullYear() + 1);
const typed = (number: string) => ({
  type: 'card',
  'card[number]': number,
  'card[exp_month]': '12',
  'card[exp_year]': nextYear,
  'card[cvc]': '123',
});

it('a publishable key makes payment methods, and sees and confirms intents: all else wants a secret one', async () => {
  const open: string[] = [];
  for (const { method, path } of ENDPOINTS) {
    const { status, body } = await ask(method, path.replaceAll(/:\w+/g, 'x_1'));
    if (status === 403 && body.error.code === 'secret_key_required') continue;
    open.push(`${method} ${path}`);
  }
  expect(open.toSorted()).toEqual([
    'GET /v1/payment_intents/:id',
    'GET /v1/setup_intents/:id',
    'POST /v1/payment_intents/:id/confirm',
    'POST /v1/payment_methods',
    'POST /v1/setup_intents/:id/confirm',
  ]);
  const balance = sdkFor(bench.sandbox.port, { key: 'pk_test_page' }).balance.retrieve();
  expect(await refusal(balance)).toMatchObject({ type: 'StripePermissionError', statusCode: 403 });
});

it('a browser sees an intent only by its secret, and less of it than the server', async () => {
  const payment = await stripe.paymentIntents.create({ amount: 4500, currency: 'eur', metadata: { booking: 'b1' } });
  const { id: customer } = await stripe.customers.create();
  const setup = await stripe.setupIntents.create({ customer, metadata: { user: 'u1' } });
  for (const [name, intent] of Object.entries({ payment_intents: payment, setup_intents: setup })) {
    const at = `/v1/${name}/${intent.id}`;
    expect((await ask('GET', at)).body.error).toMatchObject({ code: 'parameter_missing', param: 'client_secret' });
    const other = await ask('GET', at, { client_secret: `${intent.id}_secret_x` });
    expect(other).toMatchObject({ status: 400, body: { error: { param: 'client_secret' } } });
    const { status, body } = await ask('GET', at, { client_secret: intent.client_secret ?? '' });
    expect([status, body]).toMatchObject([200, { id: intent.id, object: intent.object, status: intent.status }]);
    for (const hidden of ['metadata', 'customer']) expect(body).not.toHaveProperty(hidden);
    const guessed = await ask('POST', `${at}/confirm`, { client_secret: 'x', payment_method: 'pm_card_visa' });
    expect(guessed.body.error.param).toBe('client_secret');
  }
  expect((await stripe.paymentIntents.retrieve(payment.id)).metadata).toEqual({ booking: 'b1' });
});

it('a browser confirms, and of a decline it is told no more either', async () => {
  const { automatic_payment_methods } = CARD_PAYMENT;
  const asked = { amount: 4500, currency: 'eur', automatic_payment_methods, metadata: { booking: 'b1' } };
  const { id, client_secret: secret } = await stripe.paymentIntents.create(asked);
  const confirm = (payment_method: string) =>
    ask('POST', `/v1/payment_intents/${id}/confirm`, { client_secret: secret ?? '', payment_method });
  const declined = await confirm('pm_card_visa_chargeDeclined');
  expect(declined).toMatchObject({
    status: 402,
    body: { error: { code: 'card_declined', payment_intent: { id, status: 'requires_payment_method' } } },
  });
  expect(declined.body.error.payment_intent).not.toHaveProperty('metadata');
  const paid = await confirm('pm_card_visa');
  expect(paid).toMatchObject({ status: 200, body: { status: 'succeeded' } });
  expect(paid.body).not.toHaveProperty('latest_charge');
  const again = await confirm('pm_card_visa');
  expect(again.body.error).toMatchObject({ code: 'payment_intent_unexpected_state', payment_intent: { id } });
  expect(again.body.error.payment_intent).not.toHaveProperty('metadata');
});

it.each([
  ['4242424242424242', 'pm_card_visa'],
  ['5555555555554444', 'pm_card_mastercard'],
  ['4000000000000077', 'pm_card_bypassPending'],
  ['4000000000000002', 'pm_card_visa_chargeDeclined'],
  ['4000000000009995', 'pm_card_visa_chargeDeclinedInsufficientFunds'],
  ['4000000000009987', 'pm_card_visa_chargeDeclinedLostCard'],
  ['4000000000009979', 'pm_card_visa_chargeDeclinedStolenCard'],
  ['4000000000000069', 'pm_card_chargeDeclinedExpiredCard'],
  ['4000000000000127', 'pm_card_chargeDeclinedIncorrectCvc'],
  ['4000000000000119', 'pm_card_chargeDeclinedProcessingError'],
  ['4000000000000341', 'pm_card_chargeCustomerFail'],
  ['4000000000003220', 'pm_card_threeDSecure2Required'],
  ['4000008400001629', 'pm_card_threeDSecureRequiredChargeDeclined'],
  ['4000002500003155', 'pm_card_authenticationRequiredOnSetup'],
  ['4000002760003184', 'pm_card_authenticationRequired'],
  ['4000003800000446', 'pm_card_authenticationRequiredSetupForOffSession'],
  ['4000008260003178', 'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds'],
  ['4000000000005126', 'pm_card_refundFail'],
  ['4000000000007726', 'pm_card_pendingRefund'],
  ['4000000000000259', 'pm_card_createDispute'],
  ['4000000000002685', 'pm_card_createDisputeProductNotReceived'],
  ['4000000000001976', 'pm_card_createDisputeInquiry'],
])('%s, typed, is the card of %s', async (number, token) => {
  const { status, body } = await ask('POST', '/v1/payment_methods', typed(number));
  const { card } = await stripe.paymentMethods.retrieve(token);
  expect([status, body.card]).toMatchObject([200, { fingerprint: card?.fingerprint, last4: number.slice(-4) }]);
});

it('cards that cannot be are refused, and numbers are never taken from servers', async () => {
  const refused = async (change: Record<string, string>) =>
    (await ask('POST', '/v1/payment_methods', { ...typed('4242424242424242'), ...change })).body.error;
  expect(await refused({ 'card[number]': '4242424242424241' })).toMatchObject({ code: 'incorrect_number' });
  expect(await refused({ 'card[number]': '4539578763621486' })).toMatchObject({ code: 'card_declined' });
  expect(await refused({ 'card[exp_month]': '13' })).toMatchObject({ code: 'invalid_expiry_month' });
  expect(await refused({ 'card[exp_year]': '2020' })).toMatchObject({ code: 'invalid_expiry_year' });
  expect(await refused({ 'card[cvc]': '99' })).toMatchObject({ code: 'invalid_cvc' });
  expect(await refused({ 'card[token]': 'tok_visa' })).toMatchObject({ code: 'parameter_unknown' });
  const byServer = await ask('POST', '/v1/payment_methods', typed('4242424242424242'), 'sk_test_server');
  expect(byServer).toMatchObject({ status: 402, body: { error: { type: 'card_error' } } });
  expect(byServer.body.error.message).toContain('generally unsafe');
});
