import { randomBytes } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { refreshTokens } from '../../../db/schema/identity';
import { SECOND } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, eventsOf } from '../../../tests/support/users';
import { hashToken } from '../secrets';
import { endSessions, forgetOldSessions, isSessionOpen, openSession, rotateRefreshToken } from './sessions';

// Refreshes that their clients repeat, because they never learned of the answer.

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

const key = randomBytes(32);
const refused = { code: 'invalid_refresh_token' };
const device = {
  isFirst: false,
  proof: { passwordHash: 'hash of Ada' },
  userAgent: 'Firefox',
  address: '203.0.113.7',
};

async function signIn(userId?: string) {
  const user = userId ?? (await activeUser(db));
  return openSession(db, { userId: user, ...device });
}
const refresh = (token: string, refreshId: string, under = key) =>
  rotateRefreshToken(db, token, { refreshId, key: under });
const rowOf = async (token: string) =>
  (
    await db
      .select()
      .from(refreshTokens)
      .where(eq(refreshTokens.tokenHash, hashToken(token)))
  )[0];
/** As if the exchange of `token` for `successor` had been so long ago. */
async function exchangedAgo(token: string, successor: string, ms: number): Promise<void> {
  const at = new Date(Date.now() - ms);
  await db
    .update(refreshTokens)
    .set({ usedAt: at })
    .where(eq(refreshTokens.tokenHash, hashToken(token)));
  await db
    .update(refreshTokens)
    .set({ createdAt: at })
    .where(eq(refreshTokens.tokenHash, hashToken(successor)));
}
/** All that is in the database, as text. */
async function everything(): Promise<string> {
  const tables = await database.sql`select format('%I', table_name) as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`;
  const rows = await Promise.all(tables.map(({ name }) => database.sql.unsafe(`select t::text as row from ${name} t`)));
  return rows.flatMap((some) => some.map(({ row }) => String(row))).join('\n');
}

test('a refresh that is repeated under its id gives the same successor, as often as it is asked for', async () => {
  const { userId, sessionId, refreshToken } = await signIn();
  const refreshId = uuidv7();
  const given = await refresh(refreshToken, refreshId);
  expect(await refresh(refreshToken, refreshId)).toEqual(given);
  await exchangedAgo(refreshToken, given.refreshToken, 29 * SECOND);
  expect(await refresh(refreshToken, refreshId)).toEqual(given);
  expect(given).toMatchObject({ userId, sessionId, method: 'password' });
  expect(await refresh(given.refreshToken, uuidv7())).toMatchObject({ sessionId });
});

