import {
  type Caller,
  chargeBooking,
  chargesAt,
  despite,
  dyingAfter,
  EUR,
  HANG_MS,
  newBooking,
  ofBooking,
  type PaymentStack,
  retried,
  startPaymentStack,
} from '../../../tests/support/payment';
import { charge } from './charge';
import { beginCharge } from './store/attempts';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { holding, expectLedgerIsStripes } = chargesAt(() => stack);

// What Stripe or the network may do to the request that makes the charge. `times: 2`: the SDK itself repeats a request once
// whose connection was closed, under the same key.
const FAULTS: [string, Record<string, unknown>][] = [
  ['500 before the effect, stored under the key', { kind: 'error_500' }],
  ['500 before the effect, not stored', { kind: 'error_500', stored: false }],
  ['500 after the effect', { kind: 'error_500_after' }],
  ['429', { kind: 'rate_limit_429', retryAfterSeconds: 1 }],
  ['connection closed before the effect', { kind: 'drop_before', times: 2 }],
  ['connection closed after the effect', { kind: 'drop_after', times: 2 }],
  ['reply cut off after the effect', { kind: 'truncate_after' }],
  ['no answer, effect later', { kind: 'hang', ms: HANG_MS, when: 'before' }],
  ['no answer, effect first', { kind: 'hang', ms: HANG_MS, when: 'after' }],
];

describe('whatever happens to the request at Stripe, the money is taken exactly once', () => {
  test.each(FAULTS)('charge: %s', async (_, fault) => {
    const booking = newBooking();
    const match = { method: 'POST', path: '/v1/payment_intents' };
    const reply = await despite(stack, { ...fault, match }, (by) => chargeBooking(by, booking));
    expect(reply).toMatchObject({ status: 200, body: { status: 'captured' } });
    expect(await holding(booking)).toEqual(['succeeded']);
    await expectLedgerIsStripes();
  });

  test.each(FAULTS.filter(([, { kind }]) => kind !== 'hang'))('authorise: %s', async (_, fault) => {
    const booking = newBooking();
    await stack.fault({ ...fault, match: { method: 'POST', path: '/v1/payment_intents' } });
    const reply = await retried(() => chargeBooking(stack, booking, { capture: 'manual' }), 40);
    expect(reply).toMatchObject({ status: 200, body: { status: 'authorized' } });
    expect(await holding(booking)).toEqual(['requires_capture']);
  });

  test.each(FAULTS)('capture: %s', async (_, fault) => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    const match = { path: '/v1/payment_intents/*/capture' };
    const capture = (by: Caller) =>
      by.post(`/payments/${body.paymentId}/capture`, `booking:${booking.bookingId}/capture`);
    const reply = await despite(stack, { ...fault, match }, capture);
    expect(reply).toMatchObject({ status: 200, body: { status: 'captured', captured: EUR(4500) } });
    await expectLedgerIsStripes();
  });

  test('a storm of 500s ends with one charge', async () => {
    const booking = newBooking();
    await stack.fault({ kind: 'error_500', match: { method: 'POST', path: '/v1/payment_intents' }, times: 3 });
    const reply = await retried(() => chargeBooking(stack, booking));
    expect(reply.body.status).toBe('captured');
    expect(await holding(booking)).toEqual(['succeeded']);
    const attempts = await stack.service.database.sql`
      select number, outcome from stripe_attempts where step_key = ${booking.key} order by number`;
    expect(attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
      [1, 'nothing'],
      [2, 'nothing'],
      [3, 'nothing'],
      [4, 'done'],
    ]);
  });

  test('Stripe’s wish to slow down is passed on', async () => {
    await stack.fault({ kind: 'rate_limit_429', retryAfterSeconds: 7, match: { path: '/v1/payment_intents' } });
    const reply = await chargeBooking(stack, newBooking());
    expect(reply).toMatchObject({ status: 429, body: { code: 'rate_limited' }, headers: { 'retry-after': '7' } });
  });
});

describe('a crash between Stripe’s effect and our commit', () => {
  test('of a charge: the repeated step finds what was charged', async () => {
    const booking = newBooking();
    const body = {
      payerId: booking.payerId,
      payeeId: booking.payeeId,
      amount: EUR(4500),
      paymentMethodId: 'pm_card_visa',
    };
    const wanted = { ...body, capture: 'automatic' as const };
    const { db, feePercent } = stack.till;
    const begun = await beginCharge(db, booking.key, ofBooking(booking.bookingId), wanted, feePercent);
    const { stripe } = stack.till;
    const dying = { ...stack.till, stripe: { ...stripe, createIntent: dyingAfter(stripe.createIntent) } };
    await expect(charge(dying, begun)).rejects.toThrow('the process died');
    expect(await holding(booking)).toEqual(['succeeded']);
    const reply = await chargeBooking(stack, booking);
    expect(reply.body).toMatchObject({ status: 'captured', captured: EUR(4500) });
    expect(await holding(booking)).toEqual(['succeeded']);
    await expectLedgerIsStripes();
  });

  test('of a charge: a refresh finds it too', async () => {
    const booking = newBooking();
    const body = {
      payerId: booking.payerId,
      payeeId: booking.payeeId,
      amount: EUR(4500),
      paymentMethodId: 'pm_card_visa',
    };
    const wanted = { ...body, capture: 'automatic' as const };
    const { db, feePercent } = stack.till;
    const begun = await beginCharge(db, booking.key, ofBooking(booking.bookingId), wanted, feePercent);
    if (!begun.attempt) throw new Error('nothing was begun');
    const { id: paymentId } = begun.payment;
    expect((await stack.post(`/payments/${paymentId}/refresh`)).body.status).toBe('pending');
    const amount = EUR(4500);
    const params = {
      ...body,
      amount,
      paymentId,
      subject: ofBooking(booking.bookingId),
      customerId: null,
      capture: 'automatic' as const,
    };
    await stack.till.stripe.createIntent(begun.attempt.stripeKey, params);
    expect((await stack.post(`/payments/${paymentId}/refresh`)).body.status).toBe('captured');
    await expectLedgerIsStripes();
  });
});
