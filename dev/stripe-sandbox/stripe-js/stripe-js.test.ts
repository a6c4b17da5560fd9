import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type Stripe from 'stripe';
import { type Bench, CARD_PAYMENT, control, startBench, until } from '../test-support';
import { type Frame, openPage, PAGE_ORIGIN, type Page } from './test-browser';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

const KEY = 'pk_test_page';

let bench: Bench;
let stripe: Stripe;
let page: Page;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  page = await openPage(bench.sandbox.url);
});

const nextYear = new Date().getUTCFullYear() + 1;

function type(frame: Frame, values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const field = frame.fields.get(name);
    if (field === undefined) throw new Error(`the frame has no field ${name}`);
    field.value = value;
    field.dispatch('input');
  }
}

/** The page with a card element on it, and what somebody types into that. */
async function pageWith(number: string, more: Record<string, string> = {}, options = {}) {
  const js = page.Stripe(KEY);
  const elements = js.elements(options);
  const element = elements.create('card');
  const changes: (boolean | undefined)[] = [];
  element.on('change', ({ complete }) => changes.push(complete));
  element.mount('#card');
  await until('the frames are there', () => page.frames.length === 2);
  const frame = page.frames.find(({ fields }) => fields.size > 0);
  if (frame === undefined) throw new Error('no frame has fields');
  type(frame, { number, expiry: `12 / ${String(nextYear).slice(2)}`, cvc: '123', ...more });
  return { js, elements, element, frame, changes };
}

const automatic_payment_methods = { enabled: true, allow_redirects: 'never' as const };

async function newSetup() {
  const { id: customer } = await stripe.customers.create();
  const { id, client_secret: secret } = await stripe.setupIntents.create({ customer, automatic_payment_methods });
  return { customer, id, clientSecret: secret ?? '' };
}

/** The customer answers on the bank's page, which comes up in a frame of its own. */
async function answerBank(id: string, action: 'complete' | 'fail'): Promise<void> {
  await until('the bank’s page is there', () => page.bankFrames.length > 0);
  const frame = page.bankFrames.at(-1);
  expect(frame).toMatchObject({ src: `${bench.sandbox.url}/sandbox/3ds/${id}`, isShown: true });
  await control(bench.sandbox.url, 'POST', `/sandbox/3ds/${id}/${action}`);
  frame?.dispatch('load');
  await until('the bank’s page is gone', () => frame?.isShown === false);
}

it('a card typed in a frame becomes a payment method; the page and the database never see its number', async () => {
  const { js, element, changes } = await pageWith('4242 4242 4242 4242');
  await until('the page is told that the card is complete', () => changes.at(-1) === true);
  const billing_details = { name: 'Ada', address: { city: 'Kyiv' } };
  const { paymentMethod } = await js.createPaymentMethod({ type: 'card', card: element, billing_details });
  const made = await stripe.paymentMethods.retrieve(paymentMethod?.id ?? '');
  expect(made).toMatchObject({
    billing_details: { name: 'Ada', address: { city: 'Kyiv' } },
    card: { brand: 'visa', last4: '4242', exp_month: 12, exp_year: nextYear },
    customer: null,
  });
  expect((await stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method: made.id })).status).toBe('succeeded');
  expect(JSON.stringify(page.told)).toContain(made.id);
  const digits = JSON.stringify(page.told).replaceAll(/[ -]/g, '');
  const stored = readdirSync(bench.directory).map((name) => readFileSync(path.join(bench.directory, name), 'latin1'));
  const { body: log } = await control(bench.sandbox.url, 'GET', '/sandbox/requests');
  expect(stored.join('')).toContain(made.id);
  for (const seen of [digits, ...stored, JSON.stringify(log)]) expect(seen).not.toContain('4242424242424242');
});

