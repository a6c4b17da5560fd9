import {
  type BookingCharge,
  chargeBooking,
  newBooking,
  type PaymentStack,
  retried,
  settleBooking,
  settlementsAt,
  startPaymentStack,
} from '../../../tests/support/payment';
import type { Till } from '../till';
import { readPayment } from './store/payments';
import { giveBackStray } from './stray';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { atStripe, expectZero } = settlementsAt(() => stack);

describe('an intent too many', () => {
  /** As Stripe may make it hours after it answered 500: confirmed, paid, with our metadata. */
  async function stray(booking: BookingCharge, paymentId: string, capture_method: 'automatic' | 'manual') {
    return stack.stripe.paymentIntents.create({
      amount: 4500,
      currency: 'eur',
      payment_method: 'pm_card_visa',
      capture_method,
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { paymentId, bookingId: booking.bookingId },
    });
  }

  test.each(['automatic', 'manual'] as const)('(%s) found while settling is given back too', async (capture) => {
    const booking = newBooking();
    await stack.fault({ kind: 'error_500', match: { method: 'POST', path: '/v1/payment_intents' } });
    const { body } = await retried(() => chargeBooking(stack, booking));
    await stray(booking, body.paymentId, capture);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    expect(await atStripe(booking)).toHaveLength(2);
    await expectZero(booking);
    expect((await settleBooking(stack, booking)).status).toBe(200);
    await expectZero(booking);
  });

  test.each([
    ['automatic', '/v1/refunds'],
    ['manual', '/v1/payment_intents/*/cancel'],
  ] as const)('(%s) is given back once, whatever happens to the request that does it', async (capture, path) => {
    const booking = newBooking();
    await stack.fault({ kind: 'error_500', match: { method: 'POST', path: '/v1/payment_intents' } });
    const { body } = await retried(() => chargeBooking(stack, booking));
    await stray(booking, body.paymentId, capture);
    await stack.fault({ kind: 'error_500', match: { method: 'POST', path } });
    await stack.fault({ kind: 'error_500_after', match: { method: 'POST', path, nth: 2 } });
    await stack.fault({ kind: 'error_500', match: { method: 'GET', nth: 8 } });
    expect((await retried(() => settleBooking(stack, booking))).body.payment.status).toBe('refunded');
    await expectZero(booking);
  });

  test('that was paid in the moment it was to be cancelled is refunded', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const late = await stray(booking, body.paymentId, 'manual');
    const row = await readPayment(stack.till.db, body.paymentId);
    const crossed: Till = {
      ...stack.till,
      stripe: {
        ...stack.till.stripe,
        cancelIntent: async (key, id) => {
          await stack.stripe.paymentIntents.capture(id);
          return stack.till.stripe.cancelIntent(key, id);
        },
      },
    };
    const intent = await stack.till.stripe.retrieveIntent(late.id);
    if (!intent) throw new Error('no intent');
    await giveBackStray(crossed, row, intent);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    await expectZero(booking);
  });

  test('whose refund Stripe refuses is told, and stays in the books as money that is nobody’s', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const late = await stray(booking, body.paymentId, 'automatic');
    const row = await readPayment(stack.till.db, body.paymentId);
    const intent = await stack.till.stripe.retrieveIntent(late.id);
    if (!intent) throw new Error('no intent');
    const revenue = (await stack.ledger()).platform_revenue ?? 0;
    const refusing: Till = {
      ...stack.till,
      stripe: {
        ...stack.till.stripe,
        createRefund: () => Promise.resolve({ kind: 'refused', code: 'charge_disputed' }),
      },
    };
    await expect(giveBackStray(refusing, row, intent)).rejects.toMatchObject({ code: 'refund_failed' });
    expect((await stack.ledger()).platform_revenue).toBe(revenue - 4500);
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });
});
