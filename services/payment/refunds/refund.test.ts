import {
  type BookingCharge,
  type Caller,
  chargeBooking,
  despite,
  dyingAfter,
  EUR,
  HANG_MS,
  newBooking,
  type PaymentStack,
  retried,
  startPaymentStack,
  until,
} from '../../../tests/support/payment';
import type { Till } from '../till';
import { retry as makeAgain, submit } from './refund';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 50 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

interface Paid extends BookingCharge {
  paymentId: string;
}

async function paid(card = 'pm_card_visa', amount = 4500): Promise<Paid> {
  const booking = newBooking();
  const { body } = await chargeBooking(stack, booking, { card, amount });
  return { ...booking, paymentId: body.paymentId };
}

let counter = 0;
function askRefund({ paymentId }: Paid, amount: number | null, key = `refund-${++counter}`) {
  const body = { amount: amount === null ? null : EUR(amount), reason: 'The session was cut short', requestedBy: null };
  return stack.post(`/payments/${paymentId}/refunds`, key, body);
}

const submitRefund = (refundId: string, by: Caller = stack) =>
  by.post(`/refunds/${refundId}/submit`, `refund:${refundId}/submit`);
const retry = (refundId: string, number = 2) =>
  stack.post(`/refunds/${refundId}/retry`, `refund:${refundId}/submit-${number}`, { number });
const refresh = (refundId: string) => stack.post(`/refunds/${refundId}/refresh`);
const release = ({ paymentId, bookingId }: Paid) =>
  stack.post(`/payments/${paymentId}/earnings/release`, `booking:${bookingId}/release`);

async function refunded(payment: Paid, amount: number | null): Promise<string> {
  const { body } = await askRefund(payment, amount);
  expect((await submitRefund(body.refundId)).body.status).toBe('succeeded');
  return body.refundId;
}

/** What the tutor has of it, pending and payable. */
async function tutorHas({ payeeId }: Paid): Promise<{ pending: number; payable: number }> {
  const ledger = await stack.ledger();
  const has = (account: string) => 0 - (ledger[`${account}:${payeeId}`] ?? 0);
  return { pending: has('tutor_pending'), payable: has('tutor_payable') };
}

async function expectLedgerIsStripes(): Promise<void> {
  expect((await stack.ledger()).stripe_balance ?? 0).toBe(await stack.stripeBalance());
}

async function refundsAtStripe(payment: Paid): Promise<{ amount: number; status: string }[]> {
  const { refunds } = await stack.state();
  return refunds.filter(
    (refund: { metadata: { paymentId?: string } }) => refund.metadata.paymentId === payment.paymentId,
  );
}

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

describe('what a bank makes of a refund later', () => {
  test('pending, then succeeded: a refresh finds out', async () => {
    const payment = await paid('pm_card_pendingRefund');
    const { body } = await askRefund(payment, 2000);
    const sent = await submitRefund(body.refundId);
    expect(sent.body).toMatchObject({ status: 'pending', payment: { status: 'captured', refunded: EUR(0) } });
    await expectLedgerIsStripes(); // Stripe has taken the money out of the balance already
    const done = await until(async () => {
      const reply = await refresh(body.refundId);
      return reply.body.status === 'succeeded' && reply;
    });
    expect(done.body.payment).toMatchObject({ status: 'partially_refunded', refunded: EUR(2000) });
    expect(done.body.payment.version).toBeGreaterThan(sent.body.payment.version);
    await expectLedgerIsStripes();
  });

  test('succeeded, then failed: its ledger entry is reversed, and it can be refunded again', async () => {
    const payment = await paid('pm_card_refundFail');
    const refundId = await refunded(payment, null);
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 0 });
    const failed = await until(async () => {
      const reply = await refresh(refundId);
      return reply.body.status === 'failed' && reply;
    });
    expect(failed.body.payment).toMatchObject({ status: 'captured', refunded: EUR(0) });
    expect(await tutorHas(payment)).toEqual({ pending: 3825, payable: 0 });
    await expectLedgerIsStripes();
    expect(await stack.events(refundId)).toEqual(['RefundRequested', 'RefundProcessed', 'RefundFailed']);
    expect(await stack.events(payment.paymentId)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    expect((await refresh(refundId)).body.status).toBe('failed');
    expect((await submitRefund(refundId)).body.status).toBe('failed');
    expect((await askRefund(payment, null)).body.amount).toEqual(EUR(4500));
  });

  test('failed after the earnings were released: the tutor’s part comes back as payable', async () => {
    const payment = await paid('pm_card_refundFail');
    const refundId = await refunded(payment, 2000);
    expect((await release(payment)).body.released).toEqual(EUR(2125));
    await until(async () => (await refresh(refundId)).body.status === 'failed');
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 3825 });
    await expectLedgerIsStripes();
  });

  test('some fail and some do not, in any order: full refunds still end at zero', async () => {
    const payment = await paid('pm_card_refundFail', 3333);
    const revenue = (await stack.ledger()).platform_revenue ?? 0;
    const first = await refunded(payment, 1);
    const second = await refunded(payment, 1110);
    await until(async () => (await refresh(second)).body.status === 'failed');
    await until(async () => (await refresh(first)).body.status === 'failed');
    await refunded(payment, 2221);
    await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
    await until(async () => (await stack.post(`/payments/${payment.paymentId}/refresh`)).body.refunded.amount === 0);
    await refunded(payment, 1112);
    await refunded(payment, null);
    await stack.control('POST', '/settings', { refundDelayMs: 50 });
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 0 });
    expect((await stack.ledger()).platform_revenue ?? 0).toBe(revenue + 500);
    await expectLedgerIsStripes();
  });

  test('refused by Stripe: the refund has failed and its amount is free again', async () => {
    const payment = await paid();
    const { body } = await askRefund(payment, 4500);
    const refusing: Till = {
      ...stack.till,
      stripe: {
        ...stack.till.stripe,
        createRefund: () => Promise.resolve({ kind: 'refused', code: 'charge_disputed' }),
      },
    };
    const { refund } = await submit(refusing, body.refundId, `refund:${body.refundId}/submit`);
    expect(refund).toMatchObject({ status: 'failed', failureCode: 'charge_disputed' });
    expect((await submitRefund(body.refundId)).body).toMatchObject({
      status: 'failed',
      payment: { status: 'captured' },
    });
    expect(await stack.events(body.refundId)).toEqual(['RefundRequested', 'RefundFailed']);
    expect((await askRefund(payment, 4500)).status).toBe(201);
  });
});

