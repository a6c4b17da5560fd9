import type Stripe from 'stripe';
import {
  type Bench,
  CARD_PAYMENT,
  control,
  type Receiver,
  startBench,
  startReceiver,
  until,
  WEBHOOK_SECRET,
} from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;
let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver();
  bench = await startBench(receiver.url);
  stripe = bench.stripe;
});
afterEach(async () => {
  await bench.stop();
  await receiver.stop();
});

async function pending(): Promise<number> {
  return (await control(bench.sandbox.url, 'GET', '/sandbox/webhook_endpoint')).body.pendingDeliveries;
}
const allDelivered = () => until('all webhooks are delivered', async () => (await pending()) === 0);
const fault = (body: object) => control(bench.sandbox.url, 'POST', '/sandbox/faults', body);
const manual = { ...CARD_PAYMENT, capture_method: 'manual' as const };

it('an event is signed, names the request that caused it, and can be fetched again', async () => {
  const intent = await stripe.paymentIntents.create(CARD_PAYMENT, { idempotencyKey: 'booking:1/charge/1' });
  await allDelivered();
  expect(receiver.deliveries.every(({ signed }) => signed === 'well')).toBe(true);
  const event = receiver.deliveries.find((delivery) => delivery.event.type === 'payment_intent.succeeded')?.event;
  expect(event).toMatchObject({
    object: 'event',
    api_version: '2026-10-28.endive',
    livemode: false,
    pending_webhooks: 1,
    request: { id: intent.lastResponse.requestId, idempotency_key: 'booking:1/charge/1' },
    data: { object: { id: intent.id, status: 'succeeded', amount_received: 4500 } },
  });
  const fetched = await stripe.events.retrieve(event?.id ?? '');
  expect(fetched).toMatchObject({ id: event?.id, pending_webhooks: 0, data: { object: { id: intent.id } } });
  expect((await stripe.events.list({ type: 'payment_intent.succeeded' })).data).toHaveLength(1);
  expect((await stripe.events.list({ delivery_success: false })).data).toEqual([]);
});

describe('every change is told', () => {
  type Story = (stripe: Stripe) => Promise<unknown>;
  const threeDS = { ...CARD_PAYMENT, payment_method: 'pm_card_threeDSecure2Required' };
  const answer3ds = async (answer: string) => {
    const { id } = await stripe.paymentIntents.create(threeDS);
    await control(bench.sandbox.url, 'POST', `/sandbox/3ds/${id}/${answer}`);
  };
  const CREATED = 'payment_intent.created';
  const AUTHORIZED = [CREATED, 'charge.succeeded', 'payment_intent.amount_capturable_updated'];

  it.each<[string, Story, string[]]>([
    [
      'a charge',
      (s) => s.paymentIntents.create(CARD_PAYMENT),
      [CREATED, 'charge.succeeded', 'payment_intent.succeeded'],
    ],
    [
      'a decline',
      (s) =>
        s.paymentIntents.create({ ...CARD_PAYMENT, payment_method: 'pm_card_visa_chargeDeclined' }).catch(() => {}),
      [CREATED, 'charge.failed', 'payment_intent.payment_failed'],
    ],
    ['an authorisation', (s) => s.paymentIntents.create(manual), AUTHORIZED],
    [
      'a capture',
      async (s) => s.paymentIntents.capture((await s.paymentIntents.create(manual)).id),
      [...AUTHORIZED, 'charge.captured', 'payment_intent.succeeded'],
    ],
    [
      'a cancel',
      async (s) => s.paymentIntents.cancel((await s.paymentIntents.create(manual)).id),
      [...AUTHORIZED, 'refund.created', 'charge.refunded', 'payment_intent.canceled'],
    ],
    [
      '3-D Secure',
      () => answer3ds('complete'),
      [CREATED, 'payment_intent.requires_action', 'charge.succeeded', 'payment_intent.succeeded'],
    ],
    [
      '3-D Secure failed',
      () => answer3ds('fail'),
      [CREATED, 'payment_intent.requires_action', 'payment_intent.payment_failed'],
    ],
    [
      'a refund',
      async (s) => s.refunds.create({ payment_intent: (await s.paymentIntents.create(CARD_PAYMENT)).id }),
      [CREATED, 'charge.succeeded', 'payment_intent.succeeded', 'refund.created', 'charge.refunded'],
    ],
    [
      'a transfer and its reversal',
      async (s) => {
        await s.paymentIntents.create({ amount: 4500, currency: 'eur', payment_method: 'pm_card_visa' });
        await s.paymentIntents.create(CARD_PAYMENT);
        const { id: destination } = await s.accounts.create({ type: 'express' });
        const { id } = await s.transfers.create({ amount: 100, currency: 'eur', destination });
        await s.transfers.createReversal(id);
        await s.accounts.update(destination, { metadata: { a: 'b' } });
      },
      [
        CREATED,
        CREATED,
        'charge.succeeded',
        'payment_intent.succeeded',
        'transfer.created',
        'transfer.reversed',
        'account.updated',
      ],
    ],
    [
      'a customer',
      async (s) => {
        const { id } = await s.customers.create();
        await s.customers.update(id, { name: 'A' });
        await s.customers.del(id);
      },
      ['customer.created', 'customer.updated', 'customer.deleted'],
    ],
  ])('of %s', async (_, story, types) => {
    await story(stripe);
    await allDelivered();
    expect(receiver.types().sort()).toEqual([...types].sort());
  });
});

