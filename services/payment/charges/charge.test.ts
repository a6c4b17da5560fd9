import {
  chargeBooking,
  chargesAt,
  EUR,
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

const { intentsOf, holding, expectLedgerIsStripes } = chargesAt(() => stack);

describe('charging a booking', () => {
  test('takes the money and books it with the platform fee and what Stripe keeps', async () => {
    const booking = newBooking();
    const before = await stack.ledger();
    const reply = await chargeBooking(stack, booking);
    expect(reply).toMatchObject({
      status: 200,
      body: {
        bookingId: booking.bookingId,
        status: 'captured',
        amount: EUR(4500),
        captured: EUR(4500),
        refunded: EUR(0),
        clientSecret: null,
        captureBefore: null,
        declineCode: null,
      },
    });
    const after = await stack.ledger();
    const moved = (account: string) => (after[account] ?? 0) - (before[account] ?? 0);
    expect(moved(`tutor_pending:${booking.payeeId}`)).toBe(-3825);
    expect(moved('platform_revenue')).toBe(-675);
    expect(moved('stripe_fees')).toBe(88);
    expect(moved('stripe_balance')).toBe(4412);
    await expectLedgerIsStripes();
    expect(await stack.events(reply.body.paymentId)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  test('tells Stripe whose payment it is and nothing about people', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const [intent] = await intentsOf(booking);
    expect(intent).toMatchObject({
      metadata: { paymentId: body.paymentId, bookingId: booking.bookingId },
      description: 'Tutoring session',
      customer: null,
      receipt_email: null,
      setup_future_usage: null,
    });
  });

  test('is made for the Stripe customer of a payer who has one', async () => {
    const booking = newBooking();
    const account = { userId: booking.payerId, role: 'student', email: 'ada@example.org', name: 'Ada' };
    expect((await stack.post('/accounts', `user:${booking.payerId}/account`, account)).status).toBe(201);
    await chargeBooking(stack, booking);
    expect(await intentsOf(booking)).toMatchObject([{ customer: expect.stringMatching(/^cus_/), status: 'succeeded' }]);
  });

  test('ten at once under one key charge once and agree', async () => {
    const booking = newBooking();
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => retried(() => chargeBooking(stack, booking), 40)),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ body }) => body.paymentId)).size).toBe(1);
    expect(await holding(booking)).toEqual(['succeeded']);
    await expectLedgerIsStripes();
  });

  test('under another key finds the payment that the booking has', async () => {
    const booking = newBooking();
    const first = await chargeBooking(stack, booking);
    const second = await chargeBooking(stack, { ...booking, key: `${booking.key}-again` });
    expect(second.body).toEqual(first.body);
    expect(await holding(booking)).toEqual(['succeeded']);
  });

  test('with another amount is refused: a booking has one payment', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const other = await chargeBooking(stack, booking, { amount: 4600 });
    expect(other).toMatchObject({ status: 409, body: { code: 'conflict' } });
  });

  test('under a key that was used for another booking is refused', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const other = await chargeBooking(stack, { ...newBooking(), key: booking.key });
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('needs a key, a service token and a card token', async () => {
    const booking = newBooking();
    const keyless = await stack.post(`/bookings/${booking.bookingId}/payment`, undefined, {});
    expect(keyless.body.code).toBe('validation_failed');
    const path = `/internal/bookings/${booking.bookingId}/payment`;
    expect((await stack.service.ask('POST', path, { key: 'k', body: {} })).status).toBe(401);
    const card = await chargeBooking(stack, booking, { card: '4242424242424242' });
    expect(card).toMatchObject({ status: 422, body: { errors: [{ path: 'paymentMethodId' }] } });
  });
});

