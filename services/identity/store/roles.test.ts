import { eq } from 'drizzle-orm';
import { adminActs, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { until } from '../../../tests/support/gateway';
import { activeUser, eventsOf, newUser, uniqueEmail } from '../../../tests/support/users';
import { changeRole, grantAdmin } from './roles';
import { isSessionOpen, openSession, rotateRefreshToken } from './sessions';
import { storePendingUser } from './sign-up';

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});
afterAll(() => database?.drop());

const key = deriveKey('platform', 'totp');
const tellings = async (id: string) => (await eventsOf(db, id)).map(({ type }) => type);

type Role = 'student' | 'tutor' | 'admin';

/** An active user. */
async function userOf(role: Role): Promise<string> {
  const userId = await activeUser(db);
  await db.update(users).set({ role }).where(eq(users.id, userId));
  return userId;
}
/** As many administrators, and no others. */
async function onlyAdmins(count: number): Promise<string[]> {
  await db.update(users).set({ role: 'student' }).where(eq(users.role, 'admin'));
  return Promise.all(Array.from({ length: count }, () => userOf('admin')));
}
const roleOf = async (userId: string) =>
  (await db.select({ role: users.role }).from(users).where(eq(users.id, userId)))[0]?.role;
const changed = (adminId: string, userId: string, role: Role) =>
  changeRole(db, { adminId, userId, role, reason: 'Asked for by phone' });
const signIn = (userId: string) =>
  openSession(db, {
    userId,
    isFirst: false,
    proof: { passwordHash: 'hash of Ada' },
    userAgent: null,
    address: '203.0.113.7',
  });
const actsOn = (userId: string) => db.select().from(adminActs).where(eq(adminActs.subjectId, userId));