it('an endpoint that fails is tried again until it answers 2xx', async () => {
  receiver.answers.push(500, 302);
  await stripe.customers.create();
  const event = (await stripe.events.list()).data[0];
  expect(event?.pending_webhooks).toBe(1);
  await allDelivered();
  expect(receiver.types()).toEqual(['customer.created']);
  expect(receiver.answers).toEqual([]);
});

it('the endpoint can be set while running, and choose its events', async () => {
  await receiver.stop();
  receiver = await startReceiver();
  const set = { url: receiver.url, secret: WEBHOOK_SECRET, enabledEvents: ['payment_intent.succeeded'] };
  const answer = await control(bench.sandbox.url, 'POST', '/sandbox/webhook_endpoint', set);
  expect(answer).toMatchObject({ status: 200, body: { endpoint: { url: receiver.url } } });
  await stripe.paymentIntents.create(CARD_PAYMENT);
  await allDelivered();
  expect(receiver.types()).toEqual(['payment_intent.succeeded']);
  await control(bench.sandbox.url, 'DELETE', '/sandbox/webhook_endpoint');
  await stripe.paymentIntents.create(CARD_PAYMENT);
  expect(await pending()).toBe(0);
  expect(receiver.types()).toEqual(['payment_intent.succeeded']);
});

describe('on demand a webhook', () => {
  it('is lost', async () => {
    await fault({ kind: 'webhook_lose', match: { type: 'payment_intent.*' }, times: 2 });
    await stripe.paymentIntents.create(CARD_PAYMENT);
    await allDelivered();
    expect(receiver.types()).toEqual(['charge.succeeded']);
  });

  it('comes twice, the same one', async () => {
    await fault({ kind: 'webhook_double' });
    await stripe.customers.create();
    await allDelivered();
    expect(receiver.types()).toEqual(['customer.created', 'customer.created']);
    expect(new Set(receiver.deliveries.map(({ event }) => event.id)).size).toBe(1);
  });

  it('comes late', async () => {
    await fault({ kind: 'webhook_delay', ms: 400, match: { type: 'customer.created' } });
    const begun = Date.now();
    await stripe.customers.create();
    await allDelivered();
    expect(receiver.types()).toEqual(['customer.created']);
    expect(Date.now() - begun).toBeGreaterThanOrEqual(400);
  });

  it('comes after a later one', async () => {
    await fault({ kind: 'webhook_reorder', match: { type: 'customer.created' } });
    const { id } = await stripe.customers.create();
    await stripe.customers.update(id, { name: 'A' });
    await allDelivered();
    expect(receiver.types()).toEqual(['customer.updated', 'customer.created']);
  });

  it.each(['webhook_bad_signature', 'webhook_stale_timestamp'])(
    'has a %s once, and is then sent well',
    async (kind) => {
      await fault({ kind });
      await stripe.customers.create();
      await allDelivered();
      expect(receiver.deliveries.map(({ signed }) => signed)).toEqual(['wrongly', 'well']);
    },
  );
});
