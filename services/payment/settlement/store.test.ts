import { eq } from 'drizzle-orm';
import { payments, refunds } from '../../../db/schema/payment';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { paymentRows } from '../../../tests/support/payment';
import { REFUNDED_OTHERWISE } from '../refunds/rules';
import { giveUpRefund } from '../refunds/store/by-hand';
import { refundWhatIsLeft } from './store';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

const { captured } = paymentRows(() => database);

describe('bringing a payment to zero again', () => {
  test('makes no refund a second time that waits, or that an operator has settled by hand', async () => {
    const { id } = await captured(1000);
    const made = await refundWhatIsLeft(database.db, id);
    expect(made.map(({ amount, status }) => ({ amount, status }))).toEqual([{ amount: 1000, status: 'pending' }]);
    expect(await refundWhatIsLeft(database.db, id)).toEqual(made);
    for (const refund of made) await giveUpRefund(database.db, refund.id, 'paid_elsewhere');
    expect(await refundWhatIsLeft(database.db, id)).toEqual([]);
  });

  test('makes one anew whose amount another refund had, which its payer did not get after all', async () => {
    const { id } = await captured(1000);
    const [first] = await refundWhatIsLeft(database.db, id);
    const replaced = { status: 'failed', closedAs: 'failed', failureCode: REFUNDED_OTHERWISE } as const;
    await database.db.update(refunds).set(replaced).where(eq(refunds.paymentId, id));
    await database.db.update(payments).set({ refundPending: 0 }).where(eq(payments.id, id));
    const [second] = await refundWhatIsLeft(database.db, id);
    expect(second).toMatchObject({ amount: 1000, status: 'pending' });
    expect(second?.id).not.toBe(first?.id);
  });
});
