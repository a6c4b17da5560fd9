import { refunds } from '../../../../db/schema/payment';
import { uuidv7 } from '../../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import { paymentRows } from '../../../../tests/support/payment';
import { type PaymentRow, readPayment } from '../../charges/store/payments';
import { releaseEarnings } from '../../earnings/store';
import type { Entry } from '../../ledger/rules';
import { post, standingOf } from '../../ledger/store';
import { REFUNDED_OTHERWISE } from '../rules';
import { recordStripeRefunds } from './at-stripe';
import { beginRetry } from './attempts';
import { giveUpRefund } from './by-hand';
import { postWhatFailedBefore } from './unposted';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

const { captured } = paymentRows(() => database);
let counter = 0;

/** Half of 10.00, as the code of before has it: the refund's money goes from the shares to Stripe at once, and comes back to them. */
async function refundOfBefore(
  status: 'pending' | 'succeeded' | 'failed',
  more: Partial<typeof refunds.$inferInsert> & { moved?: boolean; back?: boolean } = {},
) {
  const { moved = status !== 'pending', back = moved && status === 'failed', ...row } = more;
  const payment = await captured(1000);
  const { id: paymentId, payeeId, currency } = payment;
  const [refundId, stripeRefundId] = [uuidv7(), `re_before_${++counter}`];
  await database.db.insert(refunds).values({
    ...{ id: refundId, paymentId, origin: 'request', reason: 'r', currency, amount: 500, status },
    ...(moved && { stripeRefundId }),
    ...row,
  });
  const amounts = status === 'pending' ? { refundPending: 500 } : status === 'succeeded' ? { refunded: 500 } : {};
  await database.sql`update payments set ${database.sql({
    refund_pending: amounts.refundPending ?? 0,
    refunded: amounts.refunded ?? 0,
  })} where id = ${paymentId}`;
  const entries = (sign: 1 | -1): Entry[] => [
    { account: `tutor_pending:${payeeId}`, amount: 425 * sign },
    { account: 'platform_revenue', amount: 75 * sign },
    { account: 'stripe_balance', amount: -500 * sign },
  ];
  await database.db.transaction(async (tx) => {
    const posting = { paymentId, currency };
    if (moved) await post(tx, payment, { ...posting, kind: 'refund', reference: stripeRefundId, entries: entries(1) });
    if (back)
      await post(tx, payment, {
        ...posting,
        kind: 'refund_reversal',
        reference: `txn_${stripeRefundId}`,
        entries: entries(-1),
      });
  });
  return { payment, refundId, stripeRefundId };
}

const standing = ({ id, payeeId }: PaymentRow) => database.db.transaction((tx) => standingOf(tx, id, payeeId));
const HALF_KEPT = { pending: 425, payable: 0, revenue: 75 };

