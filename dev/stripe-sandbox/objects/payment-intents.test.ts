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

const UNPAID = {
  amount: 4500,
  currency: 'eur',
  automatic_payment_methods: { enabled: true, allow_redirects: 'never' as const },
};
const manual = { ...CARD_PAYMENT, capture_method: 'manual' as const };

async function latestCharge(intent: Stripe.PaymentIntent): Promise<Stripe.Charge> {
  return stripe.charges.retrieve(String(intent.latest_charge));
}

describe('a payment', () => {
  it('charges the card at once and books it with its fee', async () => {
    const intent = await stripe.paymentIntents.create({
      ...CARD_PAYMENT,
      metadata: { booking: 'b1' },
      description: 'A lesson',
      expand: ['latest_charge.balance_transaction'],
    });
    expect(intent).toMatchObject({ status: 'succeeded', amount_received: 4500, metadata: { booking: 'b1' } });
    expect(intent.id).toMatch(/^pi_\w{24}$/);
    expect(intent.client_secret).toMatch(new RegExp(`^${intent.id}_secret_`));
    expect(intent.latest_charge).toMatchObject({
      status: 'succeeded',
      captured: true,
      amount_captured: 4500,
      amount_refunded: 0,
      refunded: false,
      payment_intent: intent.id,
      metadata: { booking: 'b1' },
      balance_transaction: { amount: 4500, fee: 88, net: 4412, type: 'charge' },
    });
  });

  it('waits for confirmation when created without it', async () => {
    const { confirm: _, ...unconfirmed } = CARD_PAYMENT;
    const intent = await stripe.paymentIntents.create(unconfirmed);
    expect(intent.status).toBe('requires_confirmation');
    const paid = await stripe.paymentIntents.confirm(intent.id);
    expect(paid).toMatchObject({ status: 'succeeded', payment_method: intent.payment_method });
  });

  it('makes a payment method of its own from each use of a test token', async () => {
    const first = await stripe.paymentIntents.create(CARD_PAYMENT);
    const second = await stripe.paymentIntents.create(CARD_PAYMENT);
    expect(first.payment_method).toMatch(/^pm_\w{24}$/);
    expect(second.payment_method).not.toBe(first.payment_method);
  });

  it('asks for a return_url when redirects are possible', async () => {
    const { automatic_payment_methods: _, ...automatic } = CARD_PAYMENT;
    const error = await refusal(stripe.paymentIntents.create(automatic));
    expect(error.message).toContain('you must provide a `return_url`');
    const returning = await stripe.paymentIntents.create({ ...automatic, return_url: 'https://example.com/done' });
    expect(returning.status).toBe('succeeded');
  });

  it('is booked later when captured asynchronously, if the settings say so', async () => {
    await control(bench.sandbox.url, 'POST', '/sandbox/settings', { asyncCaptureDelayMs: 30 });
    const intent = await stripe.paymentIntents.create(CARD_PAYMENT);
    expect(intent).toMatchObject({ status: 'succeeded', capture_method: 'automatic_async' });
    expect((await latestCharge(intent)).balance_transaction).toBeNull();
    await until('the charge is booked', async () => (await latestCharge(intent)).balance_transaction !== null);
    const events = await stripe.events.list({ type: 'charge.updated' });
    expect(events.data[0]?.data.previous_attributes).toEqual({ balance_transaction: null });
  });
});

describe('a declined card', () => {
  it.each([
    ['pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card'],
  ])('%s answers 402 and leaves the PaymentIntent to be tried again', async (payment_method, code, decline_code) => {
    const error = await refusal(stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method }));
    expect(error).toMatchObject({ type: 'StripeCardError', statusCode: 402, code, decline_code });
    const id = error.payment_intent?.id ?? '';
    const failed = await stripe.paymentIntents.retrieve(id);
    expect(failed).toMatchObject({
      status: 'requires_payment_method',
      payment_method: null,
      amount_received: 0,
      last_payment_error: { type: 'card_error', code, decline_code, charge: error.charge },
    });
    expect(await latestCharge(failed)).toMatchObject({ status: 'failed', paid: false, captured: false });
    const paid = await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
    expect(paid).toMatchObject({ status: 'succeeded', last_payment_error: null });
    expect((await stripe.charges.list({ payment_intent: id })).data.map(({ status }) => status)).toEqual([
      'succeeded',
      'failed',
    ]);
  });
});

