import {
  dyingAfter,
  EUR,
  type Paid,
  type PaymentStack,
  refundsAt,
  retried,
  startPaymentStack,
  until,
} from '../../../tests/support/payment';
import type { Till } from '../till';
import { retry as makeAgain } from './refund';

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
  retry,
  refresh,
  refunded,
  inDashboard,
  tutorHas,
  owedTo,
  refundsAtStripe,
  expectLedgerIsStripes,
} = refundsAt(() => stack);

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
    expect(posted.map(({ kind }) => kind)).toEqual(['refund_owed', 'refund', 'refund_reversal', 'refund']);
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

  test('has its amount kept from others meanwhile', async () => {
    const { payment, refundId } = await returned(3000);
    expect((await askRefund(payment, 2000)).body.code).toBe('refund_exceeds_payment');
    await refunded(payment, 1500);
    expect((await retry(refundId)).body).toMatchObject({ status: 'succeeded', payment: { refunded: EUR(4500) } });
    await expectLedgerIsStripes();
  });

  test.each([
    [2000, 1000, { status: 'succeeded', tries: 2, amount: EUR(1000), owed: false }],
    [3000, 0, { status: 'failed', tries: 1, owed: false }],
    [4000, 0, { status: 'failed', tries: 1, owed: false }],
  ])(
    'of 30.00 is made for what is left of it once %i were given back in Stripe’s dashboard',
    async (elsewhere, left, expected) => {
      const { payment, refundId } = await returned(3000);
      await inDashboard(payment, elsewhere);
      expect((await retry(refundId)).body).toMatchObject({
        ...expected,
        payment: { refunded: EUR(elsewhere + left) },
      });
      expect(await owedTo(payment)).toBe(0);
      await expectLedgerIsStripes();
    },
  );

  test('that has not failed is left as it is', async () => {
    const payment = await paid();
    const refundId = await refunded(payment, 1000);
    expect((await retry(refundId)).body).toMatchObject({ status: 'succeeded', tries: 1 });
    expect(await statusesAtStripe(payment)).toEqual(['succeeded']);
  });
});
