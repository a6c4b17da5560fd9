import { sql } from 'drizzle-orm';
import { sqlState, violatedConstraint } from '../../../db/client';
import { ledgerEntries, ledgerTransactions, payments } from '../../../db/schema/payment';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { owedEntries, refundEntries } from './rules';
import { entriesOf, type PaymentPosting, post, standingOf } from './store';

let database: TestDatabase;
let paymentId: string;
const TUTOR = uuidv7();
const WHOM = { payerId: uuidv7(), payeeId: TUTOR };

beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());
beforeEach(async () => {
  paymentId = uuidv7();
  await database.db.insert(payments).values({
    id: paymentId,
    subjectKind: 'direct',
    subjectId: paymentId,
    ...WHOM,
    status: 'captured',
    capture: 'automatic',
    currency: 'EUR',
    amount: 1000,
    fee: 150,
    captured: 1000,
    paymentMethodId: 'pm_card_visa',
  });
});

const capture = (): PaymentPosting => ({
  paymentId,
  kind: 'capture',
  reference: 'pi_1',
  currency: 'EUR',
  entries: [
    { account: 'stripe_balance', amount: 1000 },
    { account: `tutor_pending:${TUTOR}`, amount: -850 },
    { account: 'platform_revenue', amount: -150 },
  ],
});
const posted = (posting: PaymentPosting) => database.db.transaction((tx) => post(tx, WHOM, posting));
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'accepted',
    (error: unknown) => violatedConstraint(error) ?? sqlState(error),
  );

test('a movement is posted once, however often and at once', async () => {
  const results = await Promise.all(Array.from({ length: 8 }, () => posted(capture())));
  expect(results.reduce((sum, count) => sum + count)).toBe(1);
  const entries = await database.db.transaction((tx) => entriesOf(tx, capture()));
  expect(entries).toHaveLength(3);
});

test('of several movements those are posted that were not yet, each with its own entries', async () => {
  const fee: PaymentPosting = {
    ...capture(),
    kind: 'stripe_fee',
    reference: 'txn_1',
    entries: [
      { account: 'stripe_fees', amount: 54 },
      { account: 'stripe_balance', amount: -54 },
    ],
  };
  const both = () => database.db.transaction((tx) => post(tx, WHOM, capture(), { ...fee, entries: [] }, fee));
  await posted(capture());
  expect([await both(), await both()]).toEqual([1, 0]);
  const entries = await database.db.transaction(async (tx) => [
    await entriesOf(tx, capture()),
    await entriesOf(tx, fee),
  ]);
  expect(entries).toEqual([expect.arrayContaining(capture().entries), fee.entries]);
});

test('a movement of nothing is none', async () => {
  expect(await posted({ ...capture(), entries: [] })).toBe(0);
});

test('the database refuses a transaction that does not balance, has one side, or none', async () => {
  const [first, second] = capture().entries;
  expect(await refusal(posted({ ...capture(), entries: first && second ? [first, second] : [] }))).toBe(
    'ledger_must_balance',
  );
  expect(await refusal(posted({ ...capture(), entries: first ? [first] : [] }))).toBe('ledger_must_balance');
  const empty = { id: uuidv7(), paymentId, kind: 'capture' as const, reference: 'pi_2', currency: 'EUR' };
  expect(await refusal(database.db.insert(ledgerTransactions).values(empty).execute())).toBe('ledger_must_balance');
  expect(await database.db.transaction((tx) => entriesOf(tx, capture()))).toEqual([]);
});

test('the database refuses sides of nothing and sides in another currency', async () => {
  const [first] = capture().entries;
  const zero = { account: 'stripe_fees', amount: 0 };
  expect(await refusal(posted({ ...capture(), entries: [...capture().entries, zero] }))).toBe(
    'ledger_entries_moves_something',
  );
  await posted(capture());
  const [row] = await database.db.select().from(ledgerTransactions).where(sql`payment_id = ${paymentId}`);
  const dollars = { transactionId: row?.id ?? '', account: 'x', amount: first?.amount ?? 1, currency: 'USD' };
  expect(await refusal(database.db.insert(ledgerEntries).values(dollars).execute())).toBe('ledger_entries_transaction');
});

test('the database refuses a refund as the code of before posted it, once a part of the payment is owed', async () => {
  await posted(capture());
  const { entries } = capture();
  const ofBefore = (reference: string): PaymentPosting => ({
    ...{ ...capture(), kind: 'refund', reference },
    entries: entries.map(({ account, amount }) => ({ account, amount: -amount / 10 })),
  });
  expect(await refusal(posted(ofBefore('re_1')))).toBe('accepted');
  const terms = { id: paymentId, currency: 'EUR', captured: 1000, fee: 150, tutorId: TUTOR };
  const promised = owedEntries(100, terms, { pending: 765, payable: 0, revenue: 135 });
  await posted({ ...capture(), kind: 'refund_owed', reference: 'r2', entries: promised });
  expect(await refusal(posted(ofBefore('re_2')))).toBe('ledger_takes_once');
  const made = refundEntries(100, paymentId);
  expect(await refusal(posted({ ...capture(), kind: 'refund', reference: 're_2', entries: made }))).toBe('accepted');
});

test.each([
  'update ledger_entries set amount = amount * 2',
  'delete from ledger_entries',
  'truncate ledger_entries, ledger_transactions',
  "update ledger_transactions set reference = 'other'",
  'delete from ledger_transactions',
])('nobody rewrites the ledger: %s', async (statement) => {
  await posted(capture());
  expect(await refusal(database.sql.unsafe(statement))).toBe('ledger_is_append_only');
});

test('where a payment’s money is counts its own movements, and not money that Stripe took twice', async () => {
  await posted(capture());
  const stray = [
    { account: 'stripe_balance', amount: 1000 },
    { account: 'platform_revenue', amount: -1000 },
  ];
  await posted({ ...capture(), kind: 'stray_capture', reference: 'pi_2', entries: stray });
  const terms = { id: paymentId, currency: 'EUR', captured: 1000, fee: 150, tutorId: TUTOR };
  const promised = owedEntries(300, terms, { pending: 850, payable: 0, revenue: 150 });
  await posted({ ...capture(), kind: 'refund_owed', reference: 'r1', entries: promised });
  await posted({ ...capture(), kind: 'refund', reference: 're_1', entries: refundEntries(200, paymentId) });
  await posted({ ...capture(), kind: 'refund_reversal', reference: 'txn_2', entries: refundEntries(-50, paymentId) });
  const standing = await database.db.transaction((tx) => standingOf(tx, paymentId, TUTOR));
  expect(standing).toEqual({ pending: 595, payable: 0, revenue: 105, owed: 150, sent: 150 });
});
