import type Stripe from 'stripe';
import { type Bench, CARD_PAYMENT, control, refusal, startBench } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());

const secured = { ...CARD_PAYMENT, payment_method: 'pm_card_threeDSecure2Required' };

function page(id: string, action: string): Promise<{ status: number; body: unknown }> {
  return control(bench.sandbox.url, 'POST', `/sandbox/3ds/${id}/${action}`);
}

it('a payment waits for authentication and succeeds once it is complete', async () => {
  const intent = await stripe.paymentIntents.create(secured);
  expect(intent).toMatchObject({
    status: 'requires_action',
    latest_charge: null,
    next_action: { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect' } },
  });
  expect(await page(intent.id, 'complete')).toMatchObject({ status: 200, body: { status: 'succeeded' } });
  const paid = await stripe.paymentIntents.retrieve(intent.id, { expand: ['latest_charge'] });
  expect(paid).toMatchObject({ status: 'succeeded', next_action: null, amount_received: 4500 });
  expect(paid.latest_charge).toMatchObject({
    payment_method_details: { card: { three_d_secure: { result: 'authenticated' } } },
  });
});

it('an authorisation can be captured after authentication', async () => {
  const { id } = await stripe.paymentIntents.create({ ...secured, capture_method: 'manual' });
  await page(id, 'complete');
  expect((await stripe.paymentIntents.retrieve(id)).status).toBe('requires_capture');
  expect((await stripe.paymentIntents.capture(id)).status).toBe('succeeded');
});

it('a failed authentication asks for another payment method', async () => {
  const { id } = await stripe.paymentIntents.create(secured);
  await page(id, 'fail');
  expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
    status: 'requires_payment_method',
    next_action: null,
    payment_method: null,
    latest_charge: null,
    last_payment_error: { code: 'payment_intent_authentication_failure', type: 'invalid_request_error' },
  });
});

it('the bank may still decline after authentication', async () => {
  const payment_method = 'pm_card_threeDSecureRequiredChargeDeclined';
  const { id } = await stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method });
  await page(id, 'complete');
  expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
    status: 'requires_payment_method',
    last_payment_error: { code: 'card_declined' },
  });
});

it('authentication happens once: a second answer, or one after a cancel, is refused', async () => {
  const { id } = await stripe.paymentIntents.create(secured);
  const answers = await Promise.all([page(id, 'complete'), page(id, 'complete'), page(id, 'fail')]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
  expect((await stripe.charges.list({ payment_intent: id })).data).toHaveLength(1);
  const other = await stripe.paymentIntents.create(secured);
  await stripe.paymentIntents.cancel(other.id);
  expect(await page(other.id, 'complete')).toMatchObject({
    status: 400,
    body: { error: { code: 'payment_intent_unexpected_state' } },
  });
  expect((await page('pi_nope', 'complete')).status).toBe(404);
});

it('a person sees what they pay, chooses, and is sent back with the outcome', async () => {
  const intent = await stripe.paymentIntents.create({ ...secured, return_url: 'https://example.com/back?a=1' });
  expect(intent.next_action).toMatchObject({
    type: 'redirect_to_url',
    redirect_to_url: { return_url: 'https://example.com/back?a=1' },
  });
  const url = intent.next_action?.redirect_to_url?.url ?? '';
  const html = await (await fetch(url)).text();
  expect(html).toContain('€45.00');
  const [action] = html.match(/\/sandbox\/3ds\/\w+\/complete/) ?? [''];
  const answer = await fetch(new URL(action, url), {
    method: 'POST',
    headers: { accept: 'text/html' },
    redirect: 'manual',
  });
  expect(answer.status).toBe(303);
  const back = new URL(answer.headers.get('location') ?? '');
  expect(Object.fromEntries(back.searchParams)).toEqual({
    a: '1',
    payment_intent: intent.id,
    payment_intent_client_secret: intent.client_secret,
    redirect_status: 'succeeded',
  });
  expect(await (await fetch(url)).text()).not.toContain('<button>');
});

it('a customer who is not there cannot authenticate', async () => {
  const error = await refusal(stripe.paymentIntents.create({ ...secured, off_session: true }));
  expect(error).toMatchObject({ statusCode: 402, code: 'authentication_required' });
  expect(error.payment_intent?.status).toBe('requires_payment_method');
});
