import { eq } from 'drizzle-orm';
import { events, users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { grantAdmin } from './roles';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('identity');
});
afterAll(() => database?.drop());

async function storedUser(status: 'active' | 'pending'): Promise<{ id: string; email: string }> {
  const user = { id: uuidv7(), email: `${uuidv7()}@example.com` };
  await database.db.insert(users).values({
    ...user,
    passwordHash: 'none',
    role: 'tutor',
    status,
    registration: { firstName: 'Ada', lastName: 'T', timeZone: 'UTC', locale: 'en' },
    attemptId: uuidv7(),
    attemptUntil: new Date(),
  });
  return user;
}

test('an active user becomes an admin, whatever the case of the address; doing it twice tells of it once', async () => {
  const user = await storedUser('active');
  await expect(grantAdmin(database.db, user.email.toUpperCase())).resolves.toBe(user.id);
  await grantAdmin(database.db, user.email);
  const [row] = await database.db.select({ role: users.role }).from(users).where(eq(users.id, user.id));
  expect(row?.role).toBe('admin');
  const told = await database.db.select({ type: events.type }).from(events).where(eq(events.streamId, user.id));
  expect(told).toEqual([{ type: 'UserRoleChanged' }]);
});

test.each(['pending', 'nobody'])('a %s user becomes nothing', async (kind) => {
  const email = kind === 'pending' ? (await storedUser('pending')).email : 'nobody@example.com';
  await expect(grantAdmin(database.db, email)).rejects.toMatchObject({ code: 'not_found' });
});
