import { asc, eq } from 'drizzle-orm';
import { events, refreshTokens, userSessions, users } from '../../../db/schema/identity';
import { DAY, SECOND } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { hashToken } from '../secrets';
import {
  endSession,
  endSessionOfToken,
  forgetOldSessions,
  isSessionOpen,
  listSessions,
  openSession,
  rotateRefreshToken,
} from './sessions';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

async function makeUser(): Promise<string> {
  const id = uuidv7();
  await db.insert(users).values({
    id,
    email: `${id}@example.com`,
    passwordHash: 'x',
    role: 'tutor',
    status: 'active',
    attemptId: uuidv7(),
    attemptUntil: new Date(),
  });
  return id;
}

const device = { isFirst: false, proof: { passwordHash: 'x' }, userAgent: 'Firefox', address: '203.0.113.7' };

async function signIn() {
  const userId = await makeUser();
  return openSession(db, { userId, ...device });
}

const refused = { code: 'invalid_refresh_token' };
const usedAgo = (token: string, ms: number) =>
  db
    .update(refreshTokens)
    .set({ usedAt: new Date(Date.now() - ms) })
    .where(eq(refreshTokens.tokenHash, hashToken(token)));
const eventsOf = (streamId: string) =>
  db.select().from(events).where(eq(events.streamId, streamId)).orderBy(asc(events.version));

test('a session opens with one refresh token, stored as a hash only, and tells of the login', async () => {
  const { userId, sessionId, refreshToken, refreshTokenExpiresAt } = await signIn();
  const tokens = await db.select().from(refreshTokens).where(eq(refreshTokens.sessionId, sessionId));
  expect(tokens).toMatchObject([{ tokenHash: hashToken(refreshToken), usedAt: null }]);
  expect(Math.abs(Date.parse(refreshTokenExpiresAt) - Date.now() - 30 * DAY)).toBeLessThan(60 * SECOND);
  expect(await eventsOf(sessionId)).toMatchObject([
    { type: 'UserLoggedIn', version: 1, data: { userId, sessionId, by: 'password' } },
  ]);
  expect(await isSessionOpen(db, userId, sessionId)).toBe(true);
  expect(await isSessionOpen(db, await makeUser(), sessionId)).toBe(false);
});

test('a refresh gives a successor in the same session', async () => {
  const { userId, sessionId, refreshToken } = await signIn();
  const next = await rotateRefreshToken(db, refreshToken);
  expect(next).toMatchObject({ userId, sessionId, role: 'tutor' });
  expect(next.refreshToken).not.toBe(refreshToken);
  expect(await rotateRefreshToken(db, next.refreshToken)).toMatchObject({ sessionId });
});

test('of ten parallel uses of one token exactly one gets a successor, and the session lives on', async () => {
  for (let round = 0; round < 3; round++) {
    const { userId, sessionId, refreshToken } = await signIn();
    const uses = await Promise.allSettled(Array.from({ length: 10 }, () => rotateRefreshToken(db, refreshToken)));
    const winners = uses.flatMap((use) => (use.status === 'fulfilled' ? [use.value] : []));
    expect(winners).toHaveLength(1);
    for (const use of uses) if (use.status === 'rejected') expect(use.reason).toMatchObject(refused);
    expect(await isSessionOpen(db, userId, sessionId)).toBe(true);
    expect(await rotateRefreshToken(db, winners[0]?.refreshToken ?? '')).toMatchObject({ sessionId });
  }
});

test('within ten seconds of its use the old token is only refused', async () => {
  const { refreshToken } = await signIn();
  const next = await rotateRefreshToken(db, refreshToken);
  await usedAgo(refreshToken, 8 * SECOND);
  await expect(rotateRefreshToken(db, refreshToken)).rejects.toMatchObject(refused);
  await expect(rotateRefreshToken(db, next.refreshToken)).resolves.toBeDefined();
});

test('reuse after ten seconds ends the whole family: the newest token is refused too', async () => {
  const { userId, sessionId, refreshToken } = await signIn();
  const second = await rotateRefreshToken(db, refreshToken);
  const third = await rotateRefreshToken(db, second.refreshToken);
  await usedAgo(refreshToken, 11 * SECOND);
  await expect(rotateRefreshToken(db, refreshToken)).rejects.toMatchObject(refused);
  await expect(rotateRefreshToken(db, third.refreshToken)).rejects.toMatchObject(refused);
  expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
  expect((await eventsOf(sessionId)).at(-1)).toMatchObject({
    type: 'UserLoggedOut',
    data: { userId, sessionId, reason: 'token_reuse' },
  });
});

test('reuse racing a refresh never leaves a session that lives', async () => {
  for (let round = 0; round < 5; round++) {
    const { userId, sessionId, refreshToken } = await signIn();
    const next = await rotateRefreshToken(db, refreshToken);
    await usedAgo(refreshToken, 11 * SECOND);
    await Promise.allSettled([rotateRefreshToken(db, refreshToken), rotateRefreshToken(db, next.refreshToken)]);
    expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
    expect((await eventsOf(sessionId)).map(({ type }) => type)).toEqual(['UserLoggedIn', 'UserLoggedOut']);
  }
});