describe('manual capture', () => {
  it('holds the money for seven days and moves none', async () => {
    const intent = await stripe.paymentIntents.create(manual);
    expect(intent).toMatchObject({ status: 'requires_capture', amount_capturable: 4500, amount_received: 0 });
    const charge = await latestCharge(intent);
    expect(charge).toMatchObject({ captured: false, amount_captured: 0, balance_transaction: null });
    const captureBefore = charge.payment_method_details?.card?.capture_before ?? 0;
    expect(captureBefore - charge.created).toBe(7 * 24 * 3600);
    expect((await stripe.balance.retrieve()).available[0]?.amount).toBe(0);
  });

  it('captures all', async () => {
    const { id } = await stripe.paymentIntents.create(manual);
    const intent = await stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'capture' });
    expect(intent).toMatchObject({ status: 'succeeded', amount_received: 4500, amount_capturable: 0 });
    expect(await latestCharge(intent)).toMatchObject({ captured: true, amount_captured: 4500, amount_refunded: 0 });
  });

  it('captures a part and gives back the rest by a refund that moved no money', async () => {
    const { id } = await stripe.paymentIntents.create(manual);
    const intent = await stripe.paymentIntents.capture(id, { amount_to_capture: 3000 });
    expect(intent).toMatchObject({ status: 'succeeded', amount: 4500, amount_received: 3000, amount_capturable: 0 });
    const charge = await stripe.charges.retrieve(String(intent.latest_charge), {
      expand: ['balance_transaction', 'refunds'],
    });
    expect(charge).toMatchObject({ amount_captured: 3000, amount_refunded: 1500, refunded: false });
    expect(charge.balance_transaction).toMatchObject({ amount: 3000, fee: 67 });
    expect(charge.refunds?.data).toMatchObject([{ amount: 1500, status: 'succeeded', balance_transaction: null }]);
    expect((await stripe.refunds.create({ payment_intent: id })).amount).toBe(3000);
  });

  it('refuses more than was authorised', async () => {
    const { id } = await stripe.paymentIntents.create(manual);
    const error = await refusal(stripe.paymentIntents.capture(id, { amount_to_capture: 4501 }));
    expect(error).toMatchObject({ code: 'amount_too_large', param: 'amount_to_capture' });
  });

  it('captures once when ten ask at once', async () => {
    const { id } = await stripe.paymentIntents.create(manual);
    const tries = await Promise.allSettled(Array.from({ length: 10 }, () => stripe.paymentIntents.capture(id)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await stripe.balanceTransactions.list()).data).toHaveLength(1);
  });

  it('cancels the payment when the authorisation expires', async () => {
    await control(bench.sandbox.url, 'POST', '/sandbox/settings', { captureWindowMs: 1 });
    const { id } = await stripe.paymentIntents.create(manual);
    await until('it expires', async () => (await stripe.paymentIntents.retrieve(id)).status === 'canceled');
    const intent = await stripe.paymentIntents.retrieve(id);
    expect(intent).toMatchObject({ cancellation_reason: 'automatic', amount_capturable: 0 });
    const refunds = await stripe.refunds.list({ payment_intent: id });
    expect(refunds.data).toMatchObject([{ reason: 'expired_uncaptured_charge', balance_transaction: null }]);
    expect((await refusal(stripe.paymentIntents.capture(id))).code).toBe('payment_intent_unexpected_state');
  });
});

