import { eq, sql } from 'drizzle-orm';
import { adminActs, tutorAccounts, users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, eventsOf, step } from '../../../tests/support/users';
import { askTutorAccount, becomeTutor, changeRole } from './roles';
import { isSessionOpen, openSession, rotateRefreshToken } from './sessions';
import { beginTutorAccount, readTutorAccount, refuseTutorAccount, unstartedTutorAccounts } from './tutor-accounts';

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});
afterAll(() => database?.drop());

const keys = (id: string) => ({
  begin: step(`tutor-account:${id}/begin`),
  refuse: step(`tutor-account:${id}/begin/undo`),
  role: step(`tutor-account:${id}/role`),
});
const ask = async (userId: string) => (await askTutorAccount(db, userId)).requestId ?? '';
const begin = (id: string) => beginTutorAccount(db, keys(id).begin, id);
const refuse = (id: string) => refuseTutorAccount(db, keys(id).refuse, id);
const become = (id: string) => becomeTutor(db, keys(id).role, id);
const userOf = async (userId: string) => (await db.select().from(users).where(eq(users.id, userId)))[0];
const setRole = (userId: string, role: 'tutor' | 'admin') => db.update(users).set({ role }).where(eq(users.id, userId));
const rolesTold = async (userId: string) =>
  (await eventsOf(db, userId)).flatMap(({ type, data }) => (type === 'UserRoleChanged' ? [data.to] : []));
const signIn = (userId: string) =>
  openSession(db, {
    userId,
    isFirst: false,
    proof: { passwordHash: 'hash of Ada' },
    userAgent: null,
    address: '203.0.113.7',
  });

test('a student becomes a tutor and stays signed in: the next refresh has the role', async () => {
  const userId = await activeUser(db);
  const { sessionId, refreshToken } = await signIn(userId);
  const id = await ask(userId);
  await begin(id);
  expect((await rotateRefreshToken(db, refreshToken)).role).toBe('student');
  await become(id);
  await become(id); // repeated
  expect(await userOf(userId)).toMatchObject({ role: 'tutor', wasTutor: false });
  expect(await readTutorAccount(db, id)).toEqual({ userId, status: 'opened' });
  expect(await isSessionOpen(db, userId, sessionId)).toBe(true);
  expect(await rolesTold(userId)).toEqual(['tutor']);
  expect((await signIn(userId)).role).toBe('tutor');
});

test('one request is under way at a time, whoever asks at once', async () => {
  const userId = await activeUser(db);
  const ids = await Promise.all(Array.from({ length: 5 }, () => ask(userId)));
  expect(new Set(ids).size).toBe(1);
  await refuse(ids[0] ?? '');
  expect(await ask(userId)).not.toBe(ids[0]);
});

test('a refused request leaves a student who can ask again, and its late step is refused', async () => {
  const userId = await activeUser(db);
  const id = await ask(userId);
  await refuse(id);
  await refuse(id); // repeated
  expect(await readTutorAccount(db, id)).toMatchObject({ status: 'refused' });
  await expect(begin(id)).rejects.toMatchObject({ code: 'undone' });
  await expect(become(id)).rejects.toMatchObject({ code: 'invalid_state' });
  expect(await userOf(userId)).toMatchObject({ role: 'student' });
  expect(await rolesTold(userId)).toEqual([]);
});

test('an opened request is refused no more, and that of a person who is gone harms nobody', async () => {
  const id = await ask(await activeUser(db));
  await become(id);
  await expect(refuse(id)).rejects.toMatchObject({ code: 'invalid_state' });
  const gone = await activeUser(db);
  const theirs = await ask(gone);
  await db.delete(users).where(eq(users.id, gone));
  await refuse(theirs);
  await expect(become(theirs)).rejects.toMatchObject({ code: 'not_found' });
  await expect(begin(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
});

test('a tutor has nothing to ask for, and an administrator does not ask', async () => {
  const tutor = await activeUser(db);
  await setRole(tutor, 'tutor');
  expect(await askTutorAccount(db, tutor)).toEqual({ requestId: null });
  const admin = await activeUser(db);
  await setRole(admin, 'admin');
  await expect(ask(admin)).rejects.toMatchObject({ code: 'invalid_state' });
  await expect(ask(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
});

test('who was made an administrator meanwhile stays one, and can be made a tutor later', async () => {
  const userId = await activeUser(db);
  const id = await ask(userId);
  await setRole(userId, 'admin');
  await become(id);
  expect(await userOf(userId)).toMatchObject({ role: 'admin', wasTutor: true });
  expect(await rolesTold(userId)).toEqual([]);
});

test('an administrator asks for a student, with what is on record at once and no role before it is opened', async () => {
  const [adminId, userId] = [await activeUser(db), await activeUser(db)];
  await setRole(adminId, 'admin');
  const change = { userId, adminId, role: 'tutor' as const, reason: 'Asked for by phone' };
  const { requestId } = await changeRole(db, change);
  expect(requestId).toBe(await ask(userId));
  expect(await userOf(userId)).toMatchObject({ role: 'student' });
  expect(await db.select().from(adminActs).where(eq(adminActs.subjectId, userId))).toMatchObject([
    { adminId, act: 'role_changed', before: { role: 'student' }, after: { role: 'tutor' } },
  ]);
});

test('the sweep finds requests whose saga has not begun, once whoever was to start it has had the time', async () => {
  const unstarted = async () => (await unstartedTutorAccounts(db, 500)).map(({ requestId }) => requestId);
  const age = (id: string) =>
    db.update(tutorAccounts).set({ createdAt: sql`now() - interval '21 seconds'` }).where(eq(tutorAccounts.id, id));
  const [young, old, begun] = [
    await ask(await activeUser(db)),
    await ask(await activeUser(db)),
    await ask(await activeUser(db)),
  ];
  await age(old);
  await age(begun);
  await begin(begun);
  const found = await unstarted();
  expect([young, old, begun].map((id) => found.includes(id))).toEqual([false, true, false]);
});
