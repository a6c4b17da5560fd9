import {
  chargeBooking,
  despite,
  dyingAfter,
  EUR,
  HANG_MS,
  newBooking,
  type PaymentStack,
  refundsAt,
  retried,
  startPaymentStack,
} from '../../../tests/support/payment';
import type { Till } from '../till';
import { submit } from './refund';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 50 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const {
  paid,
  askRefund,
  submitRefund,
  refresh,
  refunded,
  inDashboard,
  tutorHas,
  owedTo,
  refundsAtStripe,
  expectLedgerIsStripes,
} = refundsAt(() => stack);

describe('a refund', () => {
  test('is recorded and its amount reserved before Stripe is asked for anything', async () => {
    const payment = await paid();
    const made = await askRefund(payment, 1000);
    expect(made).toMatchObject({
      status: 201,
      body: {
        paymentId: payment.paymentId,
        bookingId: payment.bookingId,
        status: 'pending',
        amount: EUR(1000),
        payment: { status: 'captured', refunded: EUR(0) },
      },
    });
    expect(JSON.stringify(made.body)).not.toContain('cut short');
    expect(await refundsAtStripe(payment)).toEqual([]);
    expect(await askRefund(payment, 3501)).toMatchObject({ status: 409, body: { code: 'refund_exceeds_payment' } });
    const { body } = await stack.service.internal('GET', `/internal/refunds/${made.body.refundId}`);
    expect(body).toEqual(made.body);
  });

  test('of a part gives back the tutor’s and the platform’s share of it', async () => {
    const payment = await paid();
    const before = await stack.ledger();
    const refundId = await refunded(payment, 1000);
    const after = await stack.ledger();
    expect(await tutorHas(payment)).toEqual({ pending: 2975, payable: 0 }); // 85 % of 3500
    expect((after.platform_revenue ?? 0) - (before.platform_revenue ?? 0)).toBe(150);
    const { body } = await stack.service.internal('GET', `/internal/payments/${payment.paymentId}`);
    expect(body).toMatchObject({ status: 'partially_refunded', refunded: EUR(1000), payerId: payment.payerId });
    expect(await stack.events(refundId)).toEqual(['RefundRequested', 'RefundProcessed']);
    await expectLedgerIsStripes();
  });

  test.each([[[1500, 1500, 1500]], [[1, 1, 4498]], [[3333, 1, 1165, 1]], [[7, 11, 13, 17, null]]])(
    'in parts of %j ends exactly at zero: no cent is lost by rounding',
    async (parts) => {
      const payment = await paid();
      const revenue = (await stack.ledger()).platform_revenue ?? 0;
      for (const part of parts) await refunded(payment, part);
      const { body } = await stack.service.internal('GET', `/internal/payments/${payment.paymentId}`);
      expect(body).toMatchObject({ status: 'refunded', refunded: EUR(4500) });
      expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 0 });
      expect((await stack.ledger()).platform_revenue ?? 0).toBe(revenue + 675);
      await expectLedgerIsStripes();
    },
  );

  test('of all that is left when no amount is named, and then no more', async () => {
    const payment = await paid();
    await refunded(payment, 4000);
    const rest = await askRefund(payment, null);
    expect(rest.body.amount).toEqual(EUR(500));
    expect(await askRefund(payment, null)).toMatchObject({ status: 409, body: { code: 'refund_exceeds_payment' } });
  });

  test('under the same key is the same refund; under it with another amount it is refused', async () => {
    const payment = await paid();
    const first = await askRefund(payment, 500, 'same-key');
    expect((await askRefund(payment, 500, 'same-key')).body).toEqual(first.body);
    expect((await askRefund(payment, 501, 'same-key')).body.code).toBe('idempotency_key_reused');
  });

  test('needs money that was taken, in its own currency', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    const authorized = { ...booking, paymentId: body.paymentId };
    expect(await askRefund(authorized, 100)).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
    const dollars = { amount: { amount: 100, currency: 'USD' }, reason: 'r', requestedBy: null };
    const refused = await stack.post(`/payments/${(await paid()).paymentId}/refunds`, 'usd', dollars);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: 'amount.currency' }] } });
    const { bookingId: nobody } = booking;
    expect((await stack.post(`/payments/${nobody}/refunds`, 'n', { ...dollars, amount: null })).status).toBe(404);
    expect((await submitRefund(nobody)).status).toBe(404);
    expect((await refresh(nobody)).status).toBe(404);
  });

  test('races others: of ten, whose sum is above the payment, only so many are made as fit', async () => {
    const payment = await paid();
    const asked = await Promise.all(Array.from({ length: 10 }, () => askRefund(payment, 1000)));
    const made = asked.filter(({ status }) => status === 201);
    expect(made).toHaveLength(4);
    for (const { body } of asked.filter(({ status }) => status !== 201))
      expect(body.code).toBe('refund_exceeds_payment');
    const sent = await Promise.all(made.map(({ body }) => retried(() => submitRefund(body.refundId))));
    expect(sent.map(({ body }) => body.status)).toEqual(Array(4).fill('succeeded'));
    const { body } = await stack.service.internal('GET', `/internal/payments/${payment.paymentId}`);
    expect(body).toMatchObject({ status: 'partially_refunded', refunded: EUR(4000) });
    await expectLedgerIsStripes();
  });

  test('that is handed in ten times at once is made once', async () => {
    const payment = await paid();
    const { body } = await askRefund(payment, 1000);
    const sent = await Promise.all(Array.from({ length: 10 }, () => retried(() => submitRefund(body.refundId), 40)));
    expect(new Set(sent.map((reply) => reply.body.status))).toEqual(new Set(['succeeded']));
    expect(await refundsAtStripe(payment)).toHaveLength(1);
    await expectLedgerIsStripes();
  });
});

