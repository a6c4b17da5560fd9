import { randomUUID } from 'node:crypto';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';

// Administrators of the time before it was kept who of them was a tutor.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

/** As the code of before stores a user who has had these roles. */
async function store(sql: Sql, ...roles: string[]): Promise<void> {
  const id = randomUUID();
  await sql`
    insert into users (id, email, password_hash, role, status, attempt_id, attempt_until)
    values (${id}, ${`${roles.join('-')}@example.com`}, 'hash', ${roles.at(-1) ?? ''}, 'active', ${randomUUID()}, now())`;
  for (const [version, to] of roles.entries()) {
    const from = roles[version - 1];
    if (from === undefined) continue;
    await sql`
      insert into events (event_id, stream_id, version, type, data)
      values (${randomUUID()}, ${id}, ${version}, 'UserRoleChanged', ${sql.json({ from, to })})`;
  }
}

test('an administrator who was a tutor is known as one', async () => {
  await migrated(
    server,
    { context: 'identity', name: '_roles' },
    async (sql) => {
      await store(sql, 'student', 'admin');
      await store(sql, 'tutor', 'admin');
      await store(sql, 'tutor');
    },
    async (sql) => {
      const known = await sql`select email, was_tutor from users order by email`;
      expect(known).toEqual([
        { email: 'student-admin@example.com', was_tutor: false },
        { email: 'tutor-admin@example.com', was_tutor: true },
        { email: 'tutor@example.com', was_tutor: false },
      ]);
    },
  );
});
