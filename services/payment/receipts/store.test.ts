import { type PaymentStack, receiptsAt, refundsAt, startPaymentStack } from '../../../tests/support/payment';
import { dueReceipts, issueCreditNote } from './store';

jest.setTimeout(60_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());

const { paid, refunded } = refundsAt(() => stack);
const { issue, issueCreditNotes } = receiptsAt(() => stack);

const year = new Date().getUTCFullYear();
const sql = () => stack.service.database.sql;

/** The numbers of this year, in order. */
async function numbers(table: 'receipts' | 'credit_notes'): Promise<number[]> {
  const rows = await sql()`select number from ${sql()(table)} where year = ${year} order by number`;
  return rows.map(({ number }) => number);
}
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test('twenty that are issued at once share no number and skip none, though one of them comes to nothing', async () => {
  const payments = await Promise.all(Array.from({ length: 20 }, () => paid()));
  const failing = payments[7]?.paymentId ?? '';
  // It fails when its number is taken already.
  await sql().unsafe(`alter table receipts add constraint not_this_one check (payment_id <> '${failing}')`);
  const replies = await Promise.all(payments.map(({ paymentId }) => issue(paymentId)));
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(19);
  expect(replies[7]?.status).toBe(500);
  expect(await numbers('receipts')).toEqual(upTo(19));

  await sql()`alter table receipts drop constraint not_this_one`;
  expect((await issue(failing)).body).toEqual({ issued: true });
  expect(await numbers('receipts')).toEqual(upTo(20));
});

test('a receipt that is issued ten times at once is issued once, and the first counts', async () => {
  const before = await numbers('receipts');
  const { paymentId } = await paid();
  const replies = await Promise.all(upTo(10).map(() => issue(paymentId)));
  expect(replies.filter(({ body }) => body.issued)).toHaveLength(1);
  expect(await numbers('receipts')).toHaveLength(before.length + 1);
  const [first] = await sql()`select * from receipts where payment_id = ${paymentId}`;
  expect((await issue(paymentId, { payer: null, locale: 'de' })).body).toEqual({ issued: false });
  expect(await sql()`select * from receipts where payment_id = ${paymentId}`).toEqual([first]);
});

test('what is due are payments whose money was taken and that have no receipt, the latest first', async () => {
  const [earlier, later] = [await paid(), await paid()];
  const due = async () => (await dueReceipts(stack.service.database.db, 100)).map(({ paymentId }) => paymentId);
  expect(await due()).toEqual([later.paymentId, earlier.paymentId]);
  expect(await dueReceipts(stack.service.database.db, 1)).toEqual([
    { paymentId: later.paymentId, payerId: later.payerId, payeeId: later.payeeId },
  ]);
  await issue(later.paymentId);
  expect(await due()).toEqual([earlier.paymentId]);
  await issue(earlier.paymentId);
});

test('every year begins with 1, and leaves the numbers of the one before alone', async () => {
  await sql()`update receipt_numbers set year = year - 1 where kind = 'receipt'`;
  await sql()`update receipts set year = year - 1`;
  const { paymentId } = await paid();
  await issue(paymentId);
  expect(await numbers('receipts')).toEqual([1]);
  const before = await sql()`select last from receipt_numbers where kind = 'receipt' and year = ${year - 1}`;
  const old = await sql()`select number from receipts where year = ${year - 1}`;
  expect(before).toEqual([{ last: old.length }]);
});

test('credit notes have numbers of their own, one for each refund however many issue them at once', async () => {
  const payments = await Promise.all(upTo(5).map(() => paid()));
  for (const { paymentId } of payments) await issue(paymentId);
  for (const payment of payments) await refunded(payment, 500);
  const issued = await Promise.all(upTo(4).map(() => issueCreditNotes()));
  expect(issued.reduce((sum, count) => sum + count)).toBe(5);
  expect(await numbers('credit_notes')).toEqual(upTo(5));
});

test('a refund that came back before its credit note was issued gets none', async () => {
  const payment = await paid();
  await issue(payment.paymentId);
  const refundId = await refunded(payment, 500);
  await sql()`update refunds set status = 'failed' where id = ${refundId}`;
  expect(await issueCreditNote(stack.service.database.db, refundId)).toBe(false);
  expect(await numbers('credit_notes')).toEqual(upTo(5));
});

test('a credit note that fails holds up none of the others', async () => {
  const payments = await Promise.all(upTo(3).map(() => paid()));
  for (const { paymentId } of payments) await issue(paymentId);
  const refunds: string[] = [];
  for (const payment of payments) refunds.push(await refunded(payment, 500));
  await sql().unsafe(`alter table credit_notes add constraint not_this_one check (refund_id <> '${refunds[0]}')`);
  expect((await stack.post('/credit-notes')).status).toBe(500);
  expect(await numbers('credit_notes')).toEqual(upTo(7));
  await sql()`alter table credit_notes drop constraint not_this_one`;
  expect(await issueCreditNotes()).toBe(1);
  expect(await numbers('credit_notes')).toEqual(upTo(8));
});
