import { randomUUID } from 'node:crypto';
import type { Sql, TransactionSql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';
import { until } from '../tests/support/payment';
import { sqlState, violatedConstraint } from './client';

// Payments and guards of the time before a payment had a subject, and the code of before, which knows bookings alone. How it and the code
// of today keep out of each other's way stands in services/payment/charges/store/guards.test.ts.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

const MIGRATION = { context: 'payment', name: '_payments_by_subject' } as const;

/** As the code of before stores a payment. */
const store = (sql: Sql | TransactionSql, id: string, bookingId: string | null) => sql`
  insert into payments (id, booking_id, payer_id, payee_id, status, capture, currency, amount, fee, payment_method_id)
  values (${id}, ${bookingId}, ${randomUUID()}, ${randomUUID()}, 'pending', 'automatic', 'EUR', 100, 15, 'pm_x')`;

/** As the code of before takes a booking's guard. */
const guard = (sql: Sql | TransactionSql, bookingId: string) => sql`
  insert into booking_guards (booking_id, settled_at) values (${bookingId}, default)
  on conflict (booking_id) do update set settled_at = booking_guards.settled_at returning settled_at`;

const subjects = (sql: Sql) => sql`select id, subject_kind as kind, subject_id as of, booking_id from payments`;

const outcome = (write: PromiseLike<unknown>) =>
  write.then(
    () => 'done',
    (error: unknown) => [sqlState(error), violatedConstraint(error)],
  );

test('what was stored has its subject and its guard, also what was being stored when the migration came', async () => {
  const [direct, paid, late] = [randomUUID(), randomUUID(), randomUUID()];
  const [booking, settled, charged] = [randomUUID(), randomUUID(), randomUUID()];
  const at = new Date('2026-01-02T03:04:05Z');
  let charge: Promise<unknown> = Promise.resolve();
  await migrated(
    server,
    MIGRATION,
    async (sql) => {
      await store(sql, direct, null);
      await store(sql, paid, booking);
      await guard(sql, booking);
      await sql`insert into booking_guards (booking_id, settled_at) values (${settled}, ${at})`;
      await new Promise<void>((begun, failed) => {
        charge = sql.begin(async (tx) => {
          await guard(tx, charged);
          begun();
          const waiting = () => tx`select from pg_locks where relation = 'booking_guards'::regclass and not granted`;
          await until(async () => (await waiting()).length > 0);
          await store(tx, late, charged);
        });
        charge.catch(failed);
      });
    },
    async (sql) => {
      await charge;
      const expected = [
        { id: direct, kind: 'direct', of: direct, booking_id: null },
        { id: paid, kind: 'booking', of: booking, booking_id: booking },
        { id: late, kind: 'booking', of: charged, booking_id: charged },
      ];
      expect(new Set(await subjects(sql))).toEqual(new Set(expected));
      const guards =
        await sql`select subject_kind as kind, subject_id as of, settled_at as settled from payment_guards`;
      expect(new Set(guards)).toEqual(
        new Set([
          { kind: 'booking', of: booking, settled: null },
          { kind: 'booking', of: settled, settled: at },
          { kind: 'booking', of: charged, settled: null },
        ]),
      );
    },
  );
});

test('what the code of before stores has a subject, and what this code stores has the booking that the code of before looks for', async () => {
  await migrated(
    server,
    MIGRATION,
    async () => undefined,
    async (sql) => {
      const [direct, paid, today, other] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      const [booking, next] = [randomUUID(), randomUUID()];
      await store(sql, direct, null);
      await store(sql, paid, booking);
      for (const [id, kind, of] of [
        [today, 'booking', next],
        [other, 'package', booking],
      ] as const)
        await sql`
          insert into payments (id, subject_kind, subject_id, payer_id, payee_id, status, capture, currency, amount, fee, payment_method_id)
          values (${id}, ${kind}, ${of}, ${randomUUID()}, ${randomUUID()}, 'pending', 'manual', 'EUR', 100, 15, 'pm_x')`;
      expect(await sql`select id, booking_id from payments where id = any(${[direct, paid, today, other]})`).toEqual(
        expect.arrayContaining([
          { id: direct, booking_id: null },
          { id: paid, booking_id: booking },
          { id: today, booking_id: next },
          // Another kind of thing may have a booking's id, and is another thing.
          { id: other, booking_id: null },
        ]),
      );
    },
  );
});

test('a subject has one payment, and no payment says two things of what it is for', async () => {
  await migrated(
    server,
    MIGRATION,
    async () => undefined,
    async (sql) => {
      const [direct, paid, booking] = [randomUUID(), randomUUID(), randomUUID()];
      await store(sql, direct, null);
      await store(sql, paid, booking);
      const change = (id: string, column: 'booking_id' | 'subject_id', to: string | null) =>
        outcome(sql`update payments set ${sql(column)} = ${to} where id = ${id}`);
      expect(await outcome(store(sql, randomUUID(), booking))).toEqual([
        '23505',
        expect.stringMatching(/^payments_one_per_/),
      ]);
      expect(await change(direct, 'subject_id', randomUUID())).toEqual(['23514', 'payments_direct_subject']);
      for (const [column, to] of [
        ['booking_id', null],
        ['booking_id', randomUUID()],
        ['subject_id', randomUUID()],
      ] as const)
        expect(await change(paid, column, to)).toEqual(['23514', 'payments_booking_is_subject']);
      expect(await change(direct, 'booking_id', randomUUID())).toEqual(['23514', 'payments_booking_is_subject']);
    },
  );
});
