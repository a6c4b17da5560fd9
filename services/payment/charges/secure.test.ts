import {
  chargeBooking,
  chargesAt,
  newBooking,
  type PaymentStack,
  retried,
  startPaymentStack,
} from '../../../tests/support/payment';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { intentsOf, holding, completeSecure, expectLedgerIsStripes } = chargesAt(() => stack);

describe('3-D Secure', () => {
  const card = 'pm_card_threeDSecure2Required';

  test('hands out the client secret, and a refresh finds the payment taken although no webhook came', async () => {
    const booking = newBooking();
    const waiting = await chargeBooking(stack, booking, { card });
    expect(waiting.body).toMatchObject({ status: 'requires_action', clientSecret: expect.stringMatching(/_secret_/) });
    await completeSecure(booking);
    const paid = await stack.post(`/payments/${waiting.body.paymentId}/refresh`);
    expect(paid).toMatchObject({ status: 200, body: { status: 'captured', clientSecret: null } });
    expect(paid.body.version).toBeGreaterThan(waiting.body.version);
    await expectLedgerIsStripes();
  });

  test('that fails ends the payment, so that nobody can pay it later with another card', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card });
    await completeSecure(booking, 'fail');
    const refreshed = await stack.post(`/payments/${body.paymentId}/refresh`);
    expect(refreshed.body).toMatchObject({
      status: 'failed',
      declineCode: 'payment_intent_authentication_failure',
      clientSecret: null,
    });
    expect((await intentsOf(booking)).map(({ status }) => status)).toEqual(['canceled']);
  });

  test('that nobody completes is abandoned: the intent is cancelled', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card });
    const abandon = () => stack.post(`/payments/${body.paymentId}/abandon`, `${booking.key}/abandon`);
    expect((await abandon()).body).toMatchObject({ status: 'voided', clientSecret: null });
    expect((await abandon()).body.status).toBe('voided');
    expect((await intentsOf(booking)).map(({ status }) => status)).toEqual(['canceled']);
    const late = await chargeBooking(stack, booking, { card });
    expect(late).toMatchObject({ status: 409, body: { code: 'payment_expired', paymentId: body.paymentId } });
    expect(await stack.events(body.paymentId)).toEqual(['PaymentRequested', 'PaymentActionRequired', 'PaymentVoided']);
  });

  test.each(['manual', 'automatic'] as const)(
    'completed a moment before it is abandoned goes on (%s capture)',
    async (capture) => {
      const booking = newBooking();
      const { body } = await chargeBooking(stack, booking, { card, capture });
      await completeSecure(booking);
      const abandoned = await stack.post(`/payments/${body.paymentId}/abandon`, `${booking.key}/abandon`);
      expect(abandoned.body.status).toBe(capture === 'manual' ? 'authorized' : 'captured');
      expect(await holding(booking)).toEqual([capture === 'manual' ? 'requires_capture' : 'succeeded']);
    },
  );

  test('of a payment that was never sent to Stripe is abandoned without leaving anything', async () => {
    const booking = newBooking();
    await stack.fault({ kind: 'drop_before', match: { method: 'POST', path: '/v1/payment_intents' }, times: 2 });
    expect((await chargeBooking(stack, booking)).status).toBe(503);
    const [row] = await stack.service.database.sql`select id from payments where booking_id = ${booking.bookingId}`;
    const abandoned = await stack.post(`/payments/${row?.id}/abandon`, `${booking.key}/abandon`);
    expect(abandoned.body.status).toBe('voided');
    expect(await holding(booking)).toEqual([]);
    const late = await retried(() => chargeBooking(stack, booking));
    expect(late.body.code).toBe('payment_expired');
    expect(await holding(booking)).toEqual([]);
  });
});