describe('cancelling', () => {
  it('gives back what is held', async () => {
    const { id } = await stripe.paymentIntents.create(manual);
    const intent = await stripe.paymentIntents.cancel(id, { cancellation_reason: 'requested_by_customer' });
    expect(intent).toMatchObject({
      status: 'canceled',
      amount_capturable: 0,
      cancellation_reason: 'requested_by_customer',
    });
    expect(intent.canceled_at).not.toBeNull();
    expect(await latestCharge(intent)).toMatchObject({ captured: false, refunded: true, amount_refunded: 4500 });
    expect((await stripe.balanceTransactions.list()).data).toEqual([]);
  });

  it('is refused once the payment has succeeded, with the payment in the error', async () => {
    const { id } = await stripe.paymentIntents.create(CARD_PAYMENT);
    const error = await refusal(stripe.paymentIntents.cancel(id));
    expect(error).toMatchObject({ statusCode: 400, code: 'payment_intent_unexpected_state' });
    expect(error.payment_intent).toMatchObject({ id, status: 'succeeded' });
  });

  it('wins or loses against a capture, never both', async () => {
    const { id } = await stripe.paymentIntents.create(manual);
    const [captured, canceled] = await Promise.allSettled([
      stripe.paymentIntents.capture(id),
      stripe.paymentIntents.cancel(id),
    ]);
    expect([captured.status, canceled.status].sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('states', () => {
  it('forbid confirming and capturing what has succeeded, and changing its amount', async () => {
    const { id } = await stripe.paymentIntents.create(CARD_PAYMENT);
    for (const request of [
      stripe.paymentIntents.confirm(id),
      stripe.paymentIntents.capture(id),
      stripe.paymentIntents.update(id, { amount: 5000 }),
    ]) {
      expect((await refusal(request)).code).toBe('payment_intent_unexpected_state');
    }
  });

  it('forbid confirming without a payment method', async () => {
    const { id } = await stripe.paymentIntents.create(UNPAID);
    expect((await refusal(stripe.paymentIntents.confirm(id))).message).toContain('missing a payment method');
  });

  it('allow changing amount and method before, and metadata always', async () => {
    const { id } = await stripe.paymentIntents.create(UNPAID);
    const changed = await stripe.paymentIntents.update(id, { amount: 5000, payment_method: 'pm_card_visa' });
    expect(changed).toMatchObject({ amount: 5000, status: 'requires_confirmation' });
    await stripe.paymentIntents.confirm(id);
    await stripe.paymentIntents.update(id, { metadata: { a: '1', b: '2' } });
    expect((await stripe.paymentIntents.update(id, { metadata: { a: '' } })).metadata).toEqual({ b: '2' });
    expect((await stripe.paymentIntents.update(id, { metadata: '' })).metadata).toEqual({});
  });
});

describe('parameters', () => {
  const base = { amount: 4500, currency: 'eur' };
  it.each<[string, object, object]>([
    ['unknown', { colour: 'red' }, { code: 'parameter_unknown', param: 'colour' }],
    ['unknown inside', { shipping: { name: 'A', address: { planet: 'x' } } }, { param: 'shipping[address][planet]' }],
    ['missing', { amount: undefined }, { code: 'parameter_missing', param: 'amount' }],
    ['fractional', { amount: 10.5 }, { code: 'parameter_invalid_integer', param: 'amount' }],
    ['negative', { amount: -100 }, { code: 'parameter_invalid_integer', param: 'amount' }],
    ['zero', { amount: 0 }, { code: 'parameter_invalid_integer', param: 'amount' }],
    ['too small', { amount: 49 }, { code: 'amount_too_small', param: 'amount' }],
    ['too small in zloty', { amount: 199, currency: 'pln' }, { code: 'amount_too_small', param: 'amount' }],
    ['too small in forint', { amount: 17_499, currency: 'huf' }, { code: 'amount_too_small', param: 'amount' }],
    ['a part of a króna', { amount: 4_550, currency: 'isk' }, { param: 'amount' }],
    ['a part of a shilling', { amount: 450_001, currency: 'ugx' }, { param: 'amount' }],
    ['not a multiple of ten fils', { amount: 4_505, currency: 'kwd' }, { param: 'amount' }],
    ['too large', { amount: 100_000_000 }, { code: 'amount_too_large', param: 'amount' }],
    ['no currency', { currency: 'xxx' }, { param: 'currency' }],
    ['no choice', { capture_method: 'sometimes' }, { param: 'capture_method' }],
    ['empty', { payment_method: '' }, { code: 'parameter_invalid_empty', param: 'payment_method' }],
    ['no such method', { payment_method: 'pm_nope' }, { code: 'resource_missing', param: 'payment_method' }],
    ['no such customer', { customer: 'cus_nope' }, { code: 'resource_missing', param: 'customer' }],
    ['too early', { off_session: true }, { code: 'payment_intent_invalid_parameter', param: 'off_session' }],
    ['not expandable', { expand: ['status'] }, { message: expect.stringContaining('cannot be expanded (status)') }],
    ['nested metadata', { metadata: { a: { b: 'c' } } }, { param: 'metadata[a]' }],
    ['of old', { payment_method_types: ['card'] }, { code: 'payment_method_types_no_longer_supported' }],
    ['without cards', { allowed_payment_method_types: ['ideal'] }, { param: 'allowed_payment_method_types' }],
  ])('are refused when %s', async (_, params, expected) => {
    const error = await refusal(stripe.paymentIntents.create({ ...base, ...params }));
    expect(error).toMatchObject({ statusCode: 400, rawType: 'invalid_request_error', ...expected });
    expect((await stripe.paymentIntents.list()).data).toEqual([]);
  });

  it('answer 404 for an unknown object in the path', async () => {
    const error = await refusal(stripe.paymentIntents.retrieve('pi_nope'));
    expect(error).toMatchObject({ statusCode: 404, code: 'resource_missing' });
  });
});

describe('customers and their cards', () => {
  it('pays with an attached card only for its customer', async () => {
    const owner = await stripe.customers.create({ email: 'a@example.com' });
    const other = await stripe.customers.create();
    const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: owner.id });
    const payment = { ...CARD_PAYMENT, payment_method: method.id };
    expect((await refusal(stripe.paymentIntents.create(payment))).param).toBe('payment_method');
    const foreign = stripe.paymentIntents.create({ ...payment, customer: other.id });
    expect((await refusal(foreign)).param).toBe('payment_method');
    const paid = await stripe.paymentIntents.create({ ...payment, customer: owner.id, expand: ['customer'] });
    expect(paid.customer).toMatchObject({ id: owner.id, email: 'a@example.com' });
    expect((await stripe.paymentIntents.list({ customer: owner.id })).data.map(({ id }) => id)).toEqual([paid.id]);
    expect((await stripe.charges.list({ customer: owner.id })).data).toHaveLength(1);
  });

  it('keeps the card for later when asked to', async () => {
    const { id } = await stripe.customers.create();
    const intent = await stripe.paymentIntents.create({
      ...CARD_PAYMENT,
      customer: id,
      setup_future_usage: 'off_session',
    });
    const kept = await stripe.customers.listPaymentMethods(id);
    expect(kept.data.map((method) => method.id)).toEqual([intent.payment_method]);
  });
});

describe('lists', () => {
  it('page forwards and backwards, newest first', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift((await stripe.paymentIntents.create(CARD_PAYMENT)).id);
    const first = await stripe.paymentIntents.list({ limit: 2 });
    expect(first).toMatchObject({ has_more: true, url: '/v1/payment_intents' });
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const rest = await stripe.paymentIntents.list({ limit: 3, starting_after: ids[1] });
    expect(rest.has_more).toBe(false);
    expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(2));
    const before = await stripe.paymentIntents.list({ limit: 2, ending_before: ids[4] });
    expect(before.has_more).toBe(true);
    expect(before.data.map(({ id }) => id)).toEqual(ids.slice(2, 4));
    const all: string[] = [];
    for await (const intent of stripe.paymentIntents.list({ limit: 2 })) all.push(intent.id);
    expect(all).toEqual(ids);
  });

  it('select by time and expand their items', async () => {
    const { created } = await stripe.paymentIntents.create(CARD_PAYMENT);
    expect((await stripe.paymentIntents.list({ created: { gt: created } })).data).toEqual([]);
    const found = await stripe.paymentIntents.list({ created: { gte: created }, expand: ['data.latest_charge'] });
    expect(found.data[0]?.latest_charge).toMatchObject({ object: 'charge' });
  });

  it('refuse a limit or a cursor that cannot be', async () => {
    expect((await refusal(stripe.paymentIntents.list({ limit: 101 }))).param).toBe('limit');
    const error = await refusal(stripe.paymentIntents.list({ starting_after: 'pi_nope' }));
    expect(error).toMatchObject({ code: 'resource_missing', param: 'starting_after' });
  });
});
