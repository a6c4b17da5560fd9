import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import { EUR, paymentRows } from '../../../../tests/support/payment';
import { readPayment } from '../../charges/store/payments';
import { standingOf } from '../../ledger/store';
import type { StripeRefund } from '../../stripe/answers';
import { recordRefundRefusal, recordStripeRefunds } from './at-stripe';
import { beginRetry, beginSubmit, takenStripeIds } from './attempts';
import { closeRefund } from './by-hand';
import { listRefunds, readRefund, unseenRefunds } from './refunds';
import { createRefund } from './requests';

// Races many transactions: on a busy machine that takes its time.
jest.setTimeout(30_000);

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

const { captured } = paymentRows(() => database);
let counter = 0;

function made(amount: number, more: Partial<StripeRefund> = {}): StripeRefund {
  const id = `re_${++counter}`;
  const movement = { id: `txn_${id}`, fee: 0, currency: 'EUR' };
  return { id, refundId: null, status: 'succeeded', amount, failureCode: null, movement, reversal: null, ...more };
}

async function ask(paymentId: string, amount: number) {
  const request = { owner: 'service', key: `refund-${++counter}`, fingerprint: 'f' };
  return createRefund(database.db, request, paymentId, { amount: EUR(amount), reason: 'r', requestedBy: null });
}

test('a refund that Stripe has is not undone by a refusal that arrives late', async () => {
  const row = await captured();
  const { refundId } = await ask(row.id, 400);
  const { attempt } = await beginSubmit(database.db, `refund:${refundId}/submit`, refundId);
  if (!attempt) throw new Error('nothing begun');
  await recordStripeRefunds(database.db, row.id, [made(400, { refundId })]);
  const { refund, payment } = await recordRefundRefusal(database.db, refundId, attempt, {
    code: 'charge_already_refunded',
    asked: 400,
  });
  expect(refund.status).toBe('succeeded');
  expect(payment).toMatchObject({ refunded: 400, refundPending: 0 });
});

test('two refunds at Stripe that bear one id are two refunds: both are counted', async () => {
  const row = await captured();
  const { refundId } = await ask(row.id, 300);
  const twice = [made(300, { refundId }), made(300, { refundId })];
  await recordStripeRefunds(database.db, row.id, twice);
  const payment = await recordStripeRefunds(database.db, row.id, twice);
  expect(payment).toMatchObject({ refunded: 600, refundPending: 0, status: 'partially_refunded' });
  expect(await listRefunds(database.db, row.id)).toHaveLength(2);
});

test('a refund that Stripe made for more than is left of it here counts as Stripe says, and another one gives way', async () => {
  const row = await captured();
  const first = await ask(row.id, 700);
  const second = await ask(row.id, 200);
  // Made elsewhere, and one of ours at the same moment: its answer has not come yet.
  const elsewhere = made(300);
  await recordStripeRefunds(database.db, row.id, [elsewhere]);
  expect(await readRefund(database.db, first.refundId)).toMatchObject({ status: 'pending', amount: 500 });
  const payment = await recordStripeRefunds(database.db, row.id, [made(700, { refundId: first.refundId }), elsewhere]);
  expect(payment).toMatchObject({ refunded: 1000, refundPending: 0, status: 'refunded' });
  expect(await readRefund(database.db, first.refundId)).toMatchObject({ status: 'succeeded', amount: 700 });
  expect(await readRefund(database.db, second.refundId)).toMatchObject({ failureCode: 'refunded_otherwise' });
  const standing = await database.db.transaction((tx) => standingOf(tx, row.id, row.payeeId));
  expect(standing).toEqual({ pending: 0, payable: 0, revenue: 0, owed: 0, sent: 1000 });
});

/** A refund that was made and that its bank returned. */
async function returned(amount: number) {
  const row = await captured();
  const { refundId } = await ask(row.id, amount);
  const first = made(amount, { refundId });
  await recordStripeRefunds(database.db, row.id, [first]);
  await recordStripeRefunds(database.db, row.id, [
    { ...first, status: 'failed', failureCode: 'expired_or_canceled_card' },
  ]);
  return { paymentId: row.id, refundId, first };
}

const retry = (refundId: string, number = 2) =>
  beginRetry(database.db, `refund:${refundId}/submit-${number}`, refundId, number);

