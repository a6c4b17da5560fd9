import type Stripe from 'stripe';
import {
  type Bench,
  CARD_PAYMENT,
  CONNECT_WEBHOOK_SECRET,
  control,
  type Receiver,
  sdkFor,
  startBench,
  startReceiver,
  until,
} from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;
/** Of the platform's events, and of connected accounts'. */
let ours: Receiver;
let theirs: Receiver;
let tutor: string;

beforeEach(async () => {
  [ours, theirs] = [await startReceiver(), await startReceiver()];
  bench = await startBench(ours.url);
  stripe = bench.stripe;
  await setConnect();
  await control(bench.sandbox.url, 'POST', '/sandbox/settings', { payoutPendingMs: 0, payoutTransitMs: 0 });
  tutor = (await stripe.accounts.create({ type: 'express', country: 'DE' })).id;
});
afterEach(async () => {
  await bench.stop();
  await Promise.all([ours.stop(), theirs.stop()]);
});

const setConnect = (more: object = {}) =>
  control(bench.sandbox.url, 'POST', '/sandbox/webhook_endpoint', {
    url: theirs.url,
    secret: CONNECT_WEBHOOK_SECRET,
    connect: true,
    ...more,
  });
const endpoints = async () => (await control(bench.sandbox.url, 'GET', '/sandbox/webhook_endpoint')).body;
const allDelivered = () => until('all webhooks are delivered', async () => (await endpoints()).pendingDeliveries === 0);
const fault = (body: object) => control(bench.sandbox.url, 'POST', '/sandbox/faults', body);
const touch = (n: number) => stripe.accounts.update(tutor, { metadata: { n } });

async function paidOut(): Promise<void> {
  await stripe.accounts.createExternalAccount(tutor, {
    external_account: {
      object: 'bank_account',
      country: 'DE',
      currency: 'eur',
      account_number: 'DE89370400440532013000',
    },
  });
  await stripe.paymentIntents.create(CARD_PAYMENT);
  await stripe.transfers.create({ amount: 3000, currency: 'eur', destination: tutor });
  const own = sdkFor(bench.sandbox.port, { account: tutor });
  const { id } = await own.payouts.create({ amount: 1000, currency: 'eur' });
  await until('it is paid', async () => (await own.payouts.retrieve(id)).status === 'paid');
}

it('an event of a connected account names it and goes to the Connect endpoint, signed with its secret', async () => {
  await paidOut();
  await allDelivered();
  const all = [...ours.deliveries, ...theirs.deliveries];
  expect(all.every(({ signed }) => signed === 'well')).toBe(true);
  expect(theirs.deliveries.every(({ event }) => event.account === tutor)).toBe(true);
  expect(ours.deliveries.some(({ event }) => event.account !== undefined)).toBe(false);
  expect(theirs.types().toSorted()).toEqual([
    'account.external_account.created',
    'account.updated',
    'payout.created',
    'payout.paid',
    'payout.updated',
    'payout.updated',
  ]);
  expect(ours.types()).toContain('transfer.created');
});

it('the Connect endpoint chooses its events; without one they are owed to nobody', async () => {
  await setConnect({ enabledEvents: ['payout.paid'] });
  await paidOut();
  await allDelivered();
  expect(theirs.types()).toEqual(['payout.paid']);
  expect(await endpoints()).toMatchObject({ endpoint: { url: ours.url }, connectEndpoint: { url: theirs.url } });
  await control(bench.sandbox.url, 'DELETE', '/sandbox/webhook_endpoint');
  await touch(1);
  expect(await endpoints()).toEqual({ endpoint: null, connectEndpoint: null, pendingDeliveries: 0 });
  const [event] = (await sdkFor(bench.sandbox.port, { account: tutor }).events.list()).data;
  expect(event).toMatchObject({ type: 'account.updated', pending_webhooks: 0 });
});

it('a Connect endpoint that fails is tried again, and those of the platform come meanwhile', async () => {
  theirs.answers.push(500, 503);
  await touch(1);
  await stripe.customers.create();
  await until('the customer is told of', () => ours.types().includes('customer.created'));
  await allDelivered();
  expect(theirs.types()).toEqual(['account.updated']);
});

it.each([
  ['webhook_double', ['1', '1', '2']],
  ['webhook_lose', ['2']],
  ['webhook_reorder', ['2', '1']],
  ['webhook_bad_signature', ['1', '1', '2']],
])('by %s events of connected accounts go wrong as others do', async (kind, seen) => {
  await fault({ kind, match: { type: 'account.updated' } });
  await touch(1);
  if (kind !== 'webhook_reorder') await allDelivered();
  await touch(2);
  await allDelivered();
  const metadataOf = ({ event }: Receiver['deliveries'][number]) =>
    'metadata' in event.data.object ? event.data.object.metadata?.n : undefined;
  expect(theirs.deliveries.map(metadataOf)).toEqual(seen);
  expect(theirs.deliveries.filter(({ signed }) => signed === 'wrongly')).toHaveLength(
    kind === 'webhook_bad_signature' ? 1 : 0,
  );
});

it('money that becomes available is told of, the platform’s and an account’s', async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/settings', { fundsDelayMs: 1500 });
  const { latest_charge } = await stripe.paymentIntents.create(CARD_PAYMENT);
  const source_transaction = String(latest_charge);
  await stripe.transfers.create({ amount: 3000, currency: 'eur', destination: tutor, source_transaction });
  const [booked] = (await stripe.balanceTransactions.list({ source: source_transaction })).data;
  expect(booked?.status).toBe('pending');
  expect(booked?.available_on).toBeGreaterThanOrEqual(booked?.created ?? 0);
  await until('both are told of', () => [ours, theirs].every(({ types }) => types().includes('balance.available')));
  const told = theirs.deliveries.find(({ event }) => event.type === 'balance.available')?.event;
  expect(told).toMatchObject({
    account: tutor,
    data: { object: { object: 'balance', available: [{ amount: 3000, currency: 'eur' }], pending: [{ amount: 0 }] } },
  });
});