describe('a declined card', () => {
  test('is answered with Stripe’s decline code, again and again, and the intent is closed for good', async () => {
    const booking = newBooking();
    const card = 'pm_card_visa_chargeDeclinedInsufficientFunds';
    const first = await chargeBooking(stack, booking, { card });
    expect(first).toMatchObject({
      status: 402,
      body: { code: 'payment_declined', declineCode: 'insufficient_funds', paymentId: expect.any(String) },
    });
    const second = await chargeBooking(stack, booking, { card });
    expect(second.body).toEqual({ ...first.body, requestId: second.body.requestId });
    expect((await intentsOf(booking)).map(({ status }) => status)).toEqual(['canceled']);
    // Declined, its intent lies open for a moment.
    expect(await stack.events(first.body.paymentId)).toEqual(['PaymentRequested', 'PaymentChanged', 'PaymentFailed']);
    await expectLedgerIsStripes();
  });

  test('stays declined when we crash between the decline and the end of its intent', async () => {
    const booking = newBooking();
    await stack.fault({ kind: 'error_500', match: { path: '/v1/payment_intents/*/cancel' } });
    const card = 'pm_card_visa_chargeDeclined';
    expect((await chargeBooking(stack, booking, { card })).status).toBe(503);
    const reply = await retried(() => chargeBooking(stack, booking, { card }));
    expect(reply).toMatchObject({ status: 402, body: { declineCode: 'generic_decline' } });
    expect((await intentsOf(booking)).map(({ status }) => status)).toEqual(['canceled']);
  });

  test('that does not exist is declined too', async () => {
    const booking = newBooking();
    const reply = await chargeBooking(stack, booking, { card: 'pm_unknown' });
    expect(reply).toMatchObject({ status: 402, body: { code: 'payment_declined', declineCode: 'resource_missing' } });
    expect(await stack.events(reply.body.paymentId)).toEqual(['PaymentRequested', 'PaymentFailed']);
  });
});

describe('an authorisation', () => {
  test('reserves the amount until a date, posts nothing, and is captured once', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    expect(body).toMatchObject({ status: 'authorized', captured: EUR(0) });
    const days = (Date.parse(body.captureBefore) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect((await stack.ledger())[`tutor_pending:${booking.payeeId}`]).toBeUndefined();

    const capture = () => stack.post(`/payments/${body.paymentId}/capture`, `booking:${booking.bookingId}/capture`);
    expect((await capture()).body).toMatchObject({ status: 'captured', captured: EUR(4500), captureBefore: null });
    expect((await capture()).body.status).toBe('captured');
    expect((await stack.ledger())[`tutor_pending:${booking.payeeId}`]).toBe(-3825);
    await expectLedgerIsStripes();
    expect(await stack.events(body.paymentId)).toEqual(['PaymentRequested', 'PaymentAuthorized', 'PaymentSucceeded']);
  });

  test('that has lapsed is refused with payment_failed and is void', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    const [intent] = await intentsOf(booking);
    await stack.stripe.paymentIntents.cancel(String(intent?.id));
    const capture = () => stack.post(`/payments/${body.paymentId}/capture`, `booking:${booking.bookingId}/capture`);
    expect(await capture()).toMatchObject({ status: 409, body: { code: 'payment_failed' } });
    expect(await capture()).toMatchObject({ status: 409, body: { code: 'payment_failed' } });
    expect(await stack.events(body.paymentId)).toEqual(['PaymentRequested', 'PaymentAuthorized', 'PaymentVoided']);
  });

  test('cannot be captured before the customer has completed 3-D Secure', async () => {
    const booking = newBooking();
    const card = 'pm_card_threeDSecure2Required';
    const { body } = await chargeBooking(stack, booking, { capture: 'manual', card });
    const early = await stack.post(`/payments/${body.paymentId}/capture`, `booking:${booking.bookingId}/capture`);
    expect(early).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
  });

  test('captured in part in Stripe’s dashboard is booked as what was taken', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    const [intent] = await intentsOf(booking);
    await stack.stripe.paymentIntents.capture(String(intent?.id), { amount_to_capture: 1001 });
    const refreshed = await stack.post(`/payments/${body.paymentId}/refresh`);
    expect(refreshed.body).toMatchObject({ status: 'captured', captured: EUR(1001), refunded: EUR(0) });
    expect((await stack.ledger())[`tutor_pending:${booking.payeeId}`]).toBe(-851); // 1001 − 150.15 rounded half up
    await expectLedgerIsStripes();
  });
});

test('an intent that Stripe has lost is a fault for an operator, not a payment that came to nothing', async () => {
  const booking = newBooking();
  const { body } = await chargeBooking(stack, booking);
  await stack.service.database
    .sql`update payments set stripe_intent_id = ${`pi_${booking.bookingId}`} where id = ${body.paymentId}`;
  expect(await stack.post(`/payments/${body.paymentId}/refresh`)).toMatchObject({
    status: 500,
    body: { code: 'internal' },
  });
});

test('unknown payments are not found', async () => {
  const { bookingId: nobody } = newBooking();
  for (const path of ['charge', 'capture', 'refresh', 'abandon', 'earnings/release'])
    expect((await stack.post(`/payments/${nobody}/${path}`, `none/${path}`)).body.code).toBe('not_found');
  expect((await stack.service.internal('GET', `/internal/payments/${nobody}`)).status).toBe(404);
});
