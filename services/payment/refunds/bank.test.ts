import { EUR, type PaymentStack, refundsAt, startPaymentStack, until } from '../../../tests/support/payment';
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

const { paid, askRefund, submitRefund, retry, refresh, release, refunded, tutorHas, owedTo, expectLedgerIsStripes } =
  refundsAt(() => stack);

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

  test('succeeded, then failed: it is owed to the payer again, and nobody else can have it', async () => {
    const payment = await paid('pm_card_refundFail');
    const refundId = await refunded(payment, null);
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 0 });
    const failed = await until(async () => {
      const reply = await refresh(refundId);
      return reply.body.status === 'failed' && reply;
    });
    expect(failed.body.payment).toMatchObject({ status: 'captured', refunded: EUR(0) });
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 0 });
    expect(await owedTo(payment)).toBe(4500);
    await expectLedgerIsStripes();
    expect(await stack.events(refundId)).toEqual(['RefundRequested', 'RefundProcessed', 'RefundFailed']);
    // Changed when the refund is promised, made, and back.
    const changes = Array.from({ length: 3 }, () => 'PaymentChanged');
    expect(await stack.events(payment.paymentId)).toEqual(['PaymentRequested', 'PaymentSucceeded', ...changes]);
    expect((await refresh(refundId)).body.status).toBe('failed');
    expect((await submitRefund(refundId)).body.status).toBe('failed');
    expect((await askRefund(payment, null)).body.code).toBe('refund_exceeds_payment');
    expect(failed.body).toMatchObject({ owed: true, returned: false });
  });

  test('failed after its payer had been told that it was made: the answer says so, for they are told that too', async () => {
    const payment = await paid('pm_card_refundFail');
    const refundId = await refunded(payment, 1000);
    await stack.post(`/refunds/${refundId}/close`, `refund:${refundId}/close`, { as: 'succeeded' });
    await until(async () => (await refresh(refundId)).body.status === 'failed');
    expect((await refresh(refundId)).body).toMatchObject({ owed: true, returned: true });
  });

  test('failed after the earnings were released: the payer is owed it, and the tutor keeps their part of the rest', async () => {
    const payment = await paid('pm_card_refundFail');
    const refundId = await refunded(payment, 2000);
    expect((await release(payment)).body.released).toEqual(EUR(2125));
    await until(async () => (await refresh(refundId)).body.status === 'failed');
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 2125 });
    expect(await owedTo(payment)).toBe(2000);
    await expectLedgerIsStripes();
  });

  test('some fail and some do not, in any order: full refunds still end at zero', async () => {
    const payment = await paid('pm_card_refundFail', 3333);
    const revenue = (await stack.ledger()).platform_revenue ?? 0;
    const first = await refunded(payment, 1);
    const second = await refunded(payment, 1110);
    await until(async () => (await refresh(second)).body.status === 'failed');
    await until(async () => (await refresh(first)).body.status === 'failed');
    const third = await refunded(payment, 2221);
    await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
    await until(async () => (await stack.post(`/payments/${payment.paymentId}/refresh`)).body.refunded.amount === 0);
    await refunded(payment, null);
    for (const refundId of [third, first, second]) expect((await retry(refundId)).body.status).toBe('succeeded');
    await stack.control('POST', '/settings', { refundDelayMs: 50 });
    expect(await owedTo(payment)).toBe(0);
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 0 });
    expect((await stack.ledger()).platform_revenue ?? 0).toBe(revenue + 500);
    await expectLedgerIsStripes();
  });

  test('refused by Stripe: the refund has failed, and the payer is owed it still', async () => {
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
    expect((await askRefund(payment, 1)).body.code).toBe('refund_exceeds_payment');
    expect(await owedTo(payment)).toBe(4500);
    const { body: shown } = await stack.service.internal('GET', `/internal/payments/${payment.paymentId}`);
    expect(shown).toMatchObject({ status: 'captured', refunded: EUR(0) });
  });
});
