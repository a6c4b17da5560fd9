import {
  type BookingCharge,
  chargeBooking,
  EUR,
  newBooking,
  ofBooking,
  type PaymentStack,
  startPaymentStack,
  until,
  webhooksAt,
} from '../../../tests/support/payment';
import { beginCharge } from '../charges/store/attempts';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
beforeEach(() => stack.webhooksOff());
afterEach(async () => {
  stack.temporal.isDown = false;
  await stack.noFaults();
});

const { quiet, intentOf, stateOf, deliver, event, asked } = webhooksAt(() => stack);

// Alone, because what Stripe has not explained is missing in the ledger, which other tests hold against Stripe's balance.
describe('where Stripe tells of its fee later, a webhook', () => {
  /** A booking's payment that Stripe takes, and whose fee it tells of only `asyncCaptureDelayMs` later. */
  async function chargeWithoutFee(asyncCaptureDelayMs: number): Promise<BookingCharge> {
    const booking = newBooking();
    const { payerId, payeeId, bookingId, key } = booking;
    const wanted = {
      payerId,
      payeeId,
      amount: EUR(4500),
      paymentMethodId: 'pm_card_visa',
      capture: 'automatic' as const,
    };
    const { payment } = await beginCharge(stack.till.db, key, ofBooking(bookingId), wanted, stack.till.feePercent);
    await stack.control('POST', '/settings', { asyncCaptureDelayMs });
    const { id } = await stack.stripe.paymentIntents.create({
      amount: 4500,
      currency: 'eur',
      payment_method: 'pm_card_visa',
      capture_method: 'automatic_async',
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { paymentId: payment.id, bookingId },
    });
    await stack.control('POST', '/settings', { asyncCaptureDelayMs: 0 });
    await deliver(event('payment_intent.succeeded', { object: 'payment_intent', id }));
    expect((await stateOf(payment.id)).status).toBe('captured');
    return booking;
  }

  test('of money whose fee is not known yet, or was followed by a refund, asks Stripe', async () => {
    const booking = await chargeWithoutFee(3_600_000);
    const refunded = newBooking();
    const { body } = await chargeBooking(stack, refunded);
    const wanted = { amount: EUR(700), reason: 'r', requestedBy: null };
    const refund = await stack.post(`/payments/${body.paymentId}/refunds`, `${refunded.key}/refund`, wanted);
    await stack.post(`/refunds/${refund.body.refundId}/submit`, `refund:${refund.body.refundId}/submit`);
    for (const each of [booking, refunded]) {
      const id = await intentOf(each);
      const before = await asked(id);
      await deliver(event('charge.updated', { object: 'charge', id: 'ch_1', payment_intent: id }));
      expect(await asked(id)).toBe(before + 1);
    }
  });

  test('of a fee that Stripe knew later brings it into the ledger', async () => {
    const owed = async () => (await stack.stripeBalance()) - ((await stack.ledger()).stripe_balance ?? 0);
    const before = await owed();
    await stack.webhooksOn();
    await chargeWithoutFee(50);
    await until(async () => (await owed()) === before);
    await quiet();
  });
});
