import type Stripe from 'stripe';
import { type Bench, CARD_PAYMENT, control, refusal, startBench, until } from '../test-support';

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

const keyed = { idempotencyKey: 'booking:1/charge/1' };

async function countIntents(): Promise<number> {
  return (await stripe.paymentIntents.list({ limit: 100 })).data.length;
}

/** The raw reply, to compare bytes and headers. */
async function raw(body: string, key: string, path = '/v1/payment_intents') {
  const response = await fetch(bench.sandbox.url + path, {
    method: 'POST',
    headers: {
      authorization: 'Bearer sk_test_raw',
      'content-type': 'application/x-www-form-urlencoded',
      'idempotency-key': key,
    },
    body,
  });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

it('the first reply is given again, byte for byte, even when the object has changed since', async () => {
  const body = 'amount=4500&currency=eur';
  const first = await raw(body, 'k');
  const { id } = JSON.parse(first.body);
  await stripe.paymentIntents.cancel(id);
  const again = await raw(body, 'k');
  expect([again.status, again.body]).toEqual([first.status, first.body]);
  expect(first.headers.get('idempotent-replayed')).toBeNull();
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.headers.get('original-request')).toBe(first.headers.get('request-id'));
  expect(again.headers.get('request-id')).not.toBe(first.headers.get('request-id'));
  expect(await countIntents()).toBe(1);
});

it('the order of parameters does not matter', async () => {
  const first = await raw('amount=4500&currency=eur&metadata[a]=1&metadata[b]=2', 'k');
  const again = await raw('metadata[b]=2&currency=eur&metadata[a]=1&amount=4500', 'k');
  expect(again.body).toBe(first.body);
});

it('other parameters, or another endpoint, under the same key are refused', async () => {
  await stripe.paymentIntents.create(CARD_PAYMENT, keyed);
  const otherAmount = stripe.paymentIntents.create({ ...CARD_PAYMENT, amount: 4600 }, keyed);
  expect(await refusal(otherAmount)).toMatchObject({
    type: 'StripeIdempotencyError',
    statusCode: 400,
    rawType: 'idempotency_error',
    message: expect.stringContaining('only be used with the same parameters'),
  });
  const otherEndpoint = stripe.customers.create({}, keyed);
  expect((await refusal(otherEndpoint)).message).toContain('only be used for the same endpoint');
  expect(await countIntents()).toBe(1);
});

it('a decline is given again, and charges nothing twice', async () => {
  const declined = { ...CARD_PAYMENT, payment_method: 'pm_card_visa_chargeDeclined' };
  const first = await refusal(stripe.paymentIntents.create(declined, keyed));
  const again = await refusal(stripe.paymentIntents.create(declined, keyed));
  expect(again).toMatchObject({ statusCode: 402, charge: first.charge });
  expect(again.headers?.['idempotent-replayed']).toBe('true');
  expect((await stripe.charges.list()).data).toHaveLength(1);
});

it('a refusal by state is kept, though the state has changed', async () => {
  const { id } = await stripe.paymentIntents.create({ ...CARD_PAYMENT, confirm: false });
  expect((await refusal(stripe.paymentIntents.capture(id, {}, keyed))).statusCode).toBe(400);
  await stripe.paymentIntents.confirm(id, { capture_method: 'manual' });
  expect((await refusal(stripe.paymentIntents.capture(id, {}, keyed))).headers?.['idempotent-replayed']).toBe('true');
  expect((await stripe.paymentIntents.capture(id)).status).toBe('succeeded');
});

it('refused parameters and keys are not kept: the corrected request may use the key', async () => {
  expect((await refusal(stripe.paymentIntents.create({ ...CARD_PAYMENT, amount: 1 }, keyed))).statusCode).toBe(400);
  expect((await refusal(stripe.paymentIntents.create({ ...CARD_PAYMENT, expand: ['x'] }, keyed))).statusCode).toBe(400);
  expect((await stripe.paymentIntents.create(CARD_PAYMENT, keyed)).status).toBe('succeeded');
  expect(await countIntents()).toBe(1);
});

it('ten at once with one key have one effect; the others hear of it or are told to wait', async () => {
  const tries = await Promise.allSettled(
    Array.from({ length: 10 }, () => stripe.paymentIntents.create(CARD_PAYMENT, keyed)),
  );
  expect(await countIntents()).toBe(1);
  const ids = new Set(tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value.id] : [])));
  expect(ids.size).toBe(1);
  for (const result of tries) {
    if (result.status === 'rejected') {
      expect(result.reason).toMatchObject({
        statusCode: 409,
        code: 'idempotency_key_in_use',
        rawType: 'idempotency_error',
      });
    }
  }
  const [id] = ids;
  expect((await stripe.paymentIntents.create(CARD_PAYMENT, keyed)).id).toBe(id);
});

it('a key is in use for as long as its request hangs', async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/faults', { kind: 'hang', ms: 2000 });
  const slow = stripe.paymentIntents.create(CARD_PAYMENT, keyed);
  const logged = async () => (await control(bench.sandbox.url, 'GET', '/sandbox/requests')).body.requests.length > 0;
  await until('the first request hangs', logged);
  expect((await refusal(stripe.paymentIntents.create(CARD_PAYMENT, keyed))).code).toBe('idempotency_key_in_use');
  const { id } = await slow;
  expect((await stripe.paymentIntents.create(CARD_PAYMENT, keyed)).id).toBe(id);
});

it('keys have no effect on requests that are idempotent anyway, and at most 255 characters', async () => {
  const { id } = await stripe.customers.create();
  await stripe.customers.del(id, {}, keyed);
  expect((await stripe.customers.create({}, keyed)).object).toBe('customer');
  const tooLong = stripe.customers.create({}, { idempotencyKey: 'x'.repeat(256) });
  expect((await refusal(tooLong)).message).toContain('255 characters');
  expect((await stripe.customers.create({}, { idempotencyKey: 'x'.repeat(255) })).object).toBe('customer');
});
