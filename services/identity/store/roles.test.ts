import { eq } from 'drizzle-orm';
import { users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { eventsOf } from '../../../tests/support/users';
import { grantAdmin } from './roles';
import { isSessionOpen, openSession } from './sessions';

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

const key = deriveKey('platform', 'totp');
const tellings = async (id: string) => (await eventsOf(database.db, id)).map(({ type }) => type);

test('an active user becomes an admin, whatever the case of the address; doing it twice tells of it once', async () => {
  const user = await storedUser('active');
  await expect(grantAdmin(database.db, user.email.toUpperCase(), { key })).resolves.toMatchObject({ userId: user.id });
  await grantAdmin(database.db, user.email, { key });
  const [row] = await database.db.select({ role: users.role }).from(users).where(eq(users.id, user.id));
  expect(row?.role).toBe('admin');
  expect(await tellings(user.id)).toEqual(['UserRoleChanged', 'UserSecondFactorAdded']);
});

describe('with it comes a second factor', () => {
  test('that counts at once and is told once', async () => {
    const user = await storedUser('active');
    const session = {
      userId: user.id,
      isFirst: false,
      proof: { passwordHash: 'none' },
      userAgent: null,
      address: '::1',
    };
    const { sessionId } = await openSession(database.db, session);
    const { enrolment } = await grantAdmin(database.db, user.email, { key });
    expect(enrolment?.otpauthUri).toContain(`secret=${enrolment?.secret}`);
    expect(new Set(enrolment?.recoveryCodes).size).toBe(10);
    expect(await isSessionOpen(database.db, user.id, sessionId)).toBe(false);
    await expect(openSession(database.db, session)).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect((await grantAdmin(database.db, user.email, { key })).enrolment).toBeUndefined();
  });

  test('also to who was an admin without one', async () => {
    const user = await storedUser('active');
    await database.db.update(users).set({ role: 'admin' }).where(eq(users.id, user.id));
    expect((await grantAdmin(database.db, user.email, { key })).enrolment).toBeDefined();
    expect(await tellings(user.id)).toEqual(['UserSecondFactorAdded']);
  });

  test('and another one to who has lost theirs', async () => {
    const user = await storedUser('active');
    const [first, second] = [
      await grantAdmin(database.db, user.email, { key }),
      await grantAdmin(database.db, user.email, { key, anew: true }),
    ];
    expect(second.enrolment?.secret).not.toBe(first.enrolment?.secret);
    const acts = await database.sql`select act from admin_acts where subject_id = ${user.id} order by id`;
    expect(acts.map(({ act }) => act)).toEqual(['role_changed', 'second_factor_replaced']);
    expect(await tellings(user.id)).toEqual([
      ...['UserRoleChanged', 'UserSecondFactorAdded', 'UserSecondFactorRemoved', 'UserSecondFactorAdded'],
    ]);
  });
});

test.each(['pending', 'nobody'])('a %s user becomes nothing', async (kind) => {
  const email = kind === 'pending' ? (await storedUser('pending')).email : 'nobody@example.com';
  await expect(grantAdmin(database.db, email, { key })).rejects.toMatchObject({ code: 'not_found' });
});
