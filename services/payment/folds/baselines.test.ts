import { drizzle } from 'drizzle-orm/postgres-js';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../../../dev/postgres/throwaway';
import { uuidv7 } from '../../../platform/ids';
import { expectFolded } from '../../../tests/support/folds';
import { migrated } from '../../../tests/support/migrated';
import { paymentEvents } from '../events';
import { foldedTables } from './store';

// Money of the time before events told all of it.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
// Each test migrates a database of its own.
beforeEach(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterEach(() => server.stop());

const [PAYER, PAYEE] = [uuidv7(), uuidv7()];
const IN_MICROSECONDS = '2026-03-01T10:00:00.123456Z';
const WORDS = 'Do not honour!';

const paymentEventsByType = new Map(Object.entries(paymentEvents));

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

/** An event as the code of before writes it. */
async function tell(sql: Sql, streamId: string, type: string, more: Values): Promise<void> {
  const data = JSON.stringify({ participantIds: [PAYER, PAYEE], ...more });
  await sql`insert into events (event_id, stream_id, version, type, data)
    select ${uuidv7()}, ${streamId}, coalesce(max(version), 0) + 1, ${type}, ${data}::text::jsonb
    from events where stream_id = ${streamId}`;
}

const tableOf = (kind: string) => {
  const table = foldedTables.find((one) => one.kind === kind);
  if (!table) throw new Error(`nothing is called ${kind}`);
  return table;
};

test('what the code of before makes and tells beside today’s is found, until a baseline is asked for', async () => {
  const money = { amount: 4_500, currency: 'EUR' };
  const paid = { bookingId: null, payerId: PAYER, payeeId: PAYEE, paymentVersion: 1, captured: money, refunded: money };
  await migrated(
    server,
    { context: 'payment', name: '_baselines' },
    async () => {},
    async (sql) => {
      const db = drizzle(sql);
      const paymentId = await payment(sql);
      const refundId = await refund(sql, paymentId);
      const payoutId = await payout(sql);
      const ofRefund = { ...paid, paymentId, refundId, amount: money, paymentStatus: 'captured', paymentAmount: money };
      const ofPayout = { payoutId, payeeId: PAYEE, statusReason: null, amount: money };
      const lives: [kind: string, id: string, types: [type: string, status: string][], data: Values][] = [
        [
          ...(['payment', paymentId] as const),
          [
            ['PaymentRequested', 'pending'],
            ['PaymentSucceeded', 'captured'],
          ],
          { ...paid, paymentId, amount: money },
        ],
        [
          ...(['refund', refundId] as const),
          [
            ['RefundRequested', 'pending'],
            ['RefundFailed', 'failed'],
          ],
          ofRefund,
        ],
        [
          ...(['payout', payoutId] as const),
          [
            ['PayoutInitiated', 'pending'],
            ['PayoutCancelled', 'cancelled'],
          ],
          ofPayout,
        ],
      ];
      for (const [kind, id, types, data] of lives) {
        const conforms = async () => {
          const events = await sql`select type, data from events where stream_id = ${id} and type !~ 'Baseline'`;
          return events.map(({ type, data: told }) => paymentEventsByType.get(type)?.safeParse(told).success);
        };
        for (const [type, status] of types) await tell(sql, id, type, { ...data, status });
        expect(await conforms()).toEqual([true, true]);
        const { different } = await db.transaction((tx) => tableOf(kind).differing(tx, [id]));
        expect(different).toMatchObject([{ kind, id }]);
        expect(await tableOf(kind).rebase(db, id)).toBe(true);
        // What it tells after that says nothing of the rest, and takes nothing from it.
        for (const [type, status] of types) await tell(sql, id, type, { ...data, status });
        expect(await tableOf(kind).rebase(db, id)).toBe(false);
      }
      await expectFolded(db, foldedTables);
    },
  );
});

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
      // Told anew by hand, each movement concerns the same people.
      const db = drizzle(sql);
      await sql`delete from events where type = 'LedgerTransactionPosted'`;
      for (const id of movements) expect(await tableOf('ledger_transaction').rebase(db, id)).toBe(true);
      const again = await sql`
        select stream_id, data -> 'participantIds' as whom from events where type = 'LedgerTransactionPosted' order by position`;
      expect(again).toEqual(told);
      await expectFolded(db, foldedTables);
      const [last] = await sql`select version from events where type = 'RefundBaseline' order by version desc limit 1`;
      expect(last?.version).toBe(3);
    },
  );
});
