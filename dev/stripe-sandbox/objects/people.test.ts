import type Stripe from 'stripe';
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

describe('customers', () => {
  it('are created, found, changed and deleted', async () => {
    const customer = await stripe.customers.create({
      email: 'ada@example.com',
      name: 'Ada 🦊',
      address: { city: 'Kyiv', country: 'UA' },
      metadata: { user: 'u1' },
      preferred_locales: ['uk', 'en'],
    });
    expect(customer).toMatchObject({ object: 'customer', name: 'Ada 🦊', preferred_locales: ['uk', 'en'] });
    expect(customer.address).toMatchObject({ city: 'Kyiv', line1: null });
    expect((await stripe.customers.list({ email: 'ada@example.com' })).data).toHaveLength(1);
    const changed = await stripe.customers.update(customer.id, { email: 'new@example.com', name: '' });
    expect(changed).toMatchObject({ email: 'new@example.com', name: null, metadata: { user: 'u1' } });
    expect((await stripe.customers.list({ email: 'ada@example.com' })).data).toEqual([]);
    expect((await stripe.customers.list({ email: 'new@example.com' })).data).toHaveLength(1);
    expect(await stripe.customers.del(customer.id)).toMatchObject({ id: customer.id, deleted: true });
    expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ deleted: true });
    expect((await stripe.customers.list()).data).toEqual([]);
    expect((await refusal(stripe.customers.update(customer.id, { name: 'x' }))).statusCode).toBe(404);
    const paying = stripe.paymentIntents.create({ ...CARD_PAYMENT, customer: customer.id });
    expect(await refusal(paying)).toMatchObject({ code: 'resource_missing', param: 'customer' });
  });

  it('keep their cards until these are detached', async () => {
    const { id } = await stripe.customers.create({ payment_method: 'pm_card_visa' });
    const [first] = (await stripe.paymentMethods.list({ customer: id, type: 'card' })).data;
    const second = await stripe.paymentMethods.attach('pm_card_mastercard', { customer: id });
    expect(second).toMatchObject({ customer: id, card: { brand: 'mastercard', last4: '4444' } });
    expect((await stripe.paymentMethods.attach(second.id, { customer: id })).id).toBe(second.id);
    const other = await stripe.customers.create();
    const stolen = stripe.paymentMethods.attach(second.id, { customer: other.id });
    expect((await refusal(stolen)).message).toContain('already been attached');
    await stripe.paymentMethods.detach(second.id);
    expect((await stripe.customers.listPaymentMethods(id)).data.map((method) => method.id)).toEqual([first?.id]);
    expect((await refusal(stripe.paymentMethods.detach(second.id))).statusCode).toBe(400);
    await stripe.customers.update(id, { invoice_settings: { default_payment_method: first?.id } });
    await stripe.customers.del(id);
    expect((await stripe.paymentMethods.retrieve(first?.id ?? '')).customer).toBeNull();
  });

  it('cannot keep a card that declines, but for the one made to decline later', async () => {
    const { id } = await stripe.customers.create();
    const declined = stripe.paymentMethods.attach('pm_card_visa_chargeDeclined', { customer: id });
    expect(await refusal(declined)).toMatchObject({ statusCode: 402, code: 'card_declined' });
    const method = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: id });
    const paying = stripe.paymentIntents.create({ ...CARD_PAYMENT, customer: id, payment_method: method.id });
    expect((await refusal(paying)).statusCode).toBe(402);
  });
});

describe('payment methods', () => {
  it('are made from test tokens', async () => {
    const card = { token: 'tok_visa' };
    const billing_details = { name: 'Ada', address: { city: 'Kyiv' } };
    const method = await stripe.paymentMethods.create({ type: 'card', card, billing_details });
    expect(method).toMatchObject({
      card: { last4: '4242' },
      billing_details: { name: 'Ada', address: { city: 'Kyiv' } },
    });
    expect((await stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method: method.id })).status).toBe(
      'succeeded',
    );
    const unknown = stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_nope' } });
    expect(await refusal(unknown)).toMatchObject({ code: 'resource_missing', param: 'card[token]' });
    expect((await stripe.paymentMethods.retrieve('pm_card_visa')).card?.last4).toBe('4242');
    expect(await refusal(stripe.paymentMethods.retrieve('pm_nope'))).toMatchObject({ statusCode: 404 });
  });
});