test('reuse in one session leaves the others of the user alone', async () => {
  const { userId, refreshToken } = await signIn();
  const other = await openSession(db, { userId, ...device });
  await rotateRefreshToken(db, refreshToken);
  await usedAgo(refreshToken, 11 * SECOND);
  await expect(rotateRefreshToken(db, refreshToken)).rejects.toMatchObject(refused);
  await expect(rotateRefreshToken(db, other.refreshToken)).resolves.toMatchObject({ userId });
});

test('unknown, expired and ended tokens are refused alike', async () => {
  await expect(rotateRefreshToken(db, 'no such token')).rejects.toMatchObject(refused);
  const expired = await signIn();
  await db
    .update(refreshTokens)
    .set({ expiresAt: new Date(Date.now() - 1) })
    .where(eq(refreshTokens.sessionId, expired.sessionId));
  await expect(rotateRefreshToken(db, expired.refreshToken)).rejects.toMatchObject(refused);
  const old = await signIn();
  await db
    .update(userSessions)
    .set({ expiresAt: new Date(Date.now() - 1) })
    .where(eq(userSessions.id, old.sessionId));
  await expect(rotateRefreshToken(db, old.refreshToken)).rejects.toMatchObject(refused);
  expect(await isSessionOpen(db, old.userId, old.sessionId)).toBe(false);
});

test('a session never outlives its ninety days, however late it is refreshed', async () => {
  const { sessionId, refreshToken } = await signIn();
  const end = new Date(Date.now() + DAY);
  await db.update(userSessions).set({ expiresAt: end }).where(eq(userSessions.id, sessionId));
  const next = await rotateRefreshToken(db, refreshToken);
  expect(next.refreshTokenExpiresAt).toBe(end.toISOString());
});

test('logging out ends the session by any of its tokens, once, and is harmless otherwise', async () => {
  const { userId, sessionId, refreshToken } = await signIn();
  await rotateRefreshToken(db, refreshToken);
  await endSessionOfToken(db, refreshToken);
  await endSessionOfToken(db, refreshToken);
  await endSessionOfToken(db, 'no such token');
  expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
  expect((await eventsOf(sessionId)).map(({ type }) => type)).toEqual(['UserLoggedIn', 'UserLoggedOut']);
});

test('a session is ended by its own user only', async () => {
  const { userId, sessionId } = await signIn();
  await expect(endSession(db, await makeUser(), sessionId)).rejects.toMatchObject({ code: 'not_found' });
  expect(await isSessionOpen(db, userId, sessionId)).toBe(true);
  await endSession(db, userId, sessionId);
  await expect(endSession(db, userId, sessionId)).rejects.toMatchObject({ code: 'not_found' });
  expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
});

test('sessions are listed newest first, page by page, without those that can do nothing more', async () => {
  const userId = await makeUser();
  const open = async () => (await openSession(db, { userId, ...device })).sessionId;
  const [first, second, third, ended, idle] = [await open(), await open(), await open(), await open(), await open()];
  await endSession(db, userId, ended);
  await db
    .update(userSessions)
    .set({ lastUsedAt: new Date(Date.now() - 31 * DAY) })
    .where(eq(userSessions.id, idle));
  const page = await listSessions(db, userId, second, { limit: 2 });
  expect(page.items.map(({ id, current }) => [id, current])).toEqual([
    [third, false],
    [second, true],
  ]);
  expect(page.items[0]).toMatchObject({ userAgent: 'Firefox', address: '203.0.113.7' });
  const rest = await listSessions(db, userId, second, { cursor: page.nextCursor ?? undefined, limit: 2 });
  expect(rest).toMatchObject({ items: [{ id: first }], nextCursor: null });
});

test('ended sessions and spent tokens past their age are forgotten, the rest is kept', async () => {
  const live = await signIn();
  const next = await rotateRefreshToken(db, live.refreshToken);
  const gone = await signIn();
  await endSession(db, gone.userId, gone.sessionId);
  await db
    .update(userSessions)
    .set({ endedAt: new Date(Date.now() - 31 * DAY) })
    .where(eq(userSessions.id, gone.sessionId));
  await db
    .update(refreshTokens)
    .set({ expiresAt: new Date(Date.now() - 1) })
    .where(eq(refreshTokens.tokenHash, hashToken(live.refreshToken)));
  await forgetOldSessions(db);
  expect(await db.select().from(userSessions).where(eq(userSessions.id, gone.sessionId))).toEqual([]);
  expect(await db.select().from(refreshTokens).where(eq(refreshTokens.sessionId, gone.sessionId))).toEqual([]);
  expect(await db.select().from(refreshTokens).where(eq(refreshTokens.sessionId, live.sessionId))).toMatchObject([
    { tokenHash: hashToken(next.refreshToken) },
  ]);
});
