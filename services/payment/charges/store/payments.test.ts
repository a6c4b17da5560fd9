import { theOnly, violatedConstraint } from '../../../../db/client';
import { payments } from '../../../../db/schema/payment';
import { uuidv7 } from '../../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import { EUR, paymentRows } from '../../../../tests/support/payment';
import { voidUnmade } from '../../settlement/store';
import { recordChargeRefusal, recordIntent } from './intents';

// Races many transactions: on a busy machine that takes its time.
jest.setTimeout(30_000);

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

const { begin, paid, captured } = paymentRows(() => database);

test('every change of a payment has a higher version, and the same word again is no change', async () => {
  const { payment } = await begin();
  const intent = paid(1000, { status: 'requires_capture', captureBefore: new Date('2026-12-01T00:00:00Z') });
  const authorized = await recordIntent(database.db, payment.id, intent);
  expect(authorized).toMatchObject({ status: 'authorized', version: payment.version + 1 });
  expect(await recordIntent(database.db, payment.id, intent)).toEqual(authorized);
  const done = await recordIntent(database.db, payment.id, { ...intent, status: 'succeeded' });
  expect(done).toMatchObject({ status: 'captured', version: authorized.version + 1, clientSecret: null });
});

test('ten who record the same capture at once post it once', async () => {
  const { payment } = await begin();
  const intent = paid();
  await Promise.all(Array.from({ length: 10 }, () => recordIntent(database.db, payment.id, intent)));
  const rows = await database.sql`select kind from ledger_transactions where payment_id = ${payment.id}`;
  expect(rows.map(({ kind }) => kind)).toEqual(['capture']);
});

test('Stripe’s fee is posted when it becomes known, which may be after the capture', async () => {
  const { payment } = await begin();
  const intent = paid();
  await recordIntent(database.db, payment.id, intent);
  await recordIntent(database.db, payment.id, { ...intent, movement: { id: 'txn_fee', fee: 39, currency: 'EUR' } });
  const [fee] = await database.sql`
    select e.amount::int as amount from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
    where t.payment_id = ${payment.id} and e.account = 'stripe_fees'`;
  expect(fee?.amount).toBe(39);
});

test('a refusal of an attempt that a look-up has meanwhile found done changes nothing', async () => {
  const begun = await begin();
  const row = await recordIntent(database.db, begun.payment.id, paid());
  if (!begun.attempt) throw new Error('nothing begun');
  expect(
    await recordChargeRefusal(database.db, row.id, begun.attempt, { code: 'amount_too_small', isOurs: true }),
  ).toEqual(row);
  expect(await voidUnmade(database.db, row.id)).toEqual(row);
});

test('an intent that is not the payment’s own is left to the caller', async () => {
  const row = await captured();
  expect(await recordIntent(database.db, row.id, paid())).toEqual(row);
});

test.each([
  ['more refunded than taken', { captured: 100, refunded: 101 }, 'payments_refunded_within_captured'],
  ['more taken than asked for', { captured: 1001 }, 'payments_captured_within_amount'],
  ['a fee above the amount', { fee: 1001 }, 'payments_fee_within_amount'],
  ['less than nothing under way', { refundPending: -1 }, 'payments_refund_pending'],
])('the database refuses %s', async (_, more, constraint) => {
  const people = { payerId: uuidv7(), payeeId: uuidv7() };
  const id = uuidv7();
  const values = {
    id,
    subjectKind: 'direct' as const,
    subjectId: id,
    ...people,
    ...EUR(1000),
    status: 'pending' as const,
    capture: 'manual' as const,
    fee: 150,
    paymentMethodId: 'pm',
  };
  const error = await database.db
    .insert(payments)
    .values({ ...values, ...more })
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  expect(violatedConstraint(error)).toBe(constraint);
});

test('a row that must be there and is not is a defect', () => {
  expect(() => theOnly([])).toThrow('must be there');
  expect(theOnly([1])).toBe(1);
});