describe('connected accounts', () => {
  it('are created active, changed and deleted', async () => {
    const account = await stripe.accounts.create({
      type: 'express',
      country: 'DE',
      email: 'tutor@example.com',
      business_type: 'individual',
      business_profile: { url: 'https://example.com' },
      capabilities: { transfers: { requested: true } },
      metadata: { tutor: 't1' },
    });
    expect(account).toMatchObject({
      object: 'account',
      type: 'express',
      country: 'DE',
      capabilities: { transfers: 'active' },
      payouts_enabled: true,
      charges_enabled: false,
    });
    const changed = await stripe.accounts.update(account.id, { metadata: { tutor: 't2' }, email: 'new@example.com' });
    expect(changed).toMatchObject({ email: 'new@example.com', metadata: { tutor: 't2' } });
    const [event] = (await sdkFor(bench.sandbox.port, { account: account.id }).events.list()).data;
    expect(event).toMatchObject({
      type: 'account.updated',
      account: account.id,
      data: { previous_attributes: { email: 'tutor@example.com', metadata: { tutor: 't1' } } },
    });
    expect((await stripe.accounts.list()).data.map(({ id }) => id)).toEqual([account.id]);
    expect(await stripe.accounts.del(account.id)).toMatchObject({ deleted: true });
    expect(await refusal(stripe.accounts.retrieve(account.id))).toMatchObject({
      type: 'StripePermissionError',
      statusCode: 403,
      code: 'account_invalid',
    });
    expect((await stripe.accounts.list()).data).toEqual([]);
  });

  it('own what is made for them with Stripe-Account', async () => {
    const { id: account } = await stripe.accounts.create({ type: 'standard' });
    const connected = sdkFor(bench.sandbox.port, { account });
    const payment = await connected.paymentIntents.create(CARD_PAYMENT, { idempotencyKey: 'same' });
    expect((await refusal(stripe.paymentIntents.retrieve(payment.id))).statusCode).toBe(404);
    expect((await connected.paymentIntents.retrieve(payment.id)).id).toBe(payment.id);
    expect((await connected.balance.retrieve()).available).toMatchObject([{ amount: 4412 }]);
    const ours = await stripe.paymentIntents.create(CARD_PAYMENT, { idempotencyKey: 'same' });
    expect(ours.id).not.toBe(payment.id);
    expect((await connected.events.list()).data.every((event) => event.account === account)).toBe(true);
    const stranger = sdkFor(bench.sandbox.port, { account: 'acct_nope' });
    expect((await refusal(stranger.balance.retrieve())).statusCode).toBe(403);
  });
});

describe('keys and addresses', () => {
  it('any test key is accepted, as a bearer token or by basic authentication', async () => {
    const basic = `Basic ${Buffer.from('sk_test_abc:').toString('base64')}`;
    const response = await fetch(`${bench.sandbox.url}/v1/balance`, { headers: { authorization: basic } });
    expect(response.status).toBe(200);
    expect(response.headers.get('request-id')).toMatch(/^req_/);
  });

  it('no key, and any other, answers 401', async () => {
    for (const key of ['sk_live_abc', 'pk_live_abc', 'nonsense']) {
      const error = await refusal(sdkFor(bench.sandbox.port, { key }).balance.retrieve());
      expect(error).toMatchObject({ type: 'StripeAuthenticationError', statusCode: 401 });
    }
    const response = await fetch(`${bench.sandbox.url}/v1/balance`);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="Stripe"']);
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringContaining('did not provide an API key') },
    });
  });

  it('what is not modelled answers 404 in the words of Stripe', async () => {
    const error = await refusal(stripe.coupons.list());
    expect(error).toMatchObject({ statusCode: 404, type: 'StripeInvalidRequestError' });
    expect(error.message).toContain('Unrecognized request URL (GET: /v1/coupons)');
  });

  it('a JSON body is refused rather than taken for an empty form', async () => {
    const headers = { authorization: 'Bearer sk_test_a', 'content-type': 'application/json' };
    const response = await fetch(`${bench.sandbox.url}/v1/customers`, {
      method: 'POST',
      headers,
      body: '{"name":"A"}',
    });
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('x-www-form-urlencoded')]);
  });

  it('long values and odd characters are values like any other', async () => {
    const transfer_group = '🦊'.repeat(1200);
    const { id } = await stripe.paymentIntents.create({ ...CARD_PAYMENT, transfer_group });
    expect((await stripe.charges.list({ transfer_group })).data).toMatchObject([
      { payment_intent: id, transfer_group },
    ]);
    const email = 'a\u0000b@example.com';
    await stripe.customers.create({ email });
    expect((await stripe.customers.list({ email })).data).toHaveLength(1);
  });

  it('a body that cannot be read is refused', async () => {
    const headers = { authorization: 'Bearer sk_test_a', 'content-type': 'application/x-www-form-urlencoded' };
    const post = (body: string) => fetch(`${bench.sandbox.url}/v1/customers`, { method: 'POST', headers, body });
    const deep = `metadata${'[a]'.repeat(100)}=1`;
    const huge = `description=${'x'.repeat(200_000)}`;
    for (const [body, status] of [
      [deep, 400],
      [huge, 413],
    ] as const) {
      const response = await post(body);
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
    }
  });
});