describe('a refund of the code of before that', () => {
  test.each([
    ['was refused by Stripe', { moved: false }],
    ['was returned by its bank', {}],
  ])('%s is owed to its payer, once, and no longer released to the tutor', async (_, more) => {
    const { payment, refundId } = await refundOfBefore('failed', more);
    expect(await standing(payment)).toMatchObject({ pending: 850, owed: 0 });
    for (let times = 0; times < 2; times++) await postWhatFailedBefore(database.db, 100);
    expect(await standing(payment)).toEqual({ ...HALF_KEPT, owed: 500, sent: 0 });
    expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 500, refunded: 0 });
    await giveUpRefund(database.db, refundId, 'waived');
    expect(await standing(payment)).toEqual({ pending: 425, payable: 0, revenue: 575, owed: 0, sent: 0 });
  });

  test('failed beside another of its payment is owed with it, in one change of the payment', async () => {
    const { payment } = await refundOfBefore('failed');
    const more = { paymentId: payment.id, origin: 'request', reason: 'r', currency: 'EUR', amount: 300 } as const;
    await database.db.insert(refunds).values({ ...more, id: uuidv7(), status: 'failed' });
    await postWhatFailedBefore(database.db, 100);
    expect(await standing(payment)).toEqual({ pending: 170, payable: 0, revenue: 30, owed: 800, sent: 0 });
    expect(await readPayment(database.db, payment.id)).toMatchObject({
      refundPending: 800,
      version: payment.version + 1,
    });
  });

  test('failed is seen by a release that comes first', async () => {
    const { payment } = await refundOfBefore('failed', {});
    const key = { owner: 'service', key: `release-${payment.id}`, fingerprint: 'f' };
    const { released } = await releaseEarnings(
      { ...database, earningsHoldDays: 7 },
      key,
      payment.id,
      '2026-01-01T00:00:00.000Z',
    );
    expect(released.amount).toBe(425);
    await postWhatFailedBefore(database.db, 100);
    expect(await standing(payment)).toEqual({ pending: 0, payable: 425, revenue: 75, owed: 500, sent: 0 });
  });

  test.each([
    ['an operator had closed', { closedAs: 'failed' as const }],
    ['was replaced by another', { failureCode: REFUNDED_OTHERWISE }],
  ])('%s is owed to nobody', async (_, more) => {
    const { payment } = await refundOfBefore('failed', more);
    await postWhatFailedBefore(database.db, 100);
    expect(await standing(payment)).toMatchObject({ pending: 850, revenue: 150, owed: 0 });
  });

  test('was reserved is posted when Stripe has made it, and when it is given up', async () => {
    const made = await refundOfBefore('pending');
    const movement = { id: 'txn_made', fee: 0, currency: 'EUR' };
    const { refundId } = made;
    const atStripe = { id: 're_now', refundId, status: 'succeeded', amount: 500, failureCode: null } as const;
    await recordStripeRefunds(database.db, made.payment.id, [{ ...atStripe, movement, reversal: null }]);
    expect(await standing(made.payment)).toEqual({ ...HALF_KEPT, owed: 0, sent: 500 });

    const waived = await refundOfBefore('pending');
    await giveUpRefund(database.db, waived.refundId, 'waived');
    expect(await standing(waived.payment)).toEqual({ pending: 425, payable: 0, revenue: 575, owed: 0, sent: 0 });
  });

  test.each(['succeeded', 'pending'] as const)(
    'is %s at Stripe and comes back now is owed, and is not taken from the shares again',
    async (status) => {
      const { payment, refundId, stripeRefundId: id } = await refundOfBefore(status, { moved: true });
      const line = (name: string) => ({ id: `txn_${name}_${id}`, fee: 0, currency: 'EUR' });
      const failed = { id, refundId, status: 'failed', amount: 500, failureCode: 'expired_or_canceled_card' } as const;
      await recordStripeRefunds(database.db, payment.id, [
        { ...failed, movement: line('out'), reversal: line('back') },
      ]);
      await postWhatFailedBefore(database.db, 100);
      expect(await standing(payment)).toEqual({ ...HALF_KEPT, owed: 500, sent: 0 });
      expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 500, refunded: 0 });
    },
  );

  test('failed, and whose amount another one has given meanwhile, is not made again', async () => {
    const { payment, refundId } = await refundOfBefore('failed', { moved: false });
    const more = { paymentId: payment.id, origin: 'request', reason: 'r', currency: 'EUR', amount: 600 } as const;
    await database.db.insert(refunds).values({ ...more, id: uuidv7(), status: 'succeeded' });
    const retry = beginRetry(database.db, `refund:${refundId}/submit-2`, refundId, 2);
    await expect(retry).rejects.toMatchObject({ code: 'refund_exceeds_payment' });
  });

  test('promised what another one gave is owed no more than was captured', async () => {
    const { payment } = await refundOfBefore('failed', { moved: false });
    const more = { paymentId: payment.id, origin: 'request', reason: 'r', currency: 'EUR', amount: 1000 } as const;
    await database.db.insert(refunds).values({ ...more, id: uuidv7(), status: 'pending' });
    await postWhatFailedBefore(database.db, 100);
    expect(await standing(payment)).toEqual({ pending: 0, payable: 0, revenue: 0, owed: 1000, sent: 0 });
    expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 1000 });
  });
});
