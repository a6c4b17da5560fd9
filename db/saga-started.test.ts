import { randomUUID } from 'node:crypto';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';

// Rows of the time before sagas marked them: those that got anywhere had their saga, and the sweep must not take them up.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

test('of the requests to book those that are settled had their saga', async () => {
  const [settled, open] = [randomUUID(), randomUUID()];
  const rows = await migrated(
    server,
    { context: 'booking', name: '_saga_started' },
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
    server,
    { context: 'payment', name: '_saga_started' },
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
