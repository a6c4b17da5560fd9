import type { Database } from '../../../db/client';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { plansOf } from '../../../tests/support/plans';
import {
  listBookings,
  liveSessions,
  type Owner,
  placeInList,
  readBooking,
  readProgress,
  readRequest,
  readTimeline,
} from './reads';
import { sweepRequests } from './sweep';

// Enough rows for Postgres to prefer an index by itself: 20,000 bookings of 400 students and 200 tutors.
const BOOKINGS = 20_000;
let database: TestDatabase;
let studentId: string;
let tutorId: string;
let bookingId: string;

beforeAll(async () => {
  database = await createTestDatabase('booking');
  const { sql } = database;
  await sql.unsafe(`
    create table made as
      select n, uuidv7() as id, md5('s' || n % 400)::uuid as student_id, md5('t' || n % 200)::uuid as tutor_id,
        date_trunc('day', now()) + (n / 400 - 40) * interval '1 day' + n % 7 * interval '1 hour' as starts_at,
        case when n % 50 = 0 then 'pending' when n % 10 = 1 then 'cancelled' else 'completed' end as status
      from generate_series(1, ${BOOKINGS}) n;
    insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes, settled_at)
      select id, student_id, tutor_id, 'Mathematics', starts_at, 60, case when n % 1000 > 0 then now() end from made;
    insert into bookings (id, student_id, tutor_id, status, subject, starts_at, ends_at, duration_minutes, instant_booking)
      select id, student_id, tutor_id, status, 'Mathematics', starts_at, starts_at + interval '1 hour', 60, true from made;
    insert into booking_snapshots select id, 'Ada', 'a@example.com', 'UTC', 'en', 'Grace', 'g@example.com', 'UTC', 'en', 4500, 'EUR' from made;
    insert into payments (id, booking_id, version, status, amount, captured, refunded, currency)
      select uuidv7(), id, 1, 'captured', 4500, 4500, 0, 'EUR' from made;
    insert into events (event_id, stream_id, version, type, data)
      select uuidv7(), id::text, v, 'BookingRequested', '{}' from made, generate_series(1, 3) v;
    insert into people (user_id, version, display_name) select md5('s' || n)::uuid, 1, 'Ada' from generate_series(0, 1999) n;
    insert into idempotency_keys (owner, key, fingerprint, resource_id)
      select student_id::text, n::text, 'f', id from made;
    analyze`);
  const [one] = await sql`select id, student_id, tutor_id from made offset 777 limit 1`;
  ({ id: bookingId, student_id: studentId, tutor_id: tutorId } = one ?? {});
}, 60_000);
afterAll(() => database.drop());

const list = (owner: () => Owner, change: Partial<Parameters<typeof listBookings>[2]>) => (db: Database) =>
  listBookings(db, owner(), { sort: '-scheduledAt', limit: 20, ...change });
const student = () => ({ studentId });
const tutor = () => ({ tutorId });
const all = () => 'all' as const;
const cursor = placeInList.write([Date.now(), uuidv7()]);
const from = new Date(Date.now() - 5 * 86_400_000).toISOString();

test.each<[string, (db: Database) => Promise<unknown>, ...RegExp[]]>([
  ['one booking', (db) => readBooking(db, bookingId), /bookings_pkey/],
  ['a request', (db) => readRequest(db, bookingId), /booking_requests_pkey/],
  ['the progress of a request', (db) => readProgress(db, bookingId), /booking_requests_pkey/],
  ['a timeline', (db) => readTimeline(db, bookingId), /events_stream_version/],
  ["a student's list", list(student, {}), /bookings_student/],
  ["a student's list, a later page", list(student, { cursor }), /bookings_student/],
  ["a student's list of a status", list(student, { status: 'completed' }), /bookings_student/],
  ["a tutor's list, oldest first", list(tutor, { sort: 'scheduledAt' }), /bookings_tutor/],
  ["a tutor's list from a time on", list(tutor, { from, sort: 'scheduledAt' }), /bookings_tutor/],
  ["everybody's list", list(all, {}), /bookings_start/],
  ["everybody's list, a later page", list(all, { cursor, sort: 'scheduledAt' }), /bookings_start/],
  ["everybody's list of a rare status", list(all, { status: 'pending', sort: 'scheduledAt' }), /bookings_status/],
  ['what a sweep looks through', sweepRequests, /booking_requests_unstarted/],
  ["a student's live sessions", (db) => liveSessions(db, studentId, session()), /bookings_(?:student|one_at_a_time)/],
])('%s is read by an index, and no more of it than is asked for', async (_, read, ...indexes) => {
  const plans = await plansOf(database, read);
  expect(plans).toHaveLength(indexes.length);
  for (const [index, plan] of plans.entries()) {
    expect(plan).toMatch(indexes[index] ?? /nothing/);
    expect(plan).not.toMatch(/Seq Scan on (?!booking_notes)|Sort|Gather/); // there are no notes
  }
});

function session() {
  return { startsAt: new Date().toISOString(), endsAt: new Date(Date.now() + 3_600_000).toISOString() };
}