describe('a failed refund made again', () => {
  /** A refund that had succeeded and that the bank returned; the next one stays made. */
  async function returned(amount: number | null): Promise<{ payment: Paid; refundId: string }> {
    await banksAnswerAfter(50);
    const payment = await paid('pm_card_refundFail');
    const refundId = await refunded(payment, amount);
    await until(async () => (await refresh(refundId)).body.status === 'failed');
    await banksAnswerAfter(3_600_000);
    return { payment, refundId };
  }
  const banksAnswerAfter = (refundDelayMs: number) => stack.control('POST', '/settings', { refundDelayMs });
  afterAll(() => banksAnswerAfter(50));

  const statusesAtStripe = async (payment: Paid) => (await refundsAtStripe(payment)).map(({ status }) => status).sort();

  test('is a new refund at Stripe and the same one here, posted beside the reversal of the first', async () => {
    const { payment, refundId } = await returned(null);
    const again = await retry(refundId);
    expect(again).toMatchObject({
      status: 200,
      body: { refundId, status: 'succeeded', tries: 2, payment: { status: 'refunded', refunded: EUR(4500) } },
    });
    expect(await statusesAtStripe(payment)).toEqual(['failed', 'succeeded']);
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 0 });
    await expectLedgerIsStripes();
    expect(await stack.events(refundId)).toEqual([
      ...['RefundRequested', 'RefundProcessed', 'RefundFailed'],
      ...['RefundRequested', 'RefundProcessed'],
    ]);
    const posted = await stack.service.database
      .sql`select kind from ledger_transactions where payment_id = ${payment.paymentId} and kind like 'refund%' order by id`;
    expect(posted.map(({ kind }) => kind)).toEqual(['refund', 'refund_reversal', 'refund']);
    // The id that clients hold leads to the truth.
    const token = await stack.service.userToken({ id: payment.payerId, role: 'student' });
    const list = await stack.service.ask('GET', `/api/payments/${payment.paymentId}/refunds`, { token });
    expect(list.body.items).toMatchObject([{ id: refundId, status: 'succeeded', amount: EUR(4500) }]);
  });

  test('may fail again, and be made a third time', async () => {
    const { payment, refundId } = await returned(1000);
    await banksAnswerAfter(50);
    expect((await retry(refundId)).body).toMatchObject({ status: 'succeeded', tries: 2 });
    await until(async () => (await refresh(refundId)).body.status === 'failed');
    // The same try is not made once more, however late it is asked for again.
    expect((await retry(refundId)).body).toMatchObject({ status: 'failed', tries: 2 });
    await banksAnswerAfter(3_600_000);
    expect((await retry(refundId, 3)).body).toMatchObject({ status: 'succeeded', tries: 3 });
    expect(await statusesAtStripe(payment)).toEqual(['failed', 'failed', 'succeeded']);
    await expectLedgerIsStripes();
  });

  test('is made once, by ten who ask at once', async () => {
    const { payment, refundId } = await returned(1000);
    const asked = await Promise.all(Array.from({ length: 10 }, () => retried(() => retry(refundId), 40)));
    expect(new Set(asked.map(({ body }) => body.status))).toEqual(new Set(['succeeded']));
    expect(await statusesAtStripe(payment)).toEqual(['failed', 'succeeded']);
    await expectLedgerIsStripes();
  });

  test.each<[string, Record<string, unknown>]>([
    ['500 before the effect', { kind: 'error_500' }],
    ['500 after the effect', { kind: 'error_500_after' }],
    ['connection closed before', { kind: 'drop_before', times: 2 }],
    ['connection closed after', { kind: 'drop_after', times: 2 }],
    ['reply cut off', { kind: 'truncate_after' }],
  ])('is made once, whatever happens to the request: %s', async (_, fault) => {
    const { payment, refundId } = await returned(1000);
    await stack.fault({ ...fault, match: { method: 'POST', path: '/v1/refunds' } });
    expect((await retried(() => retry(refundId), 40)).body).toMatchObject({ status: 'succeeded', tries: 2 });
    expect(await statusesAtStripe(payment)).toEqual(['failed', 'succeeded']);
    await expectLedgerIsStripes();
  });

  test('and we crash before we have noted it: it is found and not made a third time', async () => {
    const { payment, refundId } = await returned(1000);
    const dying: Till = {
      ...stack.till,
      stripe: { ...stack.till.stripe, createRefund: dyingAfter(stack.till.stripe.createRefund) },
    };
    const key = `refund:${refundId}/submit-2`;
    await expect(makeAgain(dying, refundId, 2, key)).rejects.toThrow('the process died');
    expect((await retry(refundId)).body).toMatchObject({ status: 'succeeded', tries: 2 });
    expect(await statusesAtStripe(payment)).toEqual(['failed', 'succeeded']);
  });

  test('is refused when another refund has used its amount, here or in Stripe’s dashboard', async () => {
    const here = await returned(3000);
    await refunded(here.payment, 2000);
    const atStripe = await returned(3000);
    const [row] = await stack.service.database
      .sql`select stripe_intent_id from payments where id = ${atStripe.payment.paymentId}`;
    await stack.stripe.refunds.create({ payment_intent: row?.stripe_intent_id, amount: 2000 });
    for (const { payment, refundId } of [here, atStripe]) {
      expect(await retry(refundId)).toMatchObject({ status: 409, body: { code: 'refund_exceeds_payment' } });
      const { body } = await stack.service.internal('GET', `/internal/refunds/${refundId}`);
      expect(body).toMatchObject({ status: 'failed', tries: 1, payment: { refunded: EUR(2000) } });
      expect((await refundsAtStripe(payment)).filter(({ amount }) => amount === 3000)).toHaveLength(1);
    }
    await expectLedgerIsStripes();
  });

  test('that has not failed is left as it is', async () => {
    const payment = await paid();
    const refundId = await refunded(payment, 1000);
    expect((await retry(refundId)).body).toMatchObject({ status: 'succeeded', tries: 1 });
    expect(await statusesAtStripe(payment)).toEqual(['succeeded']);
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

  test('beside one that waits here leaves less than was reserved: Stripe refuses, and nothing is lost', async () => {
    const payment = await paid();
    const { body } = await askRefund(payment, 4000);
    const [row] = await stack.service.database
      .sql`select stripe_intent_id from payments where id = ${payment.paymentId}`;
    await stack.stripe.refunds.create({ payment_intent: row?.stripe_intent_id, amount: 1000 });
    expect((await submitRefund(body.refundId)).body.status).toBe('failed');
    const { body: now } = await stack.post(`/payments/${payment.paymentId}/refresh`);
    expect(now).toMatchObject({ refunded: EUR(1000) });
    await expectLedgerIsStripes();
  });
});

describe('earnings', () => {
  test('become payable once, whoever asks how often', async () => {
    const payment = await paid();
    const replies = await Promise.all([
      ...Array.from({ length: 5 }, () => release(payment)),
      ...Array.from({ length: 5 }, (_, n) =>
        stack.post(`/payments/${payment.paymentId}/earnings/release`, `other-${n}`),
      ),
    ]);
    for (const { body } of replies) expect(body).toEqual({ paymentId: payment.paymentId, released: EUR(3825) });
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 3825 });
    expect(await stack.events(payment.paymentId)).toEqual(['PaymentRequested', 'PaymentSucceeded', 'EarningsReleased']);
  });

  test('that were released pay for a later refund', async () => {
    const payment = await paid();
    await release(payment);
    await refunded(payment, 1000);
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 2975 });
    await expectLedgerIsStripes();
  });

  test('of a refunded payment are nothing, and of one not taken yet are refused', async () => {
    const payment = await paid();
    await refunded(payment, null);
    expect((await release(payment)).body.released).toEqual(EUR(0));
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    expect((await release({ ...booking, paymentId: body.paymentId })).body.code).toBe('invalid_state');
  });
});
