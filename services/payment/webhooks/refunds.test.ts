import {
  type BookingCharge,
  chargeBooking,
  EUR,
  newBooking,
  type PaymentStack,
  startPaymentStack,
  until,
  webhooksAt,
} from '../../../tests/support/payment';
import { listRefunds } from '../refunds/store/refunds';

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

const { quiet, intentOf, stateOf, deliver, event } = webhooksAt(() => stack);

describe('a webhook', () => {
  /** A refund of all of a booking that its bank returns at once, with the webhooks of that. */
  async function returned() {
    await stack.control('POST', '/settings', { refundDelayMs: 100 });
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card: 'pm_card_refundFail' });
    const wanted = { amount: null, reason: 'r', requestedBy: null };
    const refund = await stack.post(`/payments/${body.paymentId}/refunds`, `${booking.key}/refund`, wanted);
    const { refundId } = refund.body;
    await stack.webhooksOn();
    const sent = await stack.post(`/refunds/${refundId}/submit`, `refund:${refundId}/submit`);
    expect(sent.body.status).toBe('succeeded');
    await stack.post(`/refunds/${refundId}/close`, `refund:${refundId}/close`, { as: 'succeeded' });
    await until(async () => (await stack.events(refundId)).includes('RefundFailed'));
    await quiet();
    await stack.webhooksOff();
    await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
    return { booking, refundId, paymentId: body.paymentId };
  }

  const ofRefund = ({ refundId }: { refundId: string }) =>
    stack.signals.filter(({ workflowId }) => workflowId === `refund:${refundId}`);

  /** The same news of the refund once more, late. */
  async function sameNewsAgain(type: string, { booking }: { booking: BookingCharge }) {
    const intent = await intentOf(booking);
    const again = event(type, { object: 'refund', id: 're_whichever', payment_intent: intent });
    expect((await deliver(again)).status).toBe(200);
  }

  test('of a refund that failed after it had succeeded reverses it and begins its saga again', async () => {
    const refund = await returned();
    const now = await stateOf(refund.paymentId);
    expect(now).toMatchObject({ status: 'captured', refunded: EUR(0) });
    const { refundId, paymentId, booking } = refund;
    expect(ofRefund(refund)).toContainEqual({
      workflowId: `refund:${refundId}`,
      name: 'refundChanged',
      argument: { refundId, version: now.version },
      wokenWith: { refundId, paymentId, bookingId: booking.bookingId },
    });
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });

  test('that repeats what an operator has settled by other means calls nobody again', async () => {
    const refund = await returned();
    const news = ['refund.updated', 'refund.failed', 'charge.refund.updated', 'charge.refunded'];
    const before = ofRefund(refund).length;
    for (const type of news) await sameNewsAgain(type, refund);
    // Nobody has answered yet: should its saga have been terminated, it begins again.
    expect(ofRefund(refund)).toHaveLength(before + news.length);
    await stack.post(`/refunds/${refund.refundId}/close`, `refund:${refund.refundId}/close-2`, { as: 'failed' });
    for (const type of news) await sameNewsAgain(type, refund);
    expect(ofRefund(refund)).toHaveLength(before + news.length);
  });

  test('of a first try’s failure that comes after the second one was made changes nothing', async () => {
    const refund = await returned();
    const { refundId, paymentId } = refund;
    await stack.post(`/refunds/${refundId}/retry`, `refund:${refundId}/submit-2`, { number: 2 });
    await stack.post(`/refunds/${refundId}/close`, `refund:${refundId}/close-2`, { as: 'succeeded' });
    const before = ofRefund(refund).length;
    const state = await stateOf(paymentId);
    expect(state).toMatchObject({ status: 'refunded', refunded: EUR(4500) });
    await sameNewsAgain('refund.failed', refund);
    expect(await stateOf(paymentId)).toEqual(state);
    expect(ofRefund(refund)).toHaveLength(before);
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });

  test('of a refund in Stripe’s dashboard has a saga show it to the booking', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    await stack.webhooksOn();
    await stack.stripe.refunds.create({ payment_intent: await intentOf(booking), amount: 700 });
    await until(async () => (await stateOf(body.paymentId)).refunded.amount === 700);
    await quiet();
    const [refund] = await listRefunds(stack.till.db, body.paymentId);
    expect(refund).toMatchObject({ origin: 'stripe', status: 'succeeded' });
    expect(ofRefund({ refundId: String(refund?.id) })[0]).toMatchObject({
      wokenWith: { refundId: refund?.id, paymentId: body.paymentId, bookingId: booking.bookingId },
    });
  });
});
