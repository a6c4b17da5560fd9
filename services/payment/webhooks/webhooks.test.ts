import {
  chargeBooking,
  EUR,
  newBooking,
  ofBooking,
  type PaymentStack,
  settleBooking,
  startPaymentStack,
  until,
  webhooksAt,
} from '../../../tests/support/payment';
import { beginCharge } from '../charges/store/attempts';

const SECURE = 'pm_card_threeDSecure2Required';

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

const { quiet, intentOf, complete, stateOf, deliver, event, logged, asked } = webhooksAt(() => stack);

describe('a webhook', () => {
  test('records what Stripe says now and wakes the saga that waits for it', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card: SECURE });
    await stack.webhooksOn();
    await complete(booking);
    await until(async () => (await stateOf(body.paymentId)).status === 'captured');
    await quiet();
    const { version } = await stateOf(body.paymentId);
    expect(stack.signals.filter(({ workflowId }) => workflowId === `booking:${booking.bookingId}`)).toContainEqual({
      workflowId: `booking:${booking.bookingId}`,
      name: 'paymentChanged',
      argument: { paymentId: body.paymentId, version },
    });
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });

  test('of a payment that was taken at once wakes nobody: the call that took it has told its saga', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const before = stack.signals.length;
    const told = event('payment_intent.succeeded', { object: 'payment_intent', id: await intentOf(booking) });
    expect((await deliver(told)).status).toBe(200);
    expect((await logged(told.id))?.processed_at).not.toBeNull();
    expect(stack.signals.length).toBe(before);
  });

  test('of money and a fee that are in the ledger asks Stripe nothing, unless it comes again after a crash', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const id = await intentOf(booking);
    const [state, ledger, before] = [await stateOf(body.paymentId), await stack.ledger(), await asked(id)];
    const told = event('payment_intent.succeeded', { object: 'payment_intent', id });
    expect((await deliver(told)).status).toBe(200);
    expect((await deliver(event('charge.updated', { object: 'charge', id: 'ch_1', payment_intent: id }))).status).toBe(
      200,
    );
    expect(await asked(id)).toBe(before);
    await stack.service.database.sql`update stripe_webhooks_log set processed_at = null where event_id = ${told.id}`;
    expect((await deliver(told)).status).toBe(200);
    expect(await asked(id)).toBe(before + 1);
    expect([await stateOf(body.paymentId), await stack.ledger()]).toEqual([state, ledger]);
  });

  test('that comes twice is acted on once', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: SECURE });
    await complete(booking);
    const twice = event('payment_intent.succeeded', { object: 'payment_intent', id: await intentOf(booking) });
    const before = stack.signals.length;
    expect((await deliver(twice)).status).toBe(200);
    expect(await deliver(twice)).toMatchObject({ status: 200, body: { received: true } });
    expect(stack.signals.length - before).toBe(1);
    expect(await logged(twice.id)).toMatchObject({ deliveries: 2, type: 'payment_intent.succeeded' });
  });

  test('ten copies at once do no harm', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card: SECURE });
    await complete(booking);
    const copy = event('payment_intent.succeeded', { object: 'payment_intent', id: await intentOf(booking) });
    const replies = await Promise.all(Array.from({ length: 10 }, () => deliver(copy)));
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect((await stack.events(body.paymentId)).filter((type) => type === 'PaymentSucceeded')).toHaveLength(1);
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });

  test('that tells of something older than what is known changes nothing', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card: SECURE });
    await complete(booking);
    const id = await intentOf(booking);
    await deliver(event('payment_intent.succeeded', { object: 'payment_intent', id }));
    const after = await stateOf(body.paymentId);
    expect(after.status).toBe('captured');
    await deliver(event('payment_intent.requires_action', { object: 'payment_intent', id, status: 'requires_action' }));
    expect(await stateOf(body.paymentId)).toEqual(after);
  });

  test.each(['webhook_double', 'webhook_reorder', 'webhook_bad_signature', 'webhook_stale_timestamp'])(
    'by way of %s the payment is right in the end',
    async (kind) => {
      const booking = newBooking();
      const { body } = await chargeBooking(stack, booking, { card: SECURE });
      await stack.webhooksOn();
      await stack.fault({ kind, ...(kind === 'webhook_reorder' && { ms: 300 }), times: 2 });
      await complete(booking);
      await until(async () => (await stateOf(body.paymentId)).status === 'captured');
      await quiet();
      expect((await stack.events(body.paymentId)).filter((type) => type === 'PaymentSucceeded')).toHaveLength(1);
      expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
    },
  );

  test('is refused when it is not Stripe’s, was altered, or is dated more than five minutes ago or ahead', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const genuine = event('payment_intent.succeeded', { object: 'payment_intent', id: await intentOf(booking) });
    const refusal = { status: 400, body: { code: 'invalid_signature' } };
    const now = Math.floor(Date.now() / 1_000);
    expect(await deliver(genuine, { secret: 'whsec_somebody_elses' })).toMatchObject(refusal);
    expect(await deliver(genuine, { timestamp: now - 301 })).toMatchObject(refusal);
    expect(await deliver(genuine, { timestamp: now + 400 })).toMatchObject(refusal);
    expect(await deliver(genuine, { payload: JSON.stringify({ ...genuine, id: 'evt_other' }) })).toMatchObject(refusal);
    expect(await stack.service.ask('POST', '/api/stripe/webhooks', { body: genuine })).toMatchObject(refusal);
    expect(await stack.service.ask('POST', '/api/stripe/webhooks')).toMatchObject(refusal);
    expect(await logged(genuine.id)).toBeUndefined();
    // Clocks differ a little.
    expect(await deliver(genuine, { timestamp: now + 200 })).toMatchObject({ status: 200 });
  });

  const ofIntent = (id: unknown) => ({ data: { object: { object: 'payment_intent', id } } });
  test.each<[string, Record<string, unknown> | string]>([
    ['has no id', { id: undefined }],
    ['has a number for an id', { id: 7 }],
    ['has an empty id', { id: '' }],
    ['has a NUL in its id', { id: 'evt_\0' }],
    ['has an id too long for an index', { id: 'e'.repeat(4_000) }],
    ['has no type', { type: undefined }],
    ['has a list for a type', { type: ['payment_intent.succeeded'] }],
    ['has a NUL in its type', { type: 'payment_intent\0' }],
    ['has a word for its time', { created: 'now' }],
    ['is of a time beyond all calendars', { created: 1e300 }],
    ['is of the year 10000', { created: 253_402_300_800 }],
    ['is of before 1970', { created: -1e12 }],
    ['has an object for an account', { account: {} }],
    ['has no data', { data: undefined }],
    ['has null for data', { data: null }],
    ['has an id for an object', { data: { object: 'pi_1' } }],
    ['has a list for an object', { data: { object: [] } }],
    ['has a NUL in the id of its object', ofIntent('pi_\0')],
    ['has a number for the id of its object', ofIntent(7)],
    ['has a NUL in the id of its intent', { data: { object: { object: 'charge', payment_intent: 'pi_\0' } } }],
    ['is null', 'null'],
    ['is a list', '[]'],
    ['is a text', '"evt_1"'],
    ['breaks off', '{"id":"evt_1"'],
    ['is nested without end', '['.repeat(100_000)],
  ])('that is signed and %s is refused as malformed, and not noted', async (_, wrong) => {
    const count = async () => (await stack.service.database.sql`select event_id from stripe_webhooks_log`).length;
    const before = await count();
    const genuine = event('payment_intent.succeeded', { object: 'payment_intent', id: 'pi_malformed' });
    const reply = await deliver(typeof wrong === 'string' ? wrong : { ...genuine, ...wrong });
    expect(reply).toMatchObject({ status: 400, body: { code: 'malformed_body' } });
    expect(await count()).toBe(before);
  });

  test('that was noted before a crash is acted on when Stripe sends it again', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card: SECURE });
    await complete(booking);
    const again = event('payment_intent.succeeded', { object: 'payment_intent', id: await intentOf(booking) });
    await stack.fault({ kind: 'error_500', match: { method: 'GET' } });
    expect((await deliver(again)).status).toBe(503);
    expect((await logged(again.id))?.processed_at).toBeNull();
    expect((await deliver(again)).status).toBe(200);
    expect((await stateOf(body.paymentId)).status).toBe('captured');
    expect((await logged(again.id))?.processed_at).not.toBeNull();
  });

  test('while Temporal is down is not lost: the saga is told when it comes again', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card: SECURE });
    await complete(booking);
    const again = event('payment_intent.succeeded', { object: 'payment_intent', id: await intentOf(booking) });
    stack.temporal.isDown = true;
    expect((await deliver(again)).status).toBe(503);
    stack.temporal.isDown = false;
    expect((await deliver(again)).status).toBe(200);
    expect(stack.signals).toContainEqual(
      expect.objectContaining({ argument: { paymentId: body.paymentId, version: expect.any(Number) } }),
    );
  });

  test.each([
    ['an unknown type', 'customer.created', { object: 'customer', id: 'cus_1' }, {}],
    ['an intent of somebody else', 'payment_intent.succeeded', { object: 'payment_intent', id: 'pi_unknown' }, {}],
    ['a charge without an intent', 'charge.refunded', { object: 'charge', id: 'ch_1', payment_intent: null }, {}],
    [
      'a connected account’s',
      'payment_intent.succeeded',
      { object: 'payment_intent', id: 'pi_1' },
      { account: 'acct_1' },
    ],
  ])('about %s is noted and left at that', async (_, type, object, more) => {
    const before = stack.signals.length;
    const other = event(type, object, more);
    expect(await deliver(other)).toMatchObject({ status: 200, body: { received: true } });
    expect((await logged(other.id))?.processed_at).not.toBeNull();
    expect(stack.signals.length).toBe(before);
  });

  test('keeps nothing of the event’s content', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const id = await intentOf(booking);
    const personal = event('payment_intent.succeeded', {
      object: 'payment_intent',
      id,
      receipt_email: 'ada@example.org',
    });
    await deliver(personal);
    expect(JSON.stringify(await logged(personal.id))).not.toContain('ada@');
  });
});