it('fields that are not complete send nothing, and are emptied', async () => {
  const { js, elements, element, frame, changes } = await pageWith('4242 4242');
  const incomplete = { error: { type: 'validation_error', code: 'incomplete' } };
  expect(await elements.submit()).toMatchObject(incomplete);
  expect(await js.createPaymentMethod({ elements })).toMatchObject(incomplete);
  expect((await js.createPaymentMethod({ elements: js.elements() })).error?.code).toBe('incomplete');
  await until('the page is told', () => changes.length > 0);
  expect(changes).not.toContain(true);
  const { body } = await control(bench.sandbox.url, 'GET', '/sandbox/requests');
  expect(body.requests).toEqual([]);
  type(frame, { number: '4242424242424242' });
  expect(await elements.submit()).toEqual({});
  await element.clear();
  expect([...frame.fields.values()].map(({ value }) => value)).toEqual(['', '', '']);
});

it('what is wrong with a card is said in the words of Stripe', async () => {
  const { js, element, frame } = await pageWith('4242 4242 4242 4241');
  const pay = async () => (await js.createPaymentMethod({ type: 'card', card: element })).error;
  expect(await pay()).toMatchObject({ type: 'card_error', code: 'incorrect_number', param: 'number' });
  type(frame, { number: '4242424242424242', expiry: `12/${nextYear - 2}` });
  expect(await pay()).toMatchObject({
    code: 'invalid_expiry_year',
    message: "Your card's expiration year is invalid.",
  });
  type(frame, { expiry: `12/${nextYear}`, cvc: '1234' });
  expect(await pay()).toMatchObject({ code: 'invalid_cvc', param: 'cvc' });
});

it('a card is set up and kept', async () => {
  const { customer, clientSecret } = await newSetup();
  const { js, element } = await pageWith('4000 0000 0000 0341');
  const { setupIntent } = await js.confirmCardSetup(clientSecret, {
    payment_method: { card: element, billing_details: { name: 'Ada' } },
  });
  expect(setupIntent?.status).toBe('succeeded');
  const kept = (await stripe.customers.listPaymentMethods(customer)).data;
  expect(kept).toMatchObject([
    { id: setupIntent?.payment_method, billing_details: { name: 'Ada' }, card: { last4: '0341' } },
  ]);
  expect((await js.confirmCardSetup(clientSecret, { payment_method: 'pm_card_visa' })).error?.code).toBe(
    'setup_intent_unexpected_state',
  );
});

it('a setup that the bank declines, or whose secret is another, is an error', async () => {
  const { clientSecret } = await newSetup();
  const { js, element } = await pageWith('4000 0000 0000 9995');
  const declined = await js.confirmCardSetup(clientSecret, { payment_method: { card: element } });
  expect(declined.error).toMatchObject({
    type: 'card_error',
    code: 'card_declined',
    decline_code: 'insufficient_funds',
    message: 'Your card has insufficient funds.',
  });
  const stranger = await js.confirmCardSetup(`${clientSecret}x`, { payment_method: 'pm_card_visa' });
  expect(stranger.error?.message).toContain('client_secret');
});

it.each([
  ['complete', { setupIntent: { status: 'succeeded' } }],
  ['fail', { error: { code: 'setup_intent_authentication_failure' } }],
] as const)('3-D Secure comes up over the page, and goes once it is answered: %s', async (action, outcome) => {
  const { id, clientSecret } = await newSetup();
  const { js, element } = await pageWith('4000 0025 0000 3155');
  const confirming = js.confirmCardSetup(clientSecret, { payment_method: { card: element } });
  await answerBank(id, action);
  expect(await confirming).toMatchObject(outcome);
});

it('what a payment made by the server still wants is handled in the page', async () => {
  const { js, element } = await pageWith('4000 0000 0000 3220');
  const { paymentMethod } = await js.createPaymentMethod({ card: element });
  const payment = { ...CARD_PAYMENT, payment_method: paymentMethod?.id ?? '', use_stripe_sdk: true };
  const waiting = await stripe.paymentIntents.create(payment);
  const clientSecret = waiting.client_secret ?? '';
  const handling = js.handleNextAction({ clientSecret });
  await answerBank(waiting.id, 'complete');
  expect(await handling).toMatchObject({ paymentIntent: { id: waiting.id, status: 'succeeded' } });
  expect(await js.handleNextAction({ clientSecret })).toMatchObject({ paymentIntent: { status: 'succeeded' } });
  expect(await js.retrievePaymentIntent(clientSecret)).toMatchObject({ paymentIntent: { id: waiting.id } });
});

