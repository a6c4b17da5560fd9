import { randomUUID } from 'node:crypto';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';
import { sqlState, violatedConstraint } from './client';

// The ledger of the time before a movement could belong to a debt, and the code of before, which names a payment or a payout alone.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

const outcome = (write: PromiseLike<unknown>) =>
  write.then(
    () => 'done',
    (error: unknown) => [sqlState(error), violatedConstraint(error)],
  );

/** As the code of before posts what belongs to a dispute. */
const postBefore = (sql: Sql, disputeId: string) =>
  sql.begin(async (tx) => {
    const id = randomUUID();
    await tx`
      insert into ledger_transactions (id, dispute_id, kind, reference, currency)
      values (${id}, ${disputeId}, 'release', ${disputeId}, 'EUR')`;
    await tx`insert into ledger_entries (transaction_id, account, currency, amount)
      values (${id}, 'a', 'EUR', 1), (${id}, 'b', 'EUR', -1)`;
  });

const post = (sql: Sql, causes: { debt_id?: string; dispute_id?: string }, reference: string) =>
  sql.begin(async (tx) => {
    const id = randomUUID();
    await tx`insert into ledger_transactions ${tx({ id, ...causes, kind: 'waived', reference, currency: 'EUR' })}`;
    await tx`insert into ledger_entries (transaction_id, account, currency, amount)
      values (${id}, 'a', 'EUR', 1), (${id}, 'b', 'EUR', -1)`;
  });

const open = async (sql: Sql, payeeId: string, currency = 'EUR'): Promise<string> => {
  const id = randomUUID();
  await sql`insert into debts (id, payee_id, currency, status, amount, since)
    values (${id}, ${payeeId}, ${currency}, 'open', 100, now())`;
  return id;
};

test('what was posted stays, the code of before goes on, and a movement belongs to one thing, a debt among them, once', async () => {
  const before = randomUUID();
  await migrated(
    server,
    { context: 'payment', name: '_debts' },
    (sql) => postBefore(sql, before),
    async (sql) => {
      expect(await outcome(postBefore(sql, randomUUID()))).toBe('done');
      expect(await outcome(postBefore(sql, before))).toEqual(['23505', 'ledger_posted_once']);
      const [one, other] = [await open(sql, randomUUID()), await open(sql, randomUUID())];
      expect(await outcome(post(sql, { debt_id: one }, one))).toBe('done');
      expect(await outcome(post(sql, { debt_id: one }, one))).toEqual(['23505', 'ledger_posted_once']);
      expect(await outcome(post(sql, { debt_id: other }, other))).toBe('done');
      expect(await outcome(post(sql, {}, 'nothing'))).toEqual(['23514', 'ledger_transaction_of_one']);
      expect(await outcome(post(sql, { debt_id: other, dispute_id: before }, 'both'))).toEqual([
        ...['23514', 'ledger_transaction_of_one'],
      ]);
      expect(await outcome(post(sql, { debt_id: randomUUID() }, 'nobody'))).toEqual([
        ...['23503', 'ledger_transactions_debt_id_debts_id_fk'],
      ]);
    },
  );
});

test('a payee has one open debt of a currency, and what is closed says when and how', async () => {
  await migrated(
    server,
    { context: 'payment', name: '_debts' },
    async () => undefined,
    async (sql) => {
      const payeeId = randomUUID();
      const id = await open(sql, payeeId);
      expect(await outcome(open(sql, payeeId))).toEqual(['23505', 'debts_one_open']);
      expect(await outcome(open(sql, payeeId, 'GBP'))).toBe('done');
      const close = (set: Record<string, string | null>) => outcome(sql`update debts set ${sql(set)} where id = ${id}`);
      const closed_at = new Date().toISOString();
      expect(await close({ status: 'recovered' })).toEqual(['23514', 'debts_open_until_closed']);
      expect(await close({ closed_at })).toEqual(['23514', 'debts_open_until_closed']);
      expect(await close({ status: 'settled', closed_at })).toEqual(['23514', 'debts_settled_as']);
      expect(await close({ status: 'recovered', closed_at, closed_as: 'waived' })).toEqual([
        '23514',
        'debts_settled_as',
      ]);
      expect(await close({ status: 'settled', closed_at, closed_as: 'waived' })).toBe('done');
      expect(await outcome(open(sql, payeeId))).toBe('done');
    },
  );
});
