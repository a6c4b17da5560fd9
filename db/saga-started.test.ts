import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres, { type Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import type { DatabaseContext } from '../kernel/contexts';
import { ensureDatabase, migrateContext } from './migrate';
import { contextUrl } from './roles';

// Rows of the time before sagas marked them: those that got anywhere had their saga, and the sweep must not take them up.

const SECRET = 'only-for-tests-only-for-tests-only-for-tests';
let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

/** The migrations of a context up to the one named, excluded. */
function migrationsBefore(context: DatabaseContext, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tutorconnect-migrations-'));
  cpSync(join(__dirname, 'migrations', context), folder, { recursive: true });
  const path = join(folder, 'meta/_journal.json');
  const journal: { entries: { tag: string }[] } = JSON.parse(readFileSync(path, 'utf8'));
  const end = journal.entries.findIndex(({ tag }) => tag.endsWith(name));
  expect(end).toBeGreaterThan(0);
  writeFileSync(path, JSON.stringify({ ...journal, entries: journal.entries.slice(0, end) }));
  return folder;
}

/** Stores rows in a database as it was before, and looks at them after the migration. */
async function migrated<T>(
  context: DatabaseContext,
  before: (sql: Sql) => Promise<unknown>,
  after: (sql: Sql) => Promise<T>,
): Promise<T> {
  await ensureDatabase(server.url, context, SECRET);
  const url = contextUrl(server.url, context, SECRET);
  const folder = migrationsBefore(context, '_saga_started');
  await migrateContext(url, context, folder);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await before(sql);
    await migrateContext(url, context);
    return await after(sql);
  } finally {
    await sql.end();
    rmSync(folder, { recursive: true });
  }
}

test('of the requests to book those that are settled had their saga', async () => {
  const [settled, open] = [randomUUID(), randomUUID()];
  const rows = await migrated(
    'booking',
    (sql) => sql`
      insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes, settled_at)
      select id::uuid, gen_random_uuid(), gen_random_uuid(), 'Maths', now(), 60, settled_at
      from (values (${settled}, now()), (${open}, null)) as made (id, settled_at)`,
    (sql) => sql`select id, saga_started_at = created_at as started from booking_requests order by saga_started_at`,
  );
  expect(rows).toEqual([
    { id: settled, started: true },
    { id: open, started: null },
  ]);
});

test('of direct payments and refunds those that got to Stripe had their saga', async () => {
  const rows = await migrated(
    'payment',
    (sql) => sql`
      with paid as (
        insert into payments (id, booking_id, payer_id, payee_id, status, capture, currency, amount, fee, payment_method_id)
        select gen_random_uuid(), booking_id, gen_random_uuid(), gen_random_uuid(), status, 'automatic', 'EUR', 100, 15, 'pm_x'
        from (values ('captured', null::uuid), ('pending', null), ('captured', gen_random_uuid())) as made (status, booking_id)
        returning id, status, booking_id)
      insert into refunds (id, payment_id, origin, reason, status, currency, amount, stripe_refund_id)
      select gen_random_uuid(), id, 'request', 'none', refund, 'EUR', 1, stripe_id from paid,
        (values ('pending', null), ('pending', 're_1'), ('failed', null)) as made (refund, stripe_id)
      where status = 'captured' and booking_id is null`,
    async (sql) => ({
      payments: await sql`select status, booking_id is not null as of_booking, saga_started_at is not null as started
        from payments order by status, of_booking`,
      refunds: await sql`select status, stripe_refund_id, saga_started_at is not null as started
        from refunds order by status, stripe_refund_id nulls first`,
    }),
  );
  expect(rows.payments).toEqual([
    { status: 'captured', of_booking: false, started: true },
    { status: 'captured', of_booking: true, started: false },
    { status: 'pending', of_booking: false, started: false },
  ]);
  expect(rows.refunds).toEqual([
    { status: 'failed', stripe_refund_id: null, started: true },
    { status: 'pending', stripe_refund_id: null, started: false },
    { status: 'pending', stripe_refund_id: 're_1', started: true },
  ]);
});