test('ten tabs that refresh at once under one id get one successor, under ten ids one of them gets it', async () => {
  for (let round = 0; round < 3; round++) {
    const [together, apart] = [await signIn(), await signIn()];
    const one = uuidv7();
    const same = await Promise.all(Array.from({ length: 10 }, () => refresh(together.refreshToken, one)));
    expect(new Set(same.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    const uses = await Promise.allSettled(Array.from({ length: 10 }, () => refresh(apart.refreshToken, uuidv7())));
    expect(uses.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const use of uses) if (use.status === 'rejected') expect(use.reason).toMatchObject(refused);
    for (const { userId, sessionId } of [together, apart])
      expect(await isSessionOpen(db, userId, sessionId)).toBe(true);
  }
});

test.each([
  ['under its id', (token: string, refreshId: string) => refresh(token, refreshId)],
  ['under another', (token: string) => refresh(token, uuidv7())],
  ['under none', (token: string) => rotateRefreshToken(db, token)],
])('once its successor was used, a token that comes again %s ends the session at once', async (_, again) => {
  const { userId, sessionId, refreshToken } = await signIn();
  const refreshId = uuidv7();
  const second = await refresh(refreshToken, refreshId);
  const third = await refresh(second.refreshToken, uuidv7());
  await expect(again(refreshToken, refreshId)).rejects.toMatchObject(refused);
  expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
  await expect(rotateRefreshToken(db, third.refreshToken)).rejects.toMatchObject(refused);
  expect((await eventsOf(db, sessionId)).at(-1)).toMatchObject({ data: { reason: 'token_reuse' } });
});

test('a repeat that comes after half a minute ends the session', async () => {
  const { userId, sessionId, refreshToken } = await signIn();
  const refreshId = uuidv7();
  const { refreshToken: successor } = await refresh(refreshToken, refreshId);
  await exchangedAgo(refreshToken, successor, 31 * SECOND);
  await expect(refresh(refreshToken, refreshId)).rejects.toMatchObject(refused);
  expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
});

test('under another id, or with another token, nothing is given again, and within ten seconds nothing ends', async () => {
  const [mine, other] = [await signIn(), await signIn()];
  const refreshId = uuidv7();
  const given = await refresh(mine.refreshToken, refreshId);
  await expect(refresh(mine.refreshToken, uuidv7())).rejects.toMatchObject(refused);
  await expect(rotateRefreshToken(db, mine.refreshToken)).rejects.toMatchObject(refused);
  const others = await refresh(other.refreshToken, refreshId);
  expect(others.refreshToken).not.toBe(given.refreshToken);
  expect(await refresh(given.refreshToken, uuidv7())).toMatchObject({ sessionId: mine.sessionId });
});

test('a repeat that races the first use of the successor never leaves two clients with tokens that work', async () => {
  for (let round = 0; round < 5; round++) {
    const { userId, sessionId, refreshToken } = await signIn();
    const refreshId = uuidv7();
    const given = await refresh(refreshToken, refreshId);
    const [again] = await Promise.allSettled([refresh(refreshToken, refreshId), refresh(given.refreshToken, uuidv7())]);
    // Who was first got the same token, which is spent now; who was second has ended the session.
    expect(await isSessionOpen(db, userId, sessionId)).toBe(again.status === 'fulfilled');
    if (again.status === 'fulfilled') expect(again.value.refreshToken).toBe(given.refreshToken);
  }
});

test('what is kept for a repeat is sealed, and is gone with the first use of the successor', async () => {
  const { refreshToken } = await signIn();
  const refreshId = uuidv7();
  const { refreshToken: successor } = await refresh(refreshToken, refreshId);
  expect((await rowOf(successor))?.sealed).toEqual({
    iv: expect.any(String),
    ciphertext: expect.any(String),
    tag: expect.any(String),
  });
  const { refreshToken: last } = await refresh(successor, uuidv7());
  const all = await everything();
  expect(all).toContain(hashToken(last));
  for (const token of [refreshToken, successor, last]) expect(all).not.toContain(token);
  expect((await rowOf(successor))?.sealed).toBeNull();
});

test('without an id nothing is kept', async () => {
  const { refreshToken } = await signIn();
  const { refreshToken: successor } = await rotateRefreshToken(db, refreshToken);
  expect((await rowOf(successor))?.sealed).toBeNull();
});

test('what is sealed is forgotten when half a minute is over', async () => {
  const [old, fresh] = [await signIn(), await signIn()];
  const { refreshToken: first } = await refresh(old.refreshToken, uuidv7());
  const { refreshToken: second } = await refresh(fresh.refreshToken, uuidv7());
  await exchangedAgo(old.refreshToken, first, 31 * SECOND);
  await forgetOldSessions(db);
  expect((await rowOf(first))?.sealed).toBeNull();
  expect((await rowOf(second))?.sealed).not.toBeNull();
  expect(await refresh(first, uuidv7())).toMatchObject({ sessionId: old.sessionId });
});

test('a repeat after the secret was changed, or by a row that was meddled with, gets nothing', async () => {
  const [changed, swapped, other] = [await signIn(), await signIn(), await signIn()];
  const refreshId = uuidv7();
  await refresh(changed.refreshToken, refreshId);
  await expect(refresh(changed.refreshToken, refreshId, randomBytes(32))).rejects.toMatchObject(refused);
  const mine = await refresh(swapped.refreshToken, refreshId);
  const theirs = await rowOf((await refresh(other.refreshToken, refreshId)).refreshToken);
  await db
    .update(refreshTokens)
    .set({ sealed: theirs?.sealed ?? null })
    .where(eq(refreshTokens.tokenHash, hashToken(mine.refreshToken)));
  await expect(refresh(swapped.refreshToken, refreshId)).rejects.toMatchObject(refused);
});

test('a token that a version before has exchanged is judged by its age alone', async () => {
  const { userId, sessionId, refreshToken } = await signIn();
  await rotateRefreshToken(db, refreshToken);
  await db
    .update(refreshTokens)
    .set({ successorHash: null, usedAt: sql`now() - interval '11 seconds'` })
    .where(eq(refreshTokens.tokenHash, hashToken(refreshToken)));
  await expect(rotateRefreshToken(db, refreshToken)).rejects.toMatchObject(refused);
  expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
});

describe('all sessions of a person', () => {
  const end = (userId: string, except?: string) =>
    db.transaction((tx) => endSessions(tx, userId, { reason: 'revoked', ...(except !== undefined && { except }) }));
  const openOnes = async (sessions: { userId: string; sessionId: string }[]) => {
    const states = await Promise.all(sessions.map(({ userId, sessionId }) => isSessionOpen(db, userId, sessionId)));
    return states;
  };

  test('end but for one, each with its event, and those of others go on', async () => {
    const first = await signIn();
    const [second, third, stranger] = [await signIn(first.userId), await signIn(first.userId), await signIn()];
    await end(first.userId, second.sessionId);
    await end(first.userId, second.sessionId);
    expect(await openOnes([first, second, third, stranger])).toEqual([false, true, false, true]);
    for (const { sessionId } of [first, third]) {
      const told = await eventsOf(db, sessionId);
      expect(told.map(({ type }) => type)).toEqual(['UserLoggedIn', 'UserLoggedOut']);
      expect(told[1]).toMatchObject({ data: { userId: first.userId, sessionId, reason: 'revoked' } });
    }
    await end(first.userId);
    expect(await openOnes([second])).toEqual([false]);
  });

  test('end once, whoever else ends or refreshes them at that moment', async () => {
    for (let round = 0; round < 5; round++) {
      const first = await signIn();
      const [second, third] = [await signIn(first.userId), await signIn(first.userId)];
      await Promise.allSettled([
        end(first.userId, first.sessionId),
        end(first.userId, second.sessionId),
        rotateRefreshToken(db, third.refreshToken),
      ]);
      expect((await openOnes([third]))[0]).toBe(false);
      for (const { sessionId } of [first, second, third]) {
        const ends = (await eventsOf(db, sessionId)).filter(({ type }) => type === 'UserLoggedOut');
        expect(ends.length).toBeLessThanOrEqual(1);
      }
    }
  });
});