describe('a failed refund', () => {
  test('is not brought back by an older answer of Stripe’s that arrives late', async () => {
    const { paymentId, refundId, first } = await returned(400);
    for (const status of ['pending', 'succeeded'] as const)
      await recordStripeRefunds(database.db, paymentId, [{ ...first, status }]);
    expect(await readRefund(database.db, refundId)).toMatchObject({ status: 'failed', tries: 1 });
  });

  test('made again takes nothing over from its first try but the money that comes back late', async () => {
    const { paymentId, refundId, first } = await returned(400);
    const begun = await retry(refundId);
    expect(begun).toMatchObject({
      refund: { status: 'pending', tries: 2, stripeRefundId: null, failureCode: null },
      payment: { refundPending: 400, refunded: 0 },
    });
    const failed = { ...first, status: 'failed' as const };
    await recordStripeRefunds(database.db, paymentId, [failed]);
    expect(await readRefund(database.db, refundId)).toMatchObject({ status: 'pending', stripeRefundId: null });

    const second = made(400, { refundId });
    const reversal = { id: 'txn_back', fee: 0, currency: 'EUR' };
    const payment = await recordStripeRefunds(database.db, paymentId, [second, { ...failed, reversal }]);
    expect(payment).toMatchObject({ refunded: 400, refundPending: 0 });
    expect(await readRefund(database.db, refundId)).toMatchObject({ status: 'succeeded', stripeRefundId: second.id });
    const posted = await database.sql`
      select kind, reference from ledger_transactions where payment_id = ${paymentId} order by id`;
    expect(posted.map(({ kind, reference }) => [kind, reference]).slice(1)).toEqual([
      ['refund_owed', refundId],
      ['refund', first.id],
      ['refund_reversal', 'txn_back'],
      ['refund', second.id],
    ]);
    expect(await takenStripeIds(database.db, paymentId, refundId)).toEqual(new Set([first.id]));
    expect(await takenStripeIds(database.db, paymentId, paymentId)).toEqual(new Set([first.id, second.id]));
  });

  test('is reserved again once, by however many ask for the same try, and another try only by its number', async () => {
    const { paymentId, refundId } = await returned(400);
    const begun = await Promise.all(Array.from({ length: 10 }, () => retry(refundId)));
    expect(new Set(begun.map(({ attempt }) => attempt?.stripeKey))).toEqual(new Set([`refund:${refundId}/submit-2/1`]));
    expect(await readPayment(database.db, paymentId)).toMatchObject({ refundPending: 400 });
    expect((await retry(refundId, 4)).refund.tries).toBe(2);
    const attempt = begun[0]?.attempt;
    if (!attempt) throw new Error('nothing begun');
    await recordRefundRefusal(database.db, refundId, attempt, { code: 'charge_disputed', asked: 400 });
    expect(await retry(refundId)).toMatchObject({ refund: { status: 'failed', tries: 2 }, attempt: null });
    expect(await retry(refundId, 3)).toMatchObject({ refund: { status: 'pending', tries: 3 } });
  });

  test('racing a new refund for its amount keeps it: the payer is owed it', async () => {
    for (let n = 0; n < 5; n++) {
      const { paymentId, refundId } = await returned(700);
      const race = await Promise.allSettled([retry(refundId), ask(paymentId, 700)]);
      expect(race).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'refund_exceeds_payment' } }]);
      expect(await readPayment(database.db, paymentId)).toMatchObject({ refundPending: 700, refunded: 0 });
    }
  });

  test('needs a saga until its end has been seen to, and no more after that', async () => {
    const { paymentId, refundId } = await returned(400);
    const unseen = async () => (await unseenRefunds(database.db, paymentId)).map(({ id }) => id);
    expect(await unseen()).toEqual([refundId]);
    expect((await closeRefund(database.db, refundId, 'succeeded')).refund.closedAs).toBeNull();
    expect(await unseen()).toEqual([refundId]);
    // Made again it is open, but its saga's alone until Stripe has it.
    await retry(refundId);
    expect(await unseen()).toEqual([]);
    const again = made(400, { refundId });
    await recordStripeRefunds(database.db, paymentId, [again]);
    expect(await unseen()).toEqual([refundId]);
    await closeRefund(database.db, refundId, 'succeeded');
    expect(await unseen()).toEqual([]);
    await recordStripeRefunds(database.db, paymentId, [{ ...again, status: 'failed' }]);
    expect(await unseen()).toEqual([refundId]);
    expect((await closeRefund(database.db, refundId, 'failed')).refund.closedAs).toBe('failed');
    expect(await unseen()).toEqual([]);
    // Nobody is owed it any more: it is not made a third time.
    expect(await retry(refundId, 3)).toMatchObject({ refund: { status: 'failed', tries: 2 }, attempt: null });
  });
});

test('a refund without money moving is none: that is how Stripe shows a released authorisation', async () => {
  const row = await captured();
  expect(await recordStripeRefunds(database.db, row.id, [made(1000, { movement: null })])).toEqual(row);
});

test.each([
  [0, { revenue: 0, tutor: -1000 }],
  [100, { revenue: -1000, tutor: 0 }],
])(
  'with a platform fee of %i %% the shares are %j, and a full refund brings both back to nothing',
  async (percent, shares) => {
    const row = await captured(1000, percent);
    const sums = async () => {
      const rows = await database.sql`
      select e.account, sum(e.amount)::int as amount from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
      where t.payment_id = ${row.id} group by e.account`;
      const of = (prefix: string) => rows.find(({ account }) => account.startsWith(prefix))?.amount ?? 0;
      return { revenue: of('platform'), tutor: of('tutor') };
    };
    expect(await sums()).toEqual(shares);
    await recordStripeRefunds(database.db, row.id, [made(1000)]);
    expect(await sums()).toEqual({ revenue: 0, tutor: 0 });
  },
);
