import { drizzle } from 'drizzle-orm/postgres-js';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../../../dev/postgres/throwaway';
import { uuidv7 } from '../../../platform/ids';
import { expectFolded } from '../../../tests/support/folds';
import { migrated } from '../../../tests/support/migrated';
import { foldedBookings } from './fold';

// Bookings of the time before their events told all of them, and the code of before beside that of today.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

const [STUDENT, TUTOR] = [uuidv7(), uuidv7()];
let hours = 1;
const IN_MICROSECONDS = '2026-03-01T10:00:00.123456Z';

/** A booking as the code of before stores it. */
async function store(sql: Sql, more: Record<string, unknown> = {}): Promise<string> {
  const id = uuidv7();
  // No student has two live bookings at one time.
  const hour = 8 + ++hours;
  const [startsAt, endsAt] = [`2026-03-02T${hour}:00:00Z`, `2026-03-02T${hour + 1}:00:00Z`];
  await sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
    values (${id}, ${STUDENT}, ${TUTOR}, 'Maths', ${startsAt}, 60)`;
  const row = {
    ...{ id, student_id: STUDENT, tutor_id: TUTOR, status: 'cancelled', subject: 'Maths', duration_minutes: 60 },
    ...{ starts_at: startsAt, ends_at: endsAt, instant_booking: false, created_at: IN_MICROSECONDS, ...more },
  };
  await sql`insert into bookings ${sql(row)}`;
  return id;
}

/** An event as the code of before writes it, when the booking was made. */
async function tell(sql: Sql, id: string, type: string, more: Record<string, unknown> = {}): Promise<void> {
  const [row] = await sql`select starts_at as "startsAt", ends_at as "endsAt" from bookings where id = ${id}`;
  const parties = { studentId: STUDENT, tutorId: TUTOR, participantIds: [STUDENT, TUTOR] };
  const data = JSON.stringify({ bookingId: id, actor: 'student', ...parties, ...row, ...more });
  await sql`insert into events (event_id, stream_id, version, type, data, occurred_at)
    select ${uuidv7()}, ${id}, coalesce(max(version), 0) + 1, ${type}, ${data}::text::jsonb, ${IN_MICROSECONDS}
    from events where stream_id = ${id}`;
}

const requested = { price: { amount: 4_500, currency: 'EUR' } };

test('every booking of before is what its events say, whatever they say', async () => {
  await migrated(
    server,
    { context: 'booking', name: '_baselines' },
    async (sql) => {
      const told = await store(sql, { status: 'pending' });
      await tell(sql, told, 'BookingRequested', requested);
      await store(sql, {
        ...{
          status: 'pending',
          status_reason: 'awaiting_tutor',
          waiting_until: IN_MICROSECONDS,
          instant_booking: true,
        },
      });
      await store(sql, { status: 'confirmed', moved_by_tutor_at: IN_MICROSECONDS, student_id: TUTOR });
      const cancelled = await store(sql, {
        ...{ status_reason: 'cancelled_by_student', cancelled_by: 'student', refund_percent: 50 },
      });
      await tell(sql, cancelled, 'BookingRequested', requested);
      await tell(sql, cancelled, 'BookingCancelled', { reason: 'cancelled_by_tutor' });
      await store(sql, { status: 'refunded', refund_due: 2_250, retained: 2_250 });
    },
    async (sql) => {
      await expectFolded(drizzle(sql), [foldedBookings]);
      const events = await sql`select version, type from events order by version`;
      expect(events.map(({ version, type }) => `${version} ${type}`).toSorted()).toEqual([
        ...['1 BookingBaseline', '1 BookingBaseline', '1 BookingBaseline'],
        ...['1 BookingRequested', '1 BookingRequested', '2 BookingBaseline', '2 BookingCancelled', '3 BookingBaseline'],
      ]);

      // The code of before goes on for some minutes: what it makes is found, by its columns, until a baseline is asked for.
      const made = await store(sql, { status: 'pending', instant_booking: true });
      await tell(sql, made, 'BookingRequested', requested);
      const db = drizzle(sql);
      const { different } = await db.transaction((tx) => foldedBookings.differing(tx, [made]));
      expect(different).toEqual([{ kind: 'booking', id: made, columns: ['durationMinutes', 'instantBooking'] }]);
      expect(await foldedBookings.rebase(db, made)).toBe(true);
      await expectFolded(db, [foldedBookings]);
    },
  );
});
