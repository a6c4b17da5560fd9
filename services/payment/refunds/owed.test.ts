import { EUR, type Paid, type PaymentStack, refundsAt, startPaymentStack, until } from '../../../tests/support/payment';
import type { Till } from '../till';
import { submit } from './refund';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
beforeEach(() => banksAnswerAfter(3_600_000));
afterEach(() => stack.noFaults());

const { paid, askRefund, submitRefund, refresh, release, refunded, share, inDashboard, tutorHas, owedTo } = refundsAt(
  () => stack,
);
const { refundsAtStripe, expectLedgerIsStripes } = refundsAt(() => stack);
const banksAnswerAfter = (refundDelayMs: number) => stack.control('POST', '/settings', { refundDelayMs });
const giveUp = (refundId: string, as: 'waived' | 'paid_elsewhere') =>
  stack.post(`/refunds/${refundId}/give-up`, `refund:${refundId}/by-hand`, { as });
const stateOf = async ({ paymentId }: Paid) =>
  (await stack.service.internal('GET', `/internal/payments/${paymentId}`)).body;

/** The platform's 15 % of what is left of a payment. */
const feeOn = (amount: number) => Math.round((amount * 15) / 100);

/** A Stripe that makes no refund, because the charge is disputed. */
const refusing = (): Till => ({
  ...stack.till,
  stripe: { ...stack.till.stripe, createRefund: () => Promise.resolve({ kind: 'refused', code: 'charge_disputed' }) },
});
const refusedByStripe = (refundId: string) => submit(refusing(), refundId, `refund:${refundId}/submit`);

describe('a share of a payment', () => {
  test.each([
    [100, 4500, 0],
    [50, 2250, 2250],
    [33, 1485, 3015],
    [0, 0, 4500],
  ])('of %i %% is %i of 45.00, and is owed at once', async (percent, amount, retained) => {
    const payment = await paid();
    const { status, body } = await share(payment, percent);
    expect({ status, body }).toMatchObject({ status: 200, body: { amount: EUR(amount), retained: EUR(retained) } });
    expect(body.refundId === null).toBe(amount === 0);
    expect(await owedTo(payment)).toBe(amount);
    expect(await tutorHas(payment)).toEqual({ pending: retained - feeOn(retained), payable: 0 });
    await expectLedgerIsStripes();
  });

  test('is rounded up, so that it never falls short', async () => {
    expect((await share(await paid('pm_card_visa', 4501), 50)).body.amount).toEqual(EUR(2251));
  });

  test('under the same key is the same, whatever was refunded since', async () => {
    const payment = await paid();
    const first = await share(payment, 50);
    await refunded(payment, 1000);
    expect((await share(payment, 50)).body).toEqual(first.body);
    expect((await share(payment, 60)).body.code).toBe('idempotency_key_reused');
  });

  test.each([
    ['made', async (payment: Paid) => void (await refunded(payment, 1000))],
    ['still pending', async (payment: Paid) => void (await askRefund(payment, 1000))],
    [
      'failed',
      async (payment: Paid) => {
        await refusedByStripe((await askRefund(payment, 1000)).body.refundId);
      },
    ],
    ['made in Stripe’s dashboard, of which no webhook told', (payment: Paid) => inDashboard(payment, 1000)],
  ])('is one of what is left beside a refund of 10.00 that is %s', async (_, other) => {
    const payment = await paid();
    await other(payment);
    const { body } = await share(payment, 50);
    expect(body).toMatchObject({ amount: EUR(1750), retained: EUR(1750) });
    expect((await submitRefund(body.refundId)).body.status).toBe('succeeded');
    await expectLedgerIsStripes();
  });

  test('racing partial refunds of the payee never exceeds what was taken, and is never refused', async () => {
    const payments = await Promise.all(Array.from({ length: 6 }, () => paid()));
    for (const payment of payments) {
      const [cancelled, ...others] = await Promise.all([
        share(payment, 100),
        ...Array.from({ length: 3 }, () => askRefund(payment, 1000)),
      ]);
      expect(cancelled?.status).toBe(200);
      const made = others.filter(({ status }) => status === 201).length;
      expect(cancelled?.body.amount).toEqual(EUR(4500 - 1000 * made));
      expect(await owedTo(payment)).toBe(4500);
    }
  });

  test('of a payment of which everything was refunded in Stripe’s dashboard is nothing, and its own saga tells the payer', async () => {
    const payment = await paid();
    await inDashboard(payment);
    expect((await share(payment, 100)).body).toEqual({ refundId: null, amount: EUR(0), retained: EUR(0) });
    expect(await stateOf(payment)).toMatchObject({ status: 'refunded', refunded: EUR(4500) });
    const { paymentId, bookingId } = payment;
    const woken = stack.signals.map(({ wokenWith }) => wokenWith);
    expect(woken).toContainEqual({ refundId: expect.any(String), paymentId, bookingId });
    expect(await owedTo(payment)).toBe(0);
    await expectLedgerIsStripes();
  });

  test('is not decided while Stripe does not say what was refunded there', async () => {
    const payment = await paid();
    await stack.fault({ kind: 'error_500', match: { method: 'GET', path: '/v1/refunds' } });
    expect((await share(payment, 100)).status).toBe(503);
    expect((await share(payment, 100)).body.amount).toEqual(EUR(4500));
  });
});

