import type Stripe from 'stripe';
import { type Bench, CARD_PAYMENT, control, refusal, startBench } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;
let customer: string;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  customer = (await stripe.customers.create({ email: 'ada@example.com' })).id;
});

const automatic_payment_methods = { enabled: true, allow_redirects: 'never' as const };

const setUp = (payment_method: string, more: Stripe.SetupIntentCreateParams = {}) =>
  stripe.setupIntents.create({ customer, payment_method, confirm: true, automatic_payment_methods, ...more });

const bank = (id: string, action: 'complete' | 'fail') =>
  control(bench.sandbox.url, 'POST', `/sandbox/3ds/${id}/${action}`);

const saved = async () => (await stripe.customers.listPaymentMethods(customer)).data;

const payWith = (payment_method: string, more: object = {}) =>
  stripe.paymentIntents.create({ ...CARD_PAYMENT, customer, payment_method, ...more });

/** What was told of setups and of cards, the oldest first. */
async function told(): Promise<string[]> {
  const { data } = await stripe.events.list({ limit: 100 });
  return data
    .map(({ type }) => type)
    .filter((type) => /^(setup_intent|payment_method)\./.test(type))
    .reverse();
}

it('a card is set up and kept by its customer, for payments on and off session', async () => {
  const intent = await stripe.setupIntents.create({ customer, automatic_payment_methods, metadata: { user: 'u1' } });
  expect(intent).toMatchObject({
    id: expect.stringMatching(/^seti_/),
    object: 'setup_intent',
    client_secret: expect.stringContaining(`${intent.id}_secret_`),
    customer,
    last_setup_error: null,
    mandate: null,
    metadata: { user: 'u1' },
    payment_method: null,
    status: 'requires_payment_method',
    usage: 'off_session',
  });
  const done = await stripe.setupIntents.confirm(intent.id, { payment_method: 'pm_card_visa' });
  expect(done).toMatchObject({ status: 'succeeded', next_action: null });
  expect(await told()).toEqual(['setup_intent.created', 'payment_method.attached', 'setup_intent.succeeded']);
  expect(await saved()).toMatchObject([{ id: done.payment_method, customer, card: { last4: '4242' } }]);
  expect((await stripe.paymentMethods.list({ customer })).data).toHaveLength(1);
  const card = String(done.payment_method);
  expect((await payWith(card)).status).toBe('succeeded');
  expect((await payWith(card, { off_session: true })).status).toBe('succeeded');
  const whole = await stripe.setupIntents.retrieve(intent.id, { expand: ['customer', 'payment_method'] });
  expect(whole).toMatchObject({ customer: { id: customer }, payment_method: { id: card } });
});

it('a bank may want authentication first: the card is kept once it is complete', async () => {
  const waiting = await setUp('pm_card_threeDSecure2Required');
  expect(waiting).toMatchObject({ status: 'requires_action', next_action: { type: 'use_stripe_sdk' } });
  expect(await saved()).toEqual([]);
  expect(await bank(waiting.id, 'complete')).toMatchObject({ status: 200, body: { status: 'succeeded' } });
  expect(await saved()).toHaveLength(1);
  expect(await told()).toEqual([
    'setup_intent.created',
    'setup_intent.requires_action',
    'payment_method.attached',
    'setup_intent.succeeded',
  ]);
  expect(await bank(waiting.id, 'complete')).toMatchObject({
    status: 400,
    body: { error: { code: 'setup_intent_unexpected_state', setup_intent: { id: waiting.id } } },
  });
});

it('a failed authentication keeps nothing and asks for another card', async () => {
  const { id } = await setUp('pm_card_authenticationRequired');
  await bank(id, 'fail');
  expect(await stripe.setupIntents.retrieve(id)).toMatchObject({
    status: 'requires_payment_method',
    payment_method: null,
    next_action: null,
    last_setup_error: { code: 'setup_intent_authentication_failure', type: 'invalid_request_error' },
  });
  expect(await saved()).toEqual([]);
  expect((await told()).at(-1)).toBe('setup_intent.setup_failed');
  expect((await stripe.setupIntents.confirm(id, { payment_method: 'pm_card_visa' })).status).toBe('succeeded');
});

