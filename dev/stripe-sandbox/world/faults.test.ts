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

/** The SDK tries a closed connection once more, even when it is told never to retry. */
const SDK_TRIES = 2;
const keyed = { idempotencyKey: 'k1' };
const fault = (body: object) => control(bench.sandbox.url, 'POST', '/sandbox/faults', body);
const charge = (options = keyed) => stripe.paymentIntents.create(CARD_PAYMENT, options);

async function charges(): Promise<number> {
  return (await stripe.charges.list()).data.length;
}

describe('a request', () => {
  it('fails with a 500 that has no effect, and again under the same key', async () => {
    await fault({ kind: 'error_500' });
    const error = await refusal(charge());
    expect(error).toMatchObject({ type: 'StripeAPIError', statusCode: 500, rawType: 'api_error' });
    const again = await refusal(charge());
    expect(again).toMatchObject({ statusCode: 500 });
    expect(again.headers?.['idempotent-replayed']).toBe('true');
    expect(await charges()).toBe(0);
    expect((await charge({ idempotencyKey: 'k2' })).status).toBe('succeeded');
  });

  it('fails with a 500 from before the idempotency layer, if told so', async () => {
    await fault({ kind: 'error_500', stored: false });
    expect((await refusal(charge())).statusCode).toBe(500);
    expect((await charge()).status).toBe('succeeded');
  });

  it('fails with a 500 though it took effect, and again under the same key', async () => {
    await fault({ kind: 'error_500_after' });
    expect((await refusal(charge())).statusCode).toBe(500);
    expect((await refusal(charge())).statusCode).toBe(500);
    expect(await charges()).toBe(1);
  });

  it('is limited with Retry-After, which stores nothing', async () => {
    await fault({ kind: 'rate_limit_429', retryAfterSeconds: 7 });
    const error = await refusal(charge());
    expect(error).toMatchObject({ type: 'StripeRateLimitError', statusCode: 429, code: 'rate_limit' });
    expect(error.headers?.['retry-after']).toBe('7');
    expect((await charge()).status).toBe('succeeded');
  });

  it('is spoilt no longer than the rule lives, used up or not', async () => {
    await fault({ kind: 'refuse_400', code: 'charge_disputed', times: 1_000, forMs: 300 });
    expect((await refusal(charge())).code).toBe('charge_disputed');
    await until('the rule has ended', () =>
      charge().then(
        () => true,
        () => false,
      ),
    );
  });

  it('is refused for a reason of choice, which stores nothing', async () => {
    await fault({ kind: 'refuse_400', code: 'charge_disputed' });
    const error = await refusal(charge());
    expect(error).toMatchObject({ type: 'StripeInvalidRequestError', statusCode: 400, code: 'charge_disputed' });
    expect(await charges()).toBe(0);
    expect((await charge()).status).toBe('succeeded');
  });

  it('is not refused under a key whose first request is under way or was answered: what that does is the key’s reply', async () => {
    await fault({ kind: 'hang', ms: 400 });
    const first = charge();
    const left = async () => (await control(bench.sandbox.url, 'GET', '/sandbox/faults')).body.faults[0].left;
    await until('the first is under way', async () => (await left()) === 0);
    await fault({ kind: 'refuse_400', code: 'charge_disputed', times: 2 });
    expect(await refusal(charge())).toMatchObject({ statusCode: 409, code: 'idempotency_key_in_use' });
    const { id } = await first;
    const again = await charge();
    expect(again.id).toBe(id);
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true');
    expect(await charges()).toBe(1);
  });

  it('loses its connection before the effect', async () => {
    await fault({ kind: 'drop_before', times: SDK_TRIES });
    expect(await refusal(charge())).toMatchObject({ type: 'StripeConnectionError' });
    expect(await charges()).toBe(0);
    expect((await charge()).status).toBe('succeeded');
  });

  it.each([
    ['drop_after', SDK_TRIES],
    ['truncate_after', 1],
  ])('loses its connection after the effect (%s), whose reply is kept', async (kind, times) => {
    await fault({ kind, times });
    expect(await refusal(charge())).toMatchObject({ type: 'StripeConnectionError' });
    expect(await charges()).toBe(1);
    expect((await charge()).lastResponse.headers['idempotent-replayed']).toBe('true');
    expect(await charges()).toBe(1);
  });

  it.each(['before', 'after'])('hangs %s the effect for longer than the client waits', async (when) => {
    await fault({ kind: 'hang', ms: 400, when });
    const impatient = { ...keyed, timeout: 100 };
    expect(await refusal(charge(impatient))).toMatchObject({ type: 'StripeConnectionError' });
    const heard = () =>
      charge().then(
        ({ status }) => status === 'succeeded',
        ({ code }) => code !== 'idempotency_key_in_use',
      );
    await until('the key gives the first reply', heard);
    expect((await charge()).lastResponse.headers['idempotent-replayed']).toBe('true');
    expect(await charges()).toBe(1);
  });
});

