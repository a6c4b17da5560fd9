import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import { EUR, ofBooking, paymentRows } from '../../../../tests/support/payment';
import { readPayment } from '../../charges/store/payments';
import { standingOf } from '../../ledger/store';
import { recordStripeRefunds } from './at-stripe';
import { closeRefund, giveUpRefund, settleByHand } from './by-hand';
import { readRefund, unseenRefunds } from './refunds';
import { createRefund } from './requests';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

const { captured } = paymentRows(() => database);
let counter = 0;

const keyed = <Key extends string>(key: Key) => ({ owner: 'service', key, fingerprint: 'f' });

function ask(paymentId: string, amount: number, more: { key?: string; requestedBy?: string } = {}) {
  const { key = `booking:${++counter}/refund`, requestedBy = null } = more;
  return createRefund(database.db, keyed(key), paymentId, { amount: EUR(amount), reason: 'r', requestedBy });
}

const eventsOf = async (id: string) =>
  (await database.sql`select type, data from events where stream_id = ${id} order by version`).map(({ type, data }) => [
    type,
    data.as,
  ]);

describe('a refund that an operator has settled by hand', () => {
  test.each(['paid_elsewhere', 'waived'] as const)(
    'and Stripe never got has failed, %s, and its amount can be refunded again',
    async (as) => {
      const payment = await captured();
      const { refundId } = await ask(payment.id, 700);
      await expect(ask(payment.id, 700)).rejects.toMatchObject({ code: 'refund_exceeds_payment' });
      for (let times = 0; times < 2; times++) await giveUpRefund(database.db, refundId, as);
      expect(await readRefund(database.db, refundId)).toMatchObject({ status: 'failed', failureCode: as });
      expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 0, refunded: 0 });
      expect(await eventsOf(refundId)).toEqual(expect.arrayContaining([['RefundSettledByHand', as]]));
      // Nobody has to be told of it again, and the rest is anybody's.
      expect(await unseenRefunds(database.db, payment.id)).toEqual([]);
      await ask(payment.id, 700);
    },
  );

  test('and Stripe has stays as Stripe says', async () => {
    const payment = await captured();
    const { refundId } = await ask(payment.id, 400);
    const movement = { id: 'txn_hand', fee: 0, currency: 'EUR' };
    const made = { id: 're_hand', refundId, amount: 400, failureCode: null, movement, reversal: null };
    await recordStripeRefunds(database.db, payment.id, [{ ...made, status: 'pending' }]);
    expect((await giveUpRefund(database.db, refundId, 'waived')).refund.status).toBe('pending');
    await recordStripeRefunds(database.db, payment.id, [{ ...made, status: 'succeeded' }]);
    expect((await giveUpRefund(database.db, refundId, 'waived')).refund.status).toBe('succeeded');
    expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 0, refunded: 400 });
  });

  test('and had failed keeps what the bank said of it', async () => {
    const payment = await captured();
    const { refundId } = await ask(payment.id, 400);
    await giveUpRefund(database.db, refundId, 'waived');
    await closeRefund(database.db, refundId, 'failed');
    await giveUpRefund(database.db, refundId, 'paid_elsewhere');
    expect(await readRefund(database.db, refundId)).toMatchObject({ status: 'failed', failureCode: 'waived' });
  });
});

describe('a payment whose saga an operator has settled by hand', () => {
  test('keeps nothing reserved by the saga, and what people asked for', async () => {
    const payment = await captured();
    const bySaga = await ask(payment.id, 300);
    const byPerson = await ask(payment.id, 200, { requestedBy: payment.payerId });
    const undo = keyed('booking:settled/settle-by-hand/undo');
    for (let times = 0; times < 2; times++)
      await settleByHand(database.db, undo, { id: payment.id }, { as: 'paid_elsewhere' });
    expect((await readRefund(database.db, bySaga.refundId)).status).toBe('failed');
    expect((await readRefund(database.db, byPerson.refundId)).status).toBe('pending');
    expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 200 });
  });

  test('reserves nothing more when the step arrives late', async () => {
    const payment = await captured();
    const step = 'booking:late/refund';
    await settleByHand(database.db, keyed(`${step}/undo`), { id: payment.id }, { as: 'waived' });
    await expect(ask(payment.id, 300, { key: step })).rejects.toMatchObject({ code: 'undone' });
    expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 0 });
  });

  test('before its share was recorded leaves the tutor no more than what was not promised', async () => {
    const payment = await captured();
    const undo = keyed('booking:early/refund/undo');
    for (let times = 0; times < 2; times++)
      await settleByHand(database.db, undo, { id: payment.id }, { as: 'paid_elsewhere', percent: 50 });
    const standing = await database.db.transaction((tx) => standingOf(tx, payment.id, payment.payeeId));
    expect(standing).toEqual({ pending: 425, payable: 0, revenue: 575, owed: 0, sent: 0 });
    expect(await readPayment(database.db, payment.id)).toMatchObject({ refundPending: 0, refunded: 0 });
  });

  test('after its share was recorded gives that up alone', async () => {
    const payment = await captured();
    await ask(payment.id, 300);
    await settleByHand(
      database.db,
      keyed('booking:once/refund/undo'),
      { id: payment.id },
      { as: 'waived', percent: 50 },
    );
    const standing = await database.db.transaction((tx) => standingOf(tx, payment.id, payment.payeeId));
    expect(standing).toEqual({ pending: 595, payable: 0, revenue: 405, owed: 0, sent: 0 });
  });

  test('of a booking that has no payment is no trouble', async () => {
    const none = ofBooking('0199f1aa-0000-7000-8000-00000000abcd');
    await settleByHand(database.db, keyed('booking:none/settle-by-hand/undo'), none, { as: 'waived' });
  });
});
