import { randomUUID } from 'node:crypto';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';

// What there was before anybody read events: others hear of it as of what comes.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

test('everybody who could sign in is to be published, and nobody else', async () => {
  const [active, pending] = [randomUUID(), randomUUID()];
  const rows = await migrated(
    server,
    { context: 'identity', name: '_people_published' },
    async (sql) => {
      await sql`insert into users (id, email, password_hash, role, status, registration, attempt_id, attempt_until)
        select id::uuid, id || '@example.com', 'none', 'student', status, '{}', gen_random_uuid(), now()
        from (values (${active}, 'active'), (${pending}, 'pending')) as made (id, status)`;
      await sql`insert into user_profiles (user_id, first_name, last_name, time_zone, locale)
        select id, 'Ada', 'King', 'UTC', 'en' from users`;
    },
    (sql) => sql`select user_id, version, published_version from people_published`,
  );
  expect(rows).toEqual([{ user_id: active, version: 1, published_version: 0 }]);
});

test('a rating that nobody gave is gone, and one that somebody gave stays', async () => {
  const [rated, unrated] = [randomUUID(), randomUUID()];
  const rows = await migrated(
    server,
    { context: 'tutoring', name: '_ratings_by_events' },
    async (sql) => {
      await sql`insert into tutor_profiles (id, display_name, time_zone) values (${rated}, 'Tina', 'UTC'), (${unrated}, 'Tom', 'UTC')`;
      await sql`insert into tutor_ratings (tutor_id, average, count) values (${rated}, 4.5, 2), (${unrated}, 0, 0)`;
    },
    (sql) => sql`select tutor_id, average, count from tutor_ratings`,
  );
  expect(rows).toEqual([{ tutor_id: rated, average: '4.50', count: 2 }]);
});
