import { eq, sql } from 'drizzle-orm';
import { adminActs, suspensions, users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { until } from '../../../tests/support/gateway';
import { activeUser, eventsOf, newUser, step, uniqueEmail } from '../../../tests/support/users';
import { changeRole } from './roles';
import { isSessionOpen, openSession, rotateRefreshToken } from './sessions';
import { storePendingUser } from './sign-up';
import { lookAtSuspension, reinstate, suspend, unstartedSuspensions, unsuspend } from './suspensions';

let database: TestDatabase;
let db: TestDatabase['db'];
let adminId: string;
beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
  adminId = await admin();
});
afterAll(() => database?.drop());

async function admin(): Promise<string> {
  const id = await activeUser(db);
  await db.update(users).set({ role: 'admin' }).where(eq(users.id, id));
  return id;
}
const reason = 'Reported by several students';
const keepOut = (userId: string, change: { by?: string; until?: string } = {}) =>
  suspend(db, { userId, adminId: change.by ?? adminId, reason, until: change.until ?? null });
const letIn = (userId: string) => unsuspend(db, { userId, adminId, reason });
const end = (id: string) => reinstate(db, step(`suspension:${id}/reinstate`), id);
const signIn = (userId: string) =>
  openSession(db, {
    userId,
    isFirst: false,
    proof: { passwordHash: 'hash of Ada' },
    userAgent: null,
    address: '203.0.113.7',
  });
const statusOf = async (userId: string) => (await db.select().from(users).where(eq(users.id, userId)))[0]?.status;
const told = async (userId: string) => (await eventsOf(db, userId)).map(({ type }) => type);

test('whoever is kept out has no session and gets none, until they are let in', async () => {
  const userId = await activeUser(db);
  const { sessionId, refreshToken } = await signIn(userId);
  const until = '2040-01-01T00:00:00.000Z';
  const suspension = await keepOut(userId, { until });
  expect(suspension).toMatchObject({ userId, until, endedAt: null });
  expect(await statusOf(userId)).toBe('suspended');
  expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
  await expect(rotateRefreshToken(db, refreshToken)).rejects.toMatchObject({ code: 'invalid_refresh_token' });
  await expect(signIn(userId)).rejects.toMatchObject({ code: 'account_suspended' });
  expect((await eventsOf(db, sessionId)).at(-1)).toMatchObject({ data: { reason: 'suspended' } });
  expect(await lookAtSuspension(db, suspension.id)).toEqual({ tutor: false, until, over: false });

  expect(await letIn(userId)).toMatchObject({ id: suspension.id, endedAt: expect.any(String) });
  expect(await statusOf(userId)).toBe('active');
  expect(await lookAtSuspension(db, suspension.id)).toMatchObject({ over: true });
  await signIn(userId);
  expect(await told(userId)).toEqual(['UserRegistered', 'UserSuspended', 'UserReinstated']);
  const acts = await db.select().from(adminActs).where(eq(adminActs.subjectId, userId));
  expect(acts).toMatchObject([
    { adminId, act: 'user_suspended', reason, before: { status: 'active' }, after: { status: 'suspended', until } },
    { adminId, act: 'user_reinstated', reason, before: { status: 'suspended' }, after: { status: 'active' } },
  ]);
});

test('a saga ends it once, and never the next one', async () => {
  const userId = await activeUser(db);
  const { id } = await keepOut(userId);
  await end(id);
  await end(id); // repeated
  expect(await statusOf(userId)).toBe('active');
  const next = await keepOut(userId);
  await reinstate(db, step(`suspension:${id}/late`), id);
  expect(await statusOf(userId)).toBe('suspended');
  await end(next.id);
  expect((await told(userId)).filter((type) => type === 'UserReinstated')).toHaveLength(2);
  await expect(end(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
});

test('only who is active is kept out, and only who is kept out is let in', async () => {
  const userId = await activeUser(db);
  await expect(letIn(userId)).rejects.toMatchObject({ code: 'invalid_state' });
  await keepOut(userId);
  await expect(keepOut(userId)).rejects.toMatchObject({ code: 'invalid_state' });
  const { userId: pending } = await storePendingUser(db, newUser(uniqueEmail()));
  await expect(keepOut(pending)).rejects.toMatchObject({ code: 'invalid_state' });
  await expect(keepOut(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
});

test('of two who keep one person out at once one does', async () => {
  for (let round = 0; round < 5; round++) {
    const userId = await activeUser(db);
    const ends = await Promise.allSettled([keepOut(userId), keepOut(userId)]);
    expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await db.select().from(suspensions).where(eq(suspensions.userId, userId))).toHaveLength(1);
  }
});

test('a login at the same moment opens no session that goes on', async () => {
  const userId = await activeUser(db);
  const signedIn = await db.transaction(async (tx) => {
    await tx.update(users).set({ status: 'suspended' }).where(eq(users.id, userId));
    // Not awaited here: it waits for this transaction.
    const session = signIn(userId);
    session.catch(() => undefined);
    await until(async () => {
      const rows = await database.sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return rows.length > 0;
    });
    return { session };
  });
  await expect(signedIn.session).rejects.toMatchObject({ code: 'account_suspended' });
});

test('the last administrator is not kept out, and of two who keep each other out one is left', async () => {
  await expect(keepOut(adminId)).rejects.toMatchObject({ code: 'last_admin' });
  for (let round = 0; round < 5; round++) {
    const other = await admin();
    const ends = await Promise.allSettled([
      keepOut(other),
      suspend(db, { userId: adminId, adminId: other, reason, until: null }),
    ]);
    expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    if ((await statusOf(adminId)) === 'suspended') adminId = other;
  }
  await expect(keepOut(adminId)).rejects.toMatchObject({ code: 'last_admin' });
});

test('whoever is kept out gets no other role', async () => {
  const userId = await activeUser(db);
  await keepOut(userId);
  const change = { userId, adminId, role: 'admin' as const, reason };
  await expect(changeRole(db, change)).rejects.toMatchObject({ code: 'invalid_state' });
});

test('of a tutor, and of an administrator who was one, there is something to take elsewhere', async () => {
  for (const [role, wasTutor] of [
    ['tutor', false],
    ['admin', true],
  ] as const) {
    const userId = await activeUser(db);
    await db.update(users).set({ role, wasTutor }).where(eq(users.id, userId));
    const { id } = await keepOut(userId);
    expect(await lookAtSuspension(db, id)).toMatchObject({ tutor: true });
  }
});

test('the sweep finds suspensions whose saga has not begun, once whoever was to start it has had the time', async () => {
  const age = (id: string) =>
    db.update(suspensions).set({ createdAt: sql`now() - interval '21 seconds'` }).where(eq(suspensions.id, id));
  const [young, old, begun] = [
    await keepOut(await activeUser(db)),
    await keepOut(await activeUser(db)),
    await keepOut(await activeUser(db)),
  ];
  await age(old.id);
  await age(begun.id);
  await lookAtSuspension(db, begun.id);
  const found = (await unstartedSuspensions(db, 500)).map(({ suspensionId }) => suspensionId);
  expect([young, old, begun].map(({ id }) => found.includes(id))).toEqual([false, true, false]);
});
