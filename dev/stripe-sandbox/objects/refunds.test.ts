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

async function balance(): Promise<number> {
  return (await stripe.balance.retrieve()).available[0]?.amount ?? 0;
}

async function paid(payment_method = 'pm_card_visa'): Promise<Stripe.PaymentIntent> {
  return stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method });
}

it('a full refund gives back everything but the fee', async () => {
  const intent = await paid();
  const refund = await stripe.refunds.create({
    payment_intent: intent.id,
    reason: 'requested_by_customer',
    metadata: { booking: 'b1' },
    expand: ['balance_transaction', 'charge'],
  });
  expect(refund).toMatchObject({
    status: 'succeeded',
    amount: 4500,
    reason: 'requested_by_customer',
    metadata: { booking: 'b1' },
    payment_intent: intent.id,
    balance_transaction: { amount: -4500, fee: 0, type: 'refund' },
    charge: { amount_refunded: 4500, refunded: true },
  });
  expect(refund.id).toMatch(/^re_/);
  expect(await balance()).toBe(-88);
});

it('partial refunds add up to the charge and no further', async () => {
  const { id, latest_charge } = await paid();
  const charge = String(latest_charge);
  await stripe.refunds.create({ payment_intent: id, amount: 1000 });
  await stripe.refunds.create({ charge, amount: 2000 });
  const error = await refusal(stripe.refunds.create({ payment_intent: id, amount: 1501 }));
  expect(error).toMatchObject({ statusCode: 400, param: 'amount', code: undefined });
  expect(error.message).toBe('Refund amount (€15.01) is greater than unrefunded amount on charge (€15.00)');
  const last = await stripe.refunds.create({ payment_intent: id });
  expect(last.amount).toBe(1500);
  const again = await refusal(stripe.refunds.create({ payment_intent: id }));
  expect(again).toMatchObject({ statusCode: 400, code: 'charge_already_refunded' });
  for (const selection of [{ payment_intent: id }, { charge }]) {
    const list = await stripe.refunds.list(selection);
    expect(list.data.map(({ amount }) => amount)).toEqual([1500, 2000, 1000]);
  }
});

it('refunds racing each other never give back more than was paid', async () => {
  const { id } = await paid();
  const tries = await Promise.allSettled(
    Array.from({ length: 10 }, () => stripe.refunds.create({ payment_intent: id, amount: 1000 })),
  );
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  const intent = await stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] });
  expect(intent.latest_charge).toMatchObject({ amount_refunded: 4000, refunded: false });
  expect(await balance()).toBe(4500 - 88 - 4000);
});

it('nothing is refunded that was not taken', async () => {
  const held = await stripe.paymentIntents.create({ ...CARD_PAYMENT, capture_method: 'manual' });
  const declined = await refusal(paid('pm_card_visa_chargeDeclined'));
  const message = 'does not have a successful charge to refund';
  for (const id of [held.id, declined.payment_intent?.id ?? '']) {
    expect((await refusal(stripe.refunds.create({ payment_intent: id }))).message).toContain(message);
  }
  const { latest_charge: charge } = held;
  expect((await refusal(stripe.refunds.create({ charge: String(charge) }))).message).toContain(message);
});

it('parameters are checked', async () => {
  const { id } = await paid();
  const other = await paid();
  const charge = String(other.latest_charge);
  expect(await refusal(stripe.refunds.create({}))).toMatchObject({ code: 'parameter_missing' });
  expect(await refusal(stripe.refunds.create({ payment_intent: 'pi_nope' }))).toMatchObject({
    code: 'resource_missing',
  });
  expect(await refusal(stripe.refunds.create({ payment_intent: id, amount: 0 }))).toMatchObject({ param: 'amount' });
  expect(await refusal(stripe.refunds.create({ payment_intent: id, charge }))).toMatchObject({ param: 'charge' });
  const unmodelled = stripe.refunds.create({ payment_intent: id, reverse_transfer: true });
  expect(await refusal(unmodelled)).toMatchObject({ code: 'parameter_unknown', param: 'reverse_transfer' });
  expect((await stripe.refunds.list()).data).toEqual([]);
});

it('metadata can be changed later', async () => {
  const { id } = await stripe.refunds.create({ payment_intent: (await paid()).id });
  expect((await stripe.refunds.update(id, { metadata: { note: 'x' } })).metadata).toEqual({ note: 'x' });
  expect((await stripe.refunds.retrieve(id)).metadata).toEqual({ note: 'x' });
});

it('a refund may fail after it succeeded: the money is back and can be refunded again', async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/settings', { refundDelayMs: 50 });
  const intent = await paid('pm_card_refundFail');
  const refund = await stripe.refunds.create({ payment_intent: intent.id });
  expect(refund.status).toBe('succeeded');
  await until('the refund fails', async () => (await stripe.refunds.retrieve(refund.id)).status === 'failed');
  const failed = await stripe.refunds.retrieve(refund.id, { expand: ['failure_balance_transaction'] });
  expect(failed).toMatchObject({
    failure_reason: 'expired_or_canceled_card',
    failure_balance_transaction: { amount: 4500, type: 'refund_failure' },
  });
  expect(await balance()).toBe(4500 - 88);
  const charge = await stripe.charges.retrieve(String(intent.latest_charge));
  expect(charge).toMatchObject({ amount_refunded: 0, refunded: false });
  const events = await stripe.events.list({ types: ['refund.failed', 'refund.updated', 'charge.refund.updated'] });
  expect(events.data).toHaveLength(3);
  const failure = events.data.find(({ type }) => type === 'refund.failed');
  expect(failure?.request).toEqual({ id: null, idempotency_key: null });
  expect(failure?.data.previous_attributes).toEqual({
    status: 'succeeded',
    failure_reason: null,
    failure_balance_transaction: null,
  });
  expect((await stripe.refunds.create({ payment_intent: intent.id, amount: 100 })).status).toBe('succeeded');
});

it('a refund may be pending before it succeeds', async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/settings', { refundDelayMs: 50 });
  const { id } = await paid('pm_card_pendingRefund');
  const refund = await stripe.refunds.create({ payment_intent: id });
  expect(refund).toMatchObject({ status: 'pending', pending_reason: 'processing' });
  await until('it succeeds', async () => (await stripe.refunds.retrieve(refund.id)).status === 'succeeded');
  expect((await stripe.events.list({ type: 'refund.updated' })).data).toHaveLength(1);
});