it('a browser is sent to the bank and back', async () => {
  const automatic = { enabled: true };
  const asked = { automatic_payment_methods: automatic, return_url: 'https://example.com/cards?tab=1' };
  const intent = await setUp('pm_card_threeDSecure2Required', asked);
  const { url = '' } = intent.next_action?.redirect_to_url ?? {};
  const accept = { headers: { accept: 'text/html' } };
  const page = await (await fetch(url ?? '', accept)).text();
  expect(page).toContain('Confirm that your card is kept');
  expect(page).toContain(`/sandbox/3ds/${intent.id}/complete`);
  const back = await fetch(`${url}/complete`, { method: 'POST', redirect: 'manual', ...accept });
  const to = new URL(back.headers.get('location') ?? '');
  expect([back.status, to.origin, Object.fromEntries(to.searchParams)]).toEqual([
    303,
    'https://example.com',
    {
      tab: '1',
      redirect_status: 'succeeded',
      setup_intent: intent.id,
      setup_intent_client_secret: intent.client_secret,
    },
  ]);
  const shown = await setUp('pm_card_threeDSecure2Required', { ...asked, use_stripe_sdk: true });
  expect(shown.next_action).toMatchObject({ type: 'use_stripe_sdk' });
  const noWayBack = setUp('pm_card_visa', { automatic_payment_methods: automatic });
  expect((await refusal(noWayBack)).message).toContain('you must provide a `return_url`');
});

it('a declined card is not kept, and the setup goes on with another', async () => {
  const intent = await stripe.setupIntents.create({ customer, automatic_payment_methods });
  const declined = await refusal(
    stripe.setupIntents.confirm(intent.id, { payment_method: 'pm_card_visa_chargeDeclinedInsufficientFunds' }),
  );
  expect(declined).toMatchObject({
    type: 'StripeCardError',
    statusCode: 402,
    code: 'card_declined',
    decline_code: 'insufficient_funds',
    setup_intent: { id: intent.id, status: 'requires_payment_method' },
  });
  expect(await stripe.setupIntents.retrieve(intent.id)).toMatchObject({
    payment_method: null,
    last_setup_error: { decline_code: 'insufficient_funds' },
  });
  expect(await saved()).toEqual([]);
  expect((await stripe.setupIntents.confirm(intent.id, { payment_method: 'pm_card_visa' })).status).toBe('succeeded');
});

it('a card that is kept may decline later', async () => {
  const { payment_method: card } = await setUp('pm_card_chargeCustomerFail');
  expect(await saved()).toHaveLength(1);
  const off = payWith(String(card), { off_session: true });
  expect(await refusal(off)).toMatchObject({ statusCode: 402, decline_code: 'generic_decline' });
});

/** Where the bank wants authentication, nobody is there off session to give it. */
const NOT_THERE = { statusCode: 402, code: 'authentication_required' };

it('a card that wants authentication unless it was set up goes without off session, and never on session', async () => {
  const token = 'pm_card_authenticationRequiredOnSetup';
  const { id: attached } = await stripe.paymentMethods.attach(token, { customer });
  expect(await refusal(payWith(attached, { off_session: true }))).toMatchObject(NOT_THERE);
  const on = await setUp(attached, { usage: 'on_session' });
  await bank(on.id, 'complete');
  expect(await refusal(payWith(attached, { off_session: true }))).toMatchObject(NOT_THERE);
  const off = await setUp(attached);
  expect(off.status).toBe('requires_action');
  await bank(off.id, 'complete');
  expect((await payWith(attached, { off_session: true })).status).toBe('succeeded');
  expect((await payWith(attached)).status).toBe('requires_action');
});

it('a payment sets a card up as well', async () => {
  const paying = await payWith('pm_card_authenticationRequiredOnSetup', { setup_future_usage: 'off_session' });
  await bank(paying.id, 'complete');
  const [card] = await saved();
  expect((await payWith(card?.id ?? '', { off_session: true })).status).toBe('succeeded');
});

it('a card that counts as set up wants authentication on session alone', async () => {
  const { payment_method: card, status } = await setUp('pm_card_authenticationRequiredSetupForOffSession');
  expect(status).toBe('succeeded');
  expect((await payWith(String(card), { off_session: true })).status).toBe('succeeded');
  expect((await payWith(String(card))).status).toBe('requires_action');
});