/** Somebody waits for a lock. */
const isWaiting = async () =>
  (await database.sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
    .length > 0;

describe('another role', () => {
  test('ends the sessions, and is told with who gave it and why', async () => {
    const [admin = ''] = await onlyAdmins(1);
    const userId = await userOf('student');
    const { sessionId, refreshToken, role } = await signIn(userId);
    expect(role).toBe('student');
    await changed(admin, userId, 'admin');
    expect(await roleOf(userId)).toBe('admin');
    expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
    await expect(rotateRefreshToken(db, refreshToken)).rejects.toMatchObject({ code: 'invalid_refresh_token' });
    expect((await eventsOf(db, sessionId)).at(-1)).toMatchObject({ data: { reason: 'role_changed' } });
    expect((await eventsOf(db, userId)).at(-1)).toMatchObject({
      ...{ type: 'UserRoleChanged', data: { userId, participantIds: [userId], from: 'student', to: 'admin' } },
    });
    expect(await actsOn(userId)).toMatchObject([
      {
        ...{ adminId: admin, act: 'role_changed', reason: 'Asked for by phone' },
        ...{ before: { role: 'student' }, after: { role: 'admin' } },
      },
    ]);
    expect((await signIn(userId)).role).toBe('admin');
  });

  test('that one has already changes nothing', async () => {
    const [admin = ''] = await onlyAdmins(1);
    const userId = await userOf('tutor');
    const { sessionId } = await signIn(userId);
    await changed(admin, userId, 'tutor');
    expect(await isSessionOpen(db, userId, sessionId)).toBe(true);
    expect(await actsOn(userId)).toEqual([]);
  });

  test('leaves to a tutor what only tutors reach, also after they were an administrator', async () => {
    const [admin = ''] = await onlyAdmins(1);
    const userId = await userOf('tutor');
    await expect(changed(admin, userId, 'student')).rejects.toMatchObject({ code: 'invalid_state' });
    await changed(admin, userId, 'admin');
    await expect(changed(admin, userId, 'student')).rejects.toMatchObject({ code: 'invalid_state' });
    await changed(admin, userId, 'tutor');
    expect(await roleOf(userId)).toBe('tutor');
  });

  test('is given to nobody who is not there yet', async () => {
    const [admin = ''] = await onlyAdmins(1);
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    await expect(changed(admin, userId, 'admin')).rejects.toMatchObject({ code: 'invalid_state' });
    await expect(changed(admin, uuidv7(), 'admin')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is in the token of whoever signs in at the same moment', async () => {
    const userId = await userOf('student');
    const signedIn = await db.transaction(async (tx) => {
      await tx.update(users).set({ role: 'admin' }).where(eq(users.id, userId));
      // Not awaited here: it waits for this transaction.
      const session = signIn(userId);
      await until(isWaiting);
      return { session };
    });
    expect(await signedIn.session).toMatchObject({ role: 'admin' });
  });

  test('beside a refresh leaves no token of the role before', async () => {
    const [admin = ''] = await onlyAdmins(1);
    for (let round = 0; round < 10; round++) {
      const userId = await userOf('student');
      const { refreshToken, sessionId } = await signIn(userId);
      const [, refreshed] = await Promise.allSettled([
        changed(admin, userId, 'admin'),
        rotateRefreshToken(db, refreshToken),
      ]);
      expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
      const next = refreshed.status === 'fulfilled' ? refreshed.value.refreshToken : refreshToken;
      await expect(rotateRefreshToken(db, next)).rejects.toMatchObject({ code: 'invalid_refresh_token' });
    }
  });
});

describe('an administrator', () => {
  test('who is the last one stays one', async () => {
    const [admin = ''] = await onlyAdmins(1);
    await expect(changed(admin, admin, 'student')).rejects.toMatchObject({ code: 'last_admin' });
    const [, other = ''] = [admin, await userOf('admin')];
    await changed(admin, admin, 'student');
    await expect(changed(other, other, 'student')).rejects.toMatchObject({ code: 'last_admin' });
  });

  test('of two who take it from each other at once is left', async () => {
    for (let round = 0; round < 10; round++) {
      const [one = '', two = ''] = await onlyAdmins(2);
      const ends = await Promise.allSettled([changed(one, two, 'student'), changed(two, one, 'student')]);
      expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      for (const end of ends) if (end.status === 'rejected') expect(codeOf(end.reason)).toBe('last_admin');
      expect([await roleOf(one), await roleOf(two)].toSorted()).toEqual(['admin', 'student']);
    }
  });

  test('of a crowd who all step down at once is left', async () => {
    const crowd = await onlyAdmins(5);
    const ends = await Promise.allSettled(crowd.map((admin) => changed(admin, admin, 'student')));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  });

  test('who was made none a moment ago takes nothing from others any more', async () => {
    const [one = '', two = '', three = ''] = await onlyAdmins(3);
    await changed(two, one, 'student');
    await expect(changed(one, three, 'student')).rejects.toMatchObject({ code: 'forbidden' });
    expect(await roleOf(three)).toBe('admin');
  });
});

const codeOf = (error: unknown) => (error instanceof ProblemError ? error.code : error);

describe('whoever holds the database', () => {
  const emailOf = async (userId: string) =>
    (await db.select({ email: users.email }).from(users).where(eq(users.id, userId)))[0]?.email ?? '';

  test('makes an active user an admin, whatever the case of the address; doing it twice tells of it once', async () => {
    const userId = await activeUser(db);
    const { sessionId } = await signIn(userId);
    await expect(grantAdmin(db, (await emailOf(userId)).toUpperCase(), { key })).resolves.toMatchObject({ userId });
    await grantAdmin(db, await emailOf(userId), { key });
    expect(await roleOf(userId)).toBe('admin');
    expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
    expect(await tellings(userId)).toEqual(['UserRegistered', 'UserRoleChanged', 'UserSecondFactorAdded']);
    expect(await actsOn(userId)).toMatchObject([{ adminId: null, reason: 'By whoever holds the database' }]);
  });

  test('gives with it a second factor that counts at once and is told once', async () => {
    const userId = await activeUser(db);
    const { sessionId } = await signIn(userId);
    const { enrolment } = await grantAdmin(db, await emailOf(userId), { key });
    expect(enrolment?.otpauthUri).toContain(`secret=${enrolment?.secret}`);
    expect(new Set(enrolment?.recoveryCodes).size).toBe(10);
    expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
    await expect(signIn(userId)).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect((await grantAdmin(db, await emailOf(userId), { key })).enrolment).toBeUndefined();
  });

  test('gives one also to who was an admin without', async () => {
    const userId = await userOf('admin');
    expect((await grantAdmin(db, await emailOf(userId), { key })).enrolment).toBeDefined();
    expect(await tellings(userId)).toEqual(['UserRegistered', 'UserSecondFactorAdded']);
  });

  test('gives another one to who has lost theirs', async () => {
    const userId = await activeUser(db);
    const email = await emailOf(userId);
    const first = await grantAdmin(db, email, { key });
    const second = await grantAdmin(db, email, { key, anew: true });
    expect(second.enrolment?.secret).not.toBe(first.enrolment?.secret);
    expect((await actsOn(userId)).map(({ act }) => act)).toEqual(['role_changed', 'second_factor_replaced']);
    expect((await tellings(userId)).slice(1)).toEqual([
      ...['UserRoleChanged', 'UserSecondFactorAdded', 'UserSecondFactorRemoved', 'UserSecondFactorAdded'],
    ]);
  });

  test.each(['pending', 'nobody'])('makes nothing of a %s user', async (kind) => {
    const email = uniqueEmail();
    if (kind === 'pending') await storePendingUser(db, newUser(email));
    await expect(grantAdmin(db, email, { key })).rejects.toMatchObject({ code: 'not_found' });
  });
});
