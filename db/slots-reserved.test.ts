import { randomUUID } from 'node:crypto';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';
import { sqlState, violatedConstraint } from './client';

// Slots of the time before a booking could reserve a second one, and the code of before beside that of today.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

const [tutor, one, other] = [randomUUID(), randomUUID(), randomUUID()];
const at = (hour: number) => `[2030-01-01 ${hour}:00Z, 2030-01-01 ${hour + 1}:00Z)`;

/** As the code of before takes a slot: nothing where the booking has one. */
const hold = (sql: Sql, booking: string, hour: number) => sql`
  insert into slots (booking_id, tutor_id, during, state) values (${booking}, ${tutor}, ${at(hour)}::tstzrange, 'booked')
  on conflict (booking_id) do nothing returning booking_id`;

const reserve = (sql: Sql, booking: string, during: string) => sql`
  insert into slots (reserved_by, reserved_under, tutor_id, during, state)
  values (${booking}, 'step', ${tutor}, ${during}::tstzrange, 'booked')`;

const outcome = (write: PromiseLike<unknown>) =>
  write.then(
    () => 'done',
    (error: unknown) => [sqlState(error), violatedConstraint(error)],
  );

test('what bookings kept they keep, the code of before takes and moves slots, and no two bookings ever overlap', async () => {
  await migrated(
    server,
    { context: 'tutoring', name: '_slots_reserved' },
    async (sql) => {
      await sql`insert into tutor_profiles (id, display_name, time_zone) values (${tutor}, 'Tina', 'UTC')`;
      await hold(sql, one, 8);
    },
    async (sql) => {
      const slots = () =>
        sql`select booking_id, reserved_by, extract(hour from lower(during) at time zone 'UTC')::int as hour from slots
          order by lower(during), reserved_by nulls first`;
      expect(await slots()).toEqual([{ booking_id: one, reserved_by: null, hour: 8 }]);

      expect(await hold(sql, one, 20)).toEqual([]);
      expect(await hold(sql, other, 10)).toEqual([{ booking_id: other }]);
      await sql`update slots set during = ${at(9)}::tstzrange, state = 'booked' where booking_id = ${one}`;
      const overlap = ['23P01', 'slots_never_overlap'];
      expect(await outcome(hold(sql, randomUUID(), 9))).toEqual(overlap);
      expect(await outcome(sql`update slots set during = ${at(10)}::tstzrange where booking_id = ${one}`)).toEqual(
        overlap,
      );

      expect(await outcome(reserve(sql, one, '[2030-01-01 9:15Z, 2030-01-01 10:00Z)'))).toBe('done');
      expect(await outcome(reserve(sql, one, '[2030-01-01 9:30Z, 2030-01-01 10:30Z)'))).toEqual(overlap);
      expect(await outcome(reserve(sql, other, at(9)))).toEqual(overlap);
      expect(await slots()).toEqual([
        { booking_id: one, reserved_by: null, hour: 9 },
        { booking_id: null, reserved_by: one, hour: 9 },
        { booking_id: other, reserved_by: null, hour: 10 },
      ]);

      // As the code of before ends a booking: what the booking has reserved is for the saga, which today's code serves.
      expect(await sql`delete from slots where booking_id = ${one} returning booking_id`).toEqual([
        { booking_id: one },
      ]);
    },
  );
});

test('a slot is of a session or reserved, never both and never neither', async () => {
  await migrated(
    server,
    { context: 'tutoring', name: '_slots_reserved' },
    async () => undefined,
    async (sql) => {
      const keeper = ['23514', 'slots_keeper'];
      const insert = (booking: string | null, reservedBy: string | null, under: string | null, expires: Date | null) =>
        outcome(sql`insert into slots (booking_id, reserved_by, reserved_under, tutor_id, during, state, expires_at)
          values (${booking}, ${reservedBy}, ${under}, ${tutor}, ${at(15)}::tstzrange, ${expires ? 'held' : 'booked'}, ${expires})`);
      expect(await insert(null, null, null, null)).toEqual(keeper);
      expect(await insert(one, one, 'step', null)).toEqual(keeper);
      expect(await insert(null, one, null, null)).toEqual(keeper);
      expect(await insert(null, one, 'step', new Date())).toEqual(keeper);
    },
  );
});