it('a card that always wants authentication is no good off session, and one without funds never', async () => {
  const always = await setUp('pm_card_authenticationRequired');
  await bank(always.id, 'complete');
  const [first] = await saved();
  expect(await refusal(payWith(first?.id ?? '', { off_session: true }))).toMatchObject(NOT_THERE);
  const empty = await setUp('pm_card_authenticationRequiredChargeDeclinedInsufficientFunds');
  await bank(empty.id, 'complete');
  const [second] = await saved();
  const paying = payWith(second?.id ?? '', { off_session: true });
  expect(await refusal(paying)).toMatchObject({ statusCode: 402, decline_code: 'insufficient_funds' });
});

it('a card that was taken away pays nothing more and cannot be kept again', async () => {
  const { payment_method: card } = await setUp('pm_card_visa');
  const id = String(card);
  expect((await stripe.paymentMethods.detach(id)).customer).toBeNull();
  expect(await saved()).toEqual([]);
  for (const use of [payWith(id), setUp(id), stripe.paymentMethods.attach(id, { customer })]) {
    expect(await refusal(use)).toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('may not be used again'),
    });
  }
});

it('somebody else’s card is refused', async () => {
  const other = await stripe.customers.create();
  const { id: theirs } = await stripe.paymentMethods.attach('pm_card_visa', { customer: other.id });
  expect(await refusal(setUp(theirs))).toMatchObject({ statusCode: 400, param: 'payment_method' });
  const nobody = await stripe.setupIntents.create({ automatic_payment_methods });
  const confirming = stripe.setupIntents.confirm(nobody.id, { payment_method: theirs });
  expect((await refusal(confirming)).message).toContain('Please include the Customer');
  const unknown = stripe.setupIntents.create({ customer: 'cus_nope' });
  expect(await refusal(unknown)).toMatchObject({ code: 'resource_missing', param: 'customer' });
});

it('a setup is given up, and is over then as it is once it has succeeded', async () => {
  const open = await stripe.setupIntents.create({ customer, payment_method: 'pm_card_visa' });
  expect(open.status).toBe('requires_confirmation');
  const canceled = await stripe.setupIntents.cancel(open.id, { cancellation_reason: 'abandoned' });
  expect(canceled).toMatchObject({ status: 'canceled', cancellation_reason: 'abandoned' });
  expect((await told()).at(-1)).toBe('setup_intent.canceled');
  const unexpected = { statusCode: 400, code: 'setup_intent_unexpected_state' };
  expect(await refusal(stripe.setupIntents.confirm(open.id))).toMatchObject({
    ...unexpected,
    message: expect.stringContaining('it has been canceled'),
  });
  expect((await refusal(stripe.setupIntents.cancel(open.id))).message).toContain('it is already canceled');
  const { id } = await setUp('pm_card_visa');
  expect(await refusal(stripe.setupIntents.confirm(id))).toMatchObject({
    ...unexpected,
    message: 'You cannot confirm this SetupIntent because it has already succeeded.',
    setup_intent: { id },
  });
  expect(await refusal(stripe.setupIntents.cancel(id))).toMatchObject(unexpected);
  const changing = stripe.setupIntents.update(id, { payment_method: 'pm_card_visa' });
  expect(await refusal(changing)).toMatchObject(unexpected);
  expect((await stripe.setupIntents.update(id, { metadata: { a: '1' } })).metadata).toEqual({ a: '1' });
});

it('a setup without a card is not confirmed, and is changed and found', async () => {
  const { id } = await stripe.setupIntents.create({ automatic_payment_methods });
  expect((await refusal(stripe.setupIntents.confirm(id))).message).toContain("it's missing a payment method");
  const changed = await stripe.setupIntents.update(id, { customer, payment_method: 'pm_card_visa', description: 'x' });
  expect(changed).toMatchObject({ customer, description: 'x', status: 'requires_confirmation' });
  expect((await stripe.setupIntents.confirm(id)).status).toBe('succeeded');
  await stripe.setupIntents.create();
  expect((await stripe.setupIntents.list()).data).toHaveLength(2);
  for (const filter of [{ customer }, { payment_method: String(changed.payment_method) }]) {
    expect((await stripe.setupIntents.list(filter)).data.map((one) => one.id)).toEqual([id]);
  }
  expect(await refusal(stripe.setupIntents.retrieve('seti_nope'))).toMatchObject({ statusCode: 404 });
  const early = stripe.setupIntents.create({ return_url: 'https://example.com' });
  expect(await refusal(early)).toMatchObject({ param: 'return_url', code: 'setup_intent_invalid_parameter' });
});