it('a bank with a page of its own is gone to', async () => {
  const { js } = await pageWith('');
  const { client_secret: secret, next_action: action } = await stripe.paymentIntents.create({
    ...CARD_PAYMENT,
    payment_method: 'pm_card_threeDSecure2Required',
    return_url: 'https://tutors.example/checkout',
  });
  void js.handleNextAction({ clientSecret: secret ?? '' });
  await until('the page goes there', () => page.visited.length === 1);
  expect(page.visited).toEqual([action?.redirect_to_url?.url]);
});

it('elements set a card up for the setup that they were made for, and the page goes on from there', async () => {
  const { id, clientSecret } = await newSetup();
  const { js, elements } = await pageWith('4242424242424242', {}, { clientSecret });
  const confirmParams = { return_url: 'https://tutors.example/cards?new=1' };
  void js.confirmSetup({ elements, confirmParams });
  await until('the page goes on', () => page.visited.length === 1);
  const params = new URL(page.visited[0] ?? '').searchParams;
  expect(Object.fromEntries(params)).toEqual({
    new: '1',
    redirect_status: 'succeeded',
    setup_intent: id,
    setup_intent_client_secret: clientSecret,
  });
  const again = await newSetup();
  const staying = { elements, clientSecret: again.clientSecret, confirmParams, redirect: 'if_required' };
  expect((await js.confirmSetup(staying)).setupIntent?.status).toBe('succeeded');
  expect(page.visited).toHaveLength(1);
});

it('a page believes only its own frames, and a frame only its own page', async () => {
  const { js, element, frame } = await pageWith('4242424242424242');
  const elsewhere = 'https://evil.example';
  await control(bench.sandbox.url, 'POST', '/sandbox/faults', { kind: 'hang', ms: 200 });
  const making = js.createPaymentMethod({ card: element });
  const asked = async () => (await control(bench.sandbox.url, 'GET', '/sandbox/requests')).body.requests;
  await until('the question is under way', async () => (await asked()).length === 1);
  for (let answers = 0; answers < 9; answers += 1) {
    const data = { answers, result: { paymentMethod: { id: 'pm_forged' } } };
    page.window.dispatch('message', { data, origin: elsewhere, source: frame.asSeenByPage });
    page.window.dispatch('message', { data, origin: bench.sandbox.url, source: {} });
  }
  expect((await making).paymentMethod?.id).toMatch(/^pm_\w{24}$/);
  const data = { question: 99, action: 'createPaymentMethod', params: {} };
  frame.window.dispatch('message', { data, origin: elsewhere, source: frame.parent });
  frame.window.dispatch('message', { data, origin: PAGE_ORIGIN, source: {} });
  expect(await js.createPaymentMethod({ card: element })).toHaveProperty('paymentMethod');
  expect(await asked()).toHaveLength(2);
});

it('a secret key has no business in a page', () => {
  for (const key of ['sk_test_page', '']) expect(() => page.Stripe(key)).toThrow('publishable key');
});

it('what is in the frame may talk to the sandbox alone; the script is for every page', async () => {
  const frame = await fetch(`${bench.sandbox.url}/stripe-js/frame?key=${KEY}&element=card`);
  const policy = frame.headers.get('content-security-policy')?.split('; ');
  expect(policy).toEqual([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    'frame-ancestors http: https:',
  ]);
  const html = await frame.text();
  expect(html).not.toMatch(/<script>|<style>|style=|\son\w+=/);
  expect(html).not.toContain(KEY);
  const script = await fetch(`${bench.sandbox.url}/stripe.js`);
  expect(Object.fromEntries(script.headers)).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
  });
  for (const name of ['frame.js', 'frame.css']) {
    expect((await fetch(`${bench.sandbox.url}/stripe-js/${name}`)).status).toBe(200);
  }
});