describe('after half of 45.00 was promised to the payer, the tutor can be paid 19.12', () => {
  const half = async (payment: Paid): Promise<string> => (await share(payment, 50)).body.refundId;
  const has = { pending: 0, payable: 1912 };

  test.each([
    ['released, then refused, then waived', ['release', 'refuse', 'waive']],
    ['refused, then released, then waived', ['refuse', 'release', 'waive']],
    ['refused, then waived, then released', ['refuse', 'waive', 'release']],
  ])('%s', async (_, order) => {
    const payment = await paid();
    const refundId = await half(payment);
    const revenue = async () => 0 - ((await stack.ledger()).platform_revenue ?? 0);
    const before = await revenue();
    const deeds: Record<string, () => Promise<unknown>> = {
      release: () => release(payment),
      refuse: () => refusedByStripe(refundId),
      waive: () => giveUp(refundId, 'waived'),
    };
    for (const deed of order) await deeds[deed]?.();
    expect(await tutorHas(payment)).toEqual(has);
    // What the terms gave to the payer is the platform's then, which paid it elsewhere or was let off.
    expect((await revenue()) - before).toBe(2250);
    expect(await owedTo(payment)).toBe(0);
    expect((await giveUp(refundId, 'waived')).body).toMatchObject({ status: 'failed', owed: false });
    await expectLedgerIsStripes();
  });

  test.each(['before', 'after'] as const)('returned by the bank %s the release', async (when) => {
    const payment = await paid('pm_card_refundFail');
    const refundId = await half(payment);
    if (when === 'after') await release(payment);
    await banksAnswerAfter(50);
    await submitRefund(refundId);
    await until(async () => (await refresh(refundId)).body.status === 'failed');
    if (when === 'before') await release(payment);
    expect(await tutorHas(payment)).toEqual(has);
    expect(await owedTo(payment)).toBe(2250);
    await giveUp(refundId, 'paid_elsewhere');
    expect(await tutorHas(payment)).toEqual(has);
    const kinds = await stack.service.database
      .sql`select kind from ledger_transactions where payment_id = ${payment.paymentId} and reference = ${refundId}`;
    expect(kinds.map(({ kind }) => kind).toSorted()).toEqual(['paid_elsewhere', 'refund_owed']);
    await expectLedgerIsStripes();
  });
});

describe('a refund that is stuck, made by an operator in Stripe’s dashboard', () => {
  test.each([
    ['all of it', 2250, { status: 'failed', owed: false, amount: EUR(2250) }, 2250, 0],
    ['a part of it', 1000, { status: 'failed', owed: true, amount: EUR(1250) }, 1000, 1250],
    ['more than it', 3000, { status: 'failed', owed: false, amount: EUR(2250) }, 3000, 0],
  ])('%s: the rest alone is owed, and the tutor gives nothing twice', async (_, amount, expected, back, owed) => {
    const payment = await paid();
    const { body } = await share(payment, 50);
    await refusedByStripe(body.refundId);
    stack.signals.length = 0;
    await inDashboard(payment, amount);
    await stack.post(`/payments/${payment.paymentId}/refresh`);
    const { body: now } = await stack.service.internal('GET', `/internal/refunds/${body.refundId}`);
    expect(now).toMatchObject({ ...expected, payment: { refunded: EUR(back) } });
    expect(await owedTo(payment)).toBe(owed);
    const kept = 4500 - back - owed;
    expect((await tutorHas(payment)).pending).toBe(kept - feeOn(kept));
    // Its saga hears that there is nothing left to ask for.
    const woken = stack.signals.map(({ workflowId }) => workflowId).includes(`refund:${body.refundId}`);
    expect(woken).toBe(owed === 0);
    expect((await refundsAtStripe(payment)).length).toBe(0);
    await expectLedgerIsStripes();
  });
});
