import {
  chargeBooking,
  EUR,
  newBooking,
  type PaymentStack,
  retried,
  settleBooking,
  settlementsAt,
  startPaymentStack,
} from '../../../tests/support/payment';
import { requestPayment } from '../charges/store/requests';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { atStripe, expectZero, expectRefused } = settlementsAt(() => stack);

describe('settling a booking to zero', () => {
  test('before there is a payment leaves a mark: the step that comes late is refused and charges nothing', async () => {
    const booking = newBooking();
    expect(await settleBooking(stack, booking)).toMatchObject({ status: 200, body: { payment: null } });
    await expectRefused(booking);
    expect(await atStripe(booking)).toEqual([]);
    expect((await settleBooking(stack, booking)).body).toEqual({ payment: null });
  });

  test('voids an authorisation', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { capture: 'manual' });
    const { body } = await settleBooking(stack, booking);
    expect(body.payment).toMatchObject({ status: 'voided', captured: EUR(0), refunded: EUR(0) });
    expect((await atStripe(booking)).map(({ status }) => status)).toEqual(['canceled']);
    await expectRefused(booking);
    const late = await stack.post(`/payments/${body.payment.paymentId}/capture`, `${booking.key}/capture`);
    expect(late.body.code).toBe('undone');
    await expectZero(booking);
  });

  test('refunds what was taken', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const { body } = await settleBooking(stack, booking);
    expect(body.payment).toMatchObject({ status: 'refunded', captured: EUR(4500), refunded: EUR(4500) });
    await expectRefused(booking);
    await expectZero(booking);
    // Changed by being settled, by the refund that is promised, and by the refund that is made.
    const changes = Array.from({ length: 3 }, () => 'PaymentChanged');
    expect(await stack.events(body.payment.paymentId)).toEqual(['PaymentRequested', 'PaymentSucceeded', ...changes]);
    const [refund] = await stack.service.database
      .sql`select id, origin from refunds where payment_id = ${body.payment.paymentId}`;
    expect(refund?.origin).toBe('settlement');
    expect(await stack.events(refund?.id)).toEqual(['RefundRequested', 'RefundProcessed']);
  });

  test('refunds only what is left after a refund that was asked for', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const asked = await stack.post(`/payments/${body.paymentId}/refunds`, `${booking.key}/refund`, {
      amount: EUR(1500),
      reason: 'late',
      requestedBy: null,
    });
    await stack.post(`/refunds/${asked.body.refundId}/submit`, `refund:${asked.body.refundId}/submit`);
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    await expectZero(booking);
  });

  test('cancels what waits for 3-D Secure', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_threeDSecure2Required' });
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('voided');
    await expectZero(booking);
  });

  test('leaves a declined payment as it is', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_visa_chargeDeclined' });
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'failed',
      declineCode: 'generic_decline',
    });
    await expectRefused(booking);
  });

  test('believes Stripe, not its own row: paid by 3-D Secure without our knowing is refunded', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_threeDSecure2Required' });
    const [intent] = await atStripe(booking);
    await stack.control('POST', `/3ds/${intent?.id}/complete`);
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    await expectZero(booking);
  });

  test('counts what was refunded in Stripe’s dashboard', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const [intent] = await atStripe(booking);
    await stack.stripe.refunds.create({ payment_intent: String(intent?.id), amount: 4000 });
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    await expectZero(booking);
  });

  test('again, and ten times at once, refunds once', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        retried(() => settleBooking(stack, { ...booking, key: `${booking.key}-${n % 2}` }), 40),
      ),
    );
    for (const { status } of replies) expect(status).toBe(200);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    await expectZero(booking);
  });

  test('of a direct payment refuses its charge as well', async () => {
    const id = await directPayment();
    const settled = await stack.post(`/payments/${id}/settle`, `payment:${id}/charge/undo`);
    expect(settled.body.payment.status).toBe('voided');
    expect((await stack.post(`/payments/${id}/charge`, `payment:${id}/charge`)).body.code).toBe('undone');
    const { bookingId: nobody } = newBooking();
    expect((await stack.post(`/payments/${nobody}/settle`, 'none/undo')).body).toEqual({ payment: null });
  });
});

/** A direct payment as POST /api/payments stores it. */
async function directPayment(): Promise<string> {
  const { payerId, payeeId, key } = newBooking();
  await stack.post('/accounts', `user:${payeeId}/account`, {
    userId: payeeId,
    role: 'tutor',
    email: 't@example.org',
    name: 'T',
  });
  const wanted = { payeeId, amount: EUR(4500), paymentMethodId: 'pm_card_visa', description: 'Books' };
  const claim = await requestPayment(
    stack.till.db,
    { owner: payerId, key, fingerprint: 'f' },
    payerId,
    wanted,
    stack.till,
  );
  return claim.resourceId;
}
