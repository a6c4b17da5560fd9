import { drizzle } from 'drizzle-orm/postgres-js';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../../../dev/postgres/throwaway';
import { uuidv7 } from '../../../platform/ids';
import { expectFolded } from '../../../tests/support/folds';
import { migrated } from '../../../tests/support/migrated';
import { foldedTables } from './store';

// Money of the time before events told all of it.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

const [PAYER, PAYEE] = [uuidv7(), uuidv7()];
const IN_MICROSECONDS = '2026-03-01T10:00:00.123456Z';
const WORDS = 'Do not honour!';

type Values = Record<string, unknown>;
const insert = async (sql: Sql, table: string, row: Values) => {
  const id = uuidv7();
  await sql`insert into ${sql(table)} ${sql({ id, ...row })}`;
  return id;
};

const payment = async (sql: Sql, more: Values = {}) => {
  const id = uuidv7();
  return insert(sql, 'payments', {
    ...{ id, subject_kind: 'direct', subject_id: id, payer_id: PAYER, payee_id: PAYEE, status: 'captured' },
    ...{ capture: 'automatic', currency: 'EUR', amount: 4_500, fee: 675, payment_method_id: 'pm_x' },
    ...{ created_at: IN_MICROSECONDS, ...more },
  }).then(() => id);
};
const bookingId = uuidv7();
const FULL = {
  ...{
    subject_kind: 'booking',
    subject_id: bookingId,
    booking_id: bookingId,
    status: 'partially_refunded',
    version: 9,
  },
  ...{ capture: 'manual', captured: 4_500, refunded: 100, refund_pending: 200, disputed: 300, charged_back: 400 },
  ...{ capture_before: IN_MICROSECONDS, settled_at: IN_MICROSECONDS, earnings_due_at: IN_MICROSECONDS },
  ...{ released_at: IN_MICROSECONDS },
};
const refund = (sql: Sql, paymentId: string, more: Values = {}) =>
  insert(sql, 'refunds', {
    ...{ payment_id: paymentId, origin: 'request', reason: 'A book was missing', status: 'failed', currency: 'EUR' },
    ...{ amount: 100, created_at: IN_MICROSECONDS, ...more },
  });
const payout = (sql: Sql, more: Values = {}) =>
  insert(sql, 'payouts', {
    ...{ payee_id: PAYEE, origin: 'schedule', status: 'cancelled', currency: 'EUR', amount: 100 },
    ...{ period_to: IN_MICROSECONDS, created_at: IN_MICROSECONDS, ...more },
  });

/** A movement of money, as it was posted. */
async function post(sql: Sql, of: Values, kind: string, accounts: [string, string]): Promise<string> {
  const id = uuidv7();
  await sql.begin(async (tx) => {
    const transaction = { id, ...of, kind, reference: id, currency: 'EUR', posted_at: IN_MICROSECONDS };
    await tx`insert into ledger_transactions ${tx(transaction)}`;
    for (const [n, account] of accounts.entries())
      await tx`insert into ledger_entries values (${id}, ${account}, 'EUR', ${n === 0 ? 50 : -50})`;
  });
  return id;
}

test('all money of before is what its events say', async () => {
  const movements: string[] = [];
  await migrated(
    server,
    { context: 'payment', name: '_baselines' },
    async (sql) => {
      const plain = await payment(sql);
      const full = await payment(sql, FULL);
      await payment(sql, { status: 'failed', decline_code: WORDS, payee_id: PAYER });
      await payment(sql, { status: 'failed', refusal: 'request_expired', currency: 'JPY' });
      await refund(sql, plain);
      const failed = { tries: 2, closed_as: 'failed', failure_code: WORDS, requested_by: PAYEE };
      const refundId = await refund(sql, full, failed);
      await payout(sql);
      const payoutId = await payout(sql, {
        ...{ status: 'failed', status_reason: 'refused_by_bank', failure_code: 'account_closed', closed_as: 'waived' },
        ...{ period_from: IN_MICROSECONDS, transferred_at: IN_MICROSECONDS, reversed_at: IN_MICROSECONDS, version: 7 },
        ...{ expected_at: IN_MICROSECONDS, arrived_at: IN_MICROSECONDS, stopped_at: IN_MICROSECONDS },
        ...{ returned_at: IN_MICROSECONDS },
      });
      const debtId = await insert(sql, 'debts', {
        ...{ payee_id: PAYEE, currency: 'EUR', status: 'open', amount: 50, since: IN_MICROSECONDS },
      });
      const disputeId = await insert(sql, 'disputes', {
        ...{ payment_id: full, stripe_dispute_id: 'dp_x', status: 'lost', reason: 'fraudulent', currency: 'EUR' },
        ...{ amount: 4_500, withdrawn: 4_500, opened_at: IN_MICROSECONDS },
      });
      movements.push(
        await post(sql, { payment_id: plain }, 'stripe_fee', ['stripe_fees', 'stripe_balance']),
        await post(sql, { payment_id: full }, 'refund_owed', [`tutor_pending:${PAYEE}`, `payer_owed:${full}`]),
        await post(sql, { payout_id: payoutId }, 'transfer', [`payout_in_transit:${payoutId}`, 'stripe_balance']),
        await post(sql, { dispute_id: disputeId }, 'dispute_frozen', [
          `tutor_pending:${PAYEE}`,
          `tutor_frozen:${PAYEE}`,
        ]),
        await post(sql, { debt_id: debtId }, 'waived', ['platform_revenue', `tutor_payable:${PAYEE}`]),
      );
      // As the code of before told of it.
      for (const version of [1, 2])
        await sql`insert into events (event_id, stream_id, version, type, data)
          values (${uuidv7()}, ${refundId}, ${version}, 'RefundRequested', '{}')`;
    },
    async (sql) => {
      await expectFolded(drizzle(sql), foldedTables);
      const told = await sql`
        select stream_id, data -> 'participantIds' as whom from events where type = 'LedgerTransactionPosted' order by position`;
      const [both, payee] = [[PAYER, PAYEE], [PAYEE]];
      expect(told.map(({ stream_id }) => stream_id)).toEqual(movements);
      expect(told.map(({ whom }) => whom)).toEqual([both, both, payee, both, payee]);
      const [last] = await sql`select version from events where type = 'RefundBaseline' order by version desc limit 1`;
      expect(last?.version).toBe(3);
    },
  );
});