describe('a rule', () => {
  it('hits the requests it matches, from the nth on, as often as it says', async () => {
    const capture = '/v1/payment_intents/*/capture';
    await fault({ kind: 'rate_limit_429', match: { method: 'POST', path: capture, nth: 2 }, times: 2 });
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      ids.push((await stripe.paymentIntents.create({ ...CARD_PAYMENT, capture_method: 'manual' })).id);
    }
    const outcomes: string[] = [];
    for (const id of ids) {
      outcomes.push(
        await stripe.paymentIntents.capture(id).then(
          ({ status }) => status,
          ({ code }) => code,
        ),
      );
    }
    expect(outcomes).toEqual(['succeeded', 'rate_limit', 'rate_limit', 'succeeded']);
  });

  it('can be meant for one path or one key only', async () => {
    await fault({ kind: 'error_500', match: { path: '/v1/refunds' } });
    await fault({ kind: 'error_500', match: { idempotencyKey: 'other' } });
    const { id } = await charge();
    expect((await refusal(charge({ idempotencyKey: 'other' }))).statusCode).toBe(500);
    expect((await refusal(stripe.refunds.create({ payment_intent: id }))).statusCode).toBe(500);
  });

  it('is listed and ends when cleared', async () => {
    const { status, body } = await fault({ kind: 'rate_limit_429', times: 3 });
    expect(status).toBe(201);
    expect(body.faults).toMatchObject([{ kind: 'rate_limit_429', left: 3, seen: 0 }]);
    await refusal(charge());
    expect((await control(bench.sandbox.url, 'GET', '/sandbox/faults')).body.faults).toMatchObject([
      { left: 2, seen: 1 },
    ]);
    expect((await control(bench.sandbox.url, 'DELETE', '/sandbox/faults')).status).toBe(204);
    expect((await charge()).status).toBe('succeeded');
  });
});

describe('control bodies that make no sense are refused with the reason', () => {
  it.each<[string, object, string]>([
    ['/sandbox/faults', { kind: 'earthquake' }, 'kind'],
    ['/sandbox/faults', { kind: 'hang' }, 'ms'],
    ['/sandbox/faults', { kind: 'error_500', times: 0 }, 'times'],
    ['/sandbox/faults', { kind: 'error_500', match: { path: '/sandbox' } }, 'match.path'],
    ['/sandbox/faults', { kind: 'error_500', colour: 'red' }, ''],
    ['/sandbox/settings', { refundDelayMs: -1 }, 'refundDelayMs'],
    ['/sandbox/webhook_endpoint', { url: 'nonsense', secret: 'x' }, 'url'],
  ])('%s %j', async (path, body, where) => {
    const answer = await control(bench.sandbox.url, 'POST', path, body);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toMatchObject([{ path: where, message: expect.any(String) }]);
  });
});

it('the request log shows what was asked and how it was answered', async () => {
  await charge();
  await charge();
  await fault({ kind: 'drop_after', times: SDK_TRIES });
  await refusal(charge({ idempotencyKey: 'k2' }));
  const { body } = await control(bench.sandbox.url, 'GET', '/sandbox/requests?limit=4');
  const path = '/v1/payment_intents';
  expect(body.requests).toMatchObject([
    { method: 'POST', path, idempotencyKey: 'k2', status: null, replayed: true, fault: 'drop_after' },
    { method: 'POST', path, idempotencyKey: 'k2', status: null, replayed: false, fault: 'drop_after' },
    { method: 'POST', path, idempotencyKey: 'k1', status: 200, replayed: true },
    { method: 'POST', path, idempotencyKey: 'k1', status: 200, replayed: false },
  ]);
});

it('settings are shown, changed one by one, and back to their defaults after a reset', async () => {
  const changed = await control(bench.sandbox.url, 'POST', '/sandbox/settings', { refundDelayMs: 5 });
  expect(changed.body).toMatchObject({ refundDelayMs: 5, captureWindowMs: 604_800_000 });
  await charge();
  expect((await control(bench.sandbox.url, 'POST', '/sandbox/reset')).status).toBe(204);
  expect((await control(bench.sandbox.url, 'GET', '/sandbox/settings')).body.refundDelayMs).toBe(1000);
  expect((await control(bench.sandbox.url, 'GET', '/sandbox/state')).body).toMatchObject({ charges: [], totals: {} });
  expect((await charge()).status).toBe('succeeded');
});

it('a sandbox says that it is alive', async () => {
  expect(await control(bench.sandbox.url, 'GET', '/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
});