describe('an event about an intent we do not know', () => {
  test('that is the one we are just making is taken up', async () => {
    const booking = newBooking();
    const { payerId, payeeId, bookingId, key } = booking;
    const wanted = {
      payerId,
      payeeId,
      amount: EUR(4500),
      paymentMethodId: 'pm_card_visa',
      capture: 'automatic' as const,
    };
    const subject = ofBooking(bookingId);
    const begun = await beginCharge(stack.till.db, key, subject, wanted, stack.till.feePercent);
    const params = { ...wanted, paymentId: begun.payment.id, subject, customerId: null };
    const made = await stack.till.stripe.createIntent(begun.attempt?.stripeKey ?? '', params);
    if (made.kind !== 'ok') throw new Error(made.kind);
    await deliver(event('payment_intent.succeeded', { object: 'payment_intent', id: made.value.id }));
    expect((await stateOf(begun.payment.id)).status).toBe('captured');
    expect((await chargeBooking(stack, booking)).body.status).toBe('captured');
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });

  test('that came to life after the payment was over is given back', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const settled = await settleBooking(stack, booking);
    const late = await stack.stripe.paymentIntents.create({
      amount: 4500,
      currency: 'eur',
      payment_method: 'pm_card_visa',
      capture_method: 'automatic',
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { paymentId: settled.body.payment.paymentId },
    });
    for (let n = 0; n < 2; n++)
      expect((await deliver(event('payment_intent.succeeded', { object: 'payment_intent', id: late.id }))).status).toBe(
        200,
      );
    const { refunds } = await stack.state();
    expect(refunds.filter((refund: { payment_intent: string }) => refund.payment_intent === late.id)).toMatchObject([
      { amount: 4500, status: 'succeeded' },
    ]);
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });
});