describe('whatever happens to its request, a refund is made once', () => {
  test.each<[string, Record<string, unknown>]>([
    ['500 before the effect', { kind: 'error_500' }],
    ['500 before the effect, not stored', { kind: 'error_500', stored: false }],
    ['500 after the effect', { kind: 'error_500_after' }],
    ['429', { kind: 'rate_limit_429', retryAfterSeconds: 1 }],
    ['connection closed before', { kind: 'drop_before', times: 2 }],
    ['connection closed after', { kind: 'drop_after', times: 2 }],
    ['reply cut off', { kind: 'truncate_after' }],
    ['no answer, effect later', { kind: 'hang', ms: HANG_MS, when: 'before' }],
    ['no answer, effect first', { kind: 'hang', ms: HANG_MS, when: 'after' }],
  ])('%s', async (_, fault) => {
    const payment = await paid();
    const { body } = await askRefund(payment, 1000);
    const match = { method: 'POST', path: '/v1/refunds' };
    const sent = await despite(stack, { ...fault, match }, (by) => submitRefund(body.refundId, by));
    expect(sent.body).toMatchObject({ status: 'succeeded', payment: { refunded: EUR(1000) } });
    expect(await refundsAtStripe(payment)).toMatchObject([{ amount: 1000 }]);
    await expectLedgerIsStripes();
  });

  test.each(['submit', 'refresh'] as const)('we crash before we have noted it: %s finds it', async (how) => {
    const payment = await paid();
    const { body } = await askRefund(payment, 1000);
    const dying: Till = {
      ...stack.till,
      stripe: { ...stack.till.stripe, createRefund: dyingAfter(stack.till.stripe.createRefund) },
    };
    const key = `refund:${body.refundId}/submit`;
    await expect(submit(dying, body.refundId, key)).rejects.toThrow('the process died');
    const found = how === 'submit' ? await submitRefund(body.refundId) : await refresh(body.refundId);
    expect(found.body).toMatchObject({ status: 'succeeded', payment: { refunded: EUR(1000) } });
    expect((await submitRefund(body.refundId)).body.status).toBe('succeeded');
    expect(await refundsAtStripe(payment)).toHaveLength(1);
    await expectLedgerIsStripes();
  });
});

describe('a refund made in Stripe’s dashboard', () => {
  test('is taken up by a refresh, once, and counts against what can be refunded', async () => {
    const payment = await paid();
    const { payment_intents: intents } = await stack.state();
    const [intent] = intents.filter(
      (each: { metadata: { paymentId: string } }) => each.metadata.paymentId === payment.paymentId,
    );
    await stack.stripe.refunds.create({ payment_intent: intent.id, amount: 700 });
    for (let n = 0; n < 2; n++) {
      const { body } = await stack.post(`/payments/${payment.paymentId}/refresh`);
      expect(body).toMatchObject({ status: 'partially_refunded', refunded: EUR(700) });
    }
    expect((await askRefund(payment, 3801)).body.code).toBe('refund_exceeds_payment');
    await expectLedgerIsStripes();
    const rows = await stack.service.database
      .sql`select origin, status from refunds where payment_id = ${payment.paymentId}`;
    expect(rows.map(({ origin, status }) => [origin, status])).toEqual([['stripe', 'succeeded']]);
  });

  test('beside one that waits here leaves less than was reserved: what Stripe can still refund is made', async () => {
    const payment = await paid();
    const { body } = await askRefund(payment, 4000);
    await inDashboard(payment, 1000);
    expect((await submitRefund(body.refundId)).body).toMatchObject({
      status: 'succeeded',
      amount: EUR(3500),
      payment: { status: 'refunded', refunded: EUR(4500) },
    });
    expect(await owedTo(payment)).toBe(0);
    await expectLedgerIsStripes();
  });

  test('of everything takes the place of one that waits here: it is closed, and nobody is owed it', async () => {
    const payment = await paid();
    const { body } = await askRefund(payment, 4000);
    await inDashboard(payment);
    for (let times = 0; times < 2; times++)
      expect((await submitRefund(body.refundId)).body).toMatchObject({
        status: 'failed',
        owed: false,
        payment: { status: 'refunded', refunded: EUR(4500) },
      });
    expect(await owedTo(payment)).toBe(0);
    await expectLedgerIsStripes();
    // The one from the dashboard has a saga of its own, which tells the payer.
    const adopted = stack.signals.filter(({ wokenWith }) => JSON.stringify(wokenWith).includes(payment.paymentId));
    expect(adopted).not.toEqual([]);
    expect(JSON.stringify(adopted)).not.toContain(body.refundId);
  });
});
