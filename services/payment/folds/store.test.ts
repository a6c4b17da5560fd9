import { desc, eq, sql } from 'drizzle-orm';
import { ledgerEntries, ledgerTransactions, payments, payouts, refunds } from '../../../db/schema/payment';
import { uuidv7 } from '../../../platform/ids';
import { expectFolded, faultsOfColumns } from '../../../tests/support/folds';
import { type PaymentStack, payoutsAt, refundsAt, startPaymentStack } from '../../../tests/support/payment';
import { ENTRY_COLUMNS, TRANSACTION_COLUMNS } from './rules/ledger';
import { PAYMENT_COLUMNS } from './rules/payments';
import { PAYOUT_COLUMNS } from './rules/payouts';
import { REFUND_COLUMNS } from './rules/refunds';
import { foldedTables } from './store';

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());

const { payee, earned } = payoutsAt(() => stack);
const { askRefund } = refundsAt(() => stack);
const db = () => stack.service.database.db;

test.each([
  ['payments', payments, PAYMENT_COLUMNS],
  ['refunds', refunds, REFUND_COLUMNS],
  ['payouts', payouts, PAYOUT_COLUMNS],
  ['ledger_transactions', ledgerTransactions, TRANSACTION_COLUMNS],
  ['ledger_entries', ledgerEntries, ENTRY_COLUMNS],
])('every column of %s is told of, or left out with a reason', (_, table, columns) => {
  expect(faultsOfColumns(table, columns)).toEqual([]);
});

test('what no event has told of is found, of each kind, until its fold begins anew', async () => {
  const who = await payee();
  const paymentId = await earned(who, 10_000, 'EUR');
  const { body: refund } = await askRefund({ paymentId }, 100, 'k');
  const { body: payout } = await who.ask();
  await expectFolded(db(), foldedTables);
  const [movement] = await db().select().from(ledgerTransactions).where(eq(ledgerTransactions.payoutId, payout.id));
  const { sql } = stack.service.database;
  await sql`update payments set refund_pending = refund_pending + 1, settled_at = now() where id = ${paymentId}`;
  await sql`update refunds set tries = 2 where id = ${refund.refundId}`;
  await sql`update payouts set stopped_at = now() where id = ${payout.id}`;
  await sql`delete from events where stream_id = ${String(movement?.id)}`;
  const all = Object.keys({ ...TRANSACTION_COLUMNS, entries: '' }).filter((name) => name !== 'reference');
  const found = new Map<string, [id: string, columns: string[]]>([
    ['payment', [paymentId, ['refundPending', 'settledAt']]],
    ['refund', [refund.refundId, ['tries']]],
    ['payout', [payout.id, ['stoppedAt']]],
    ['ledger_transaction', [String(movement?.id), all]],
  ]);
  for (const table of foldedTables) {
    const { kind } = table;
    const [id, columns] = found.get(kind) ?? ['', []];
    const { different } = await db().transaction((tx) => table.differing(tx, [id]));
    expect(different.map((one) => ({ ...one, columns: one.columns.toSorted() }))).toEqual([
      { kind, id, columns: columns.toSorted() },
    ]);
    expect(await table.rebase(db(), id)).toBe(true);
    expect(await table.rebase(db(), id)).toBe(false);
  }
  await expectFolded(db(), foldedTables);
});

test('a movement that lost its entries is not what was told of it; one that there is not cannot be held to anything', async () => {
  const ledger = foldedTables.find(({ kind }) => kind === 'ledger_transaction');
  await earned(await payee(), 5_000, 'EUR');
  const [movement] = await db().select().from(ledgerTransactions).orderBy(desc(ledgerTransactions.id)).limit(1);
  const id = String(movement?.id);
  const lost = db().transaction(async (tx) => {
    await tx.execute(sql`alter table ledger_entries disable trigger user`);
    await tx.delete(ledgerEntries).where(eq(ledgerEntries.transactionId, id));
    expect(await ledger?.differing(tx, [id])).toMatchObject({ different: [{ id, columns: ['entries'] }] });
    throw new Error('nothing of this stays');
  });
  await expect(lost).rejects.toThrow('nothing of this stays');
  await expect(ledger?.rebase(db(), uuidv7())).rejects.toMatchObject({ code: 'not_found' });
});

test('whoever asks is told what differs, and by the same seed again; nothing is corrected', async () => {
  const who = await payee();
  const paymentId = await earned(who, 5_000, 'EUR');
  await stack.service.database.sql`update payments set refunded = 1 where id = ${paymentId}`;
  const ask = () => stack.service.internal('POST', '/internal/folds/check', { body: { limit: 400, seed: 1 } });
  const { body } = await ask();
  expect(body.checked).toBeGreaterThan(4);
  expect(body.different).toEqual([{ kind: 'payment', id: paymentId, columns: ['refunded'] }]);
  expect((await ask()).body).toEqual(body);
  expect(await stack.events(paymentId)).not.toContain('PaymentBaseline');
});
