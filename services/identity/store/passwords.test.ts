import { asc, eq, isNull, sql } from 'drizzle-orm';
import { events, loginAddresses, passwordResets, userSessions, users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { eventually } from '../../../tests/support/platform';
import { activeUser, eventsOf, uniqueEmail } from '../../../tests/support/users';
import { hashToken } from '../secrets';
import { changePassword, checkReset, forgetOldResets, issueReset, readPasswordHash, resetPassword } from './passwords';
import { isSessionOpen, openSession, rotateRefreshToken } from './sessions';
import { lockUser } from './users';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

const secret = deriveKey('platform', 'password-reset');
const invalid = { code: 'invalid_token' };
/** What `activeUser` signs up with. */
const OLD = 'hash of Ada';

const issue = async (userId: string, key = uuidv7()) => (await issueReset(db, userId, key, secret)).token;
const signIn = (userId: string, passwordHash = OLD) =>
  openSession(db, { userId, isFirst: false, proof: { passwordHash }, userAgent: null, address: '203.0.113.7' });
const openSessions = async (userId: string) =>
  (await db.select().from(userSessions).where(eq(userSessions.userId, userId))).filter(({ endedAt }) => !endedAt);
const typesOf = async (streamId: string) => (await eventsOf(db, streamId)).map(({ type }) => type);
const age = (token: string, minutes: number) =>
  db
    .update(passwordResets)
    .set({ expiresAt: sql`expires_at - make_interval(mins => ${minutes})` })
    .where(eq(passwordResets.tokenHash, hashToken(token)));

/** Resolves when so many of this database's transactions wait for a lock. */
const waiting = (count: number) =>
  eventually(`${count} wait for a lock`, async () => {
    const rows = await database.sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return rows.length === count;
  });

describe('the old password never gets a session that survives', () => {
  test('a login that waits for a reset opens none', async () => {
    const userId = await activeUser(db);
    let login: Promise<unknown> = Promise.resolve();
    await db.transaction(async (tx) => {
      await lockUser(tx, userId);
      login = signIn(userId);
      login.catch(() => undefined);
      await waiting(1);
      await tx.update(users).set({ passwordHash: 'new' }).where(eq(users.id, userId));
    });
    await expect(login).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect(await openSessions(userId)).toEqual([]);
  });

  test('a reset that waits for a login ends its session', async () => {
    const userId = await activeUser(db);
    const token = await issue(userId);
    let reset: Promise<unknown> = Promise.resolve();
    const sessionId = uuidv7();
    await db.transaction(async (tx) => {
      await tx.select().from(users).where(eq(users.id, userId)).for('share');
      reset = resetPassword(db, token, 'new');
      await waiting(1);
      await tx.insert(userSessions).values({ id: sessionId, userId, expiresAt: sql`now() + interval '1 day'` });
    });
    await reset;
    expect(await isSessionOpen(db, userId, sessionId)).toBe(false);
  });

  test('of logins and a reset at once none is left signed in by it', async () => {
    for (let round = 0; round < 20; round++) {
      const userId = await activeUser(db);
      const token = await issue(userId);
      const [reset, ...logins] = await Promise.allSettled([
        resetPassword(db, token, 'new'),
        ...Array.from({ length: 5 }, () => signIn(userId)),
      ]);
      expect(reset.status).toBe('fulfilled');
      expect(await openSessions(userId)).toEqual([]);
      for (const login of logins)
        if (login.status === 'rejected') expect(login.reason).toMatchObject({ code: 'invalid_credentials' });
    }
  });

  test('logins beside each other wait for nobody', async () => {
    const userId = await activeUser(db);
    await db.transaction(async (tx) => {
      await tx.select().from(users).where(eq(users.id, userId)).for('share');
      await signIn(userId);
    });
    expect(await openSessions(userId)).toHaveLength(1);
  });
});

describe('a reset', () => {
  test('sets the password, ends every session and tells of it, without a word of the password', async () => {
    const userId = await activeUser(db);
    const [first, second] = [await signIn(userId), await signIn(userId)];
    await resetPassword(db, await issue(userId), 'new hash');
    expect(await readPasswordHash(db, userId)).toBe('new hash');
    const ended = await db.select().from(userSessions).where(eq(userSessions.userId, userId));
    expect(ended.map(({ endReason }) => endReason)).toEqual(['password_reset', 'password_reset']);
    for (const { sessionId } of [first, second])
      expect((await eventsOf(db, sessionId)).at(-1)).toMatchObject({
        type: 'UserLoggedOut',
        data: { userId, sessionId, reason: 'password_reset' },
      });
    expect((await eventsOf(db, userId)).at(-1)).toMatchObject({
      type: 'UserPasswordChanged',
      data: { userId, participantIds: [userId], by: 'reset' },
    });
    expect(JSON.stringify(await db.select().from(events))).not.toContain('new hash');
    await expect(signIn(userId, 'new hash')).resolves.toBeDefined();
  });

  test('proves the address, once, and takes from where it was signed in before', async () => {
    const userId = await activeUser(db);
    const known = () => db.select().from(loginAddresses).where(eq(loginAddresses.userId, userId));
    await db.insert(loginAddresses).values({ userId, addressHash: 'of somebody' });
    await resetPassword(db, await issue(userId), 'new');
    expect(await known()).toEqual([]);
    expect(await typesOf(userId)).toEqual(['UserRegistered', 'UserEmailVerified', 'UserPasswordChanged']);
    await db.insert(loginAddresses).values({ userId, addressHash: 'of the person' });
    await resetPassword(db, await issue(userId), 'newer');
    expect(await known()).toHaveLength(1);
    expect((await typesOf(userId)).slice(3)).toEqual(['UserPasswordChanged']);
  });

  test('of two resets with one token at once one wins, and its password is the one', async () => {
    for (let round = 0; round < 5; round++) {
      const userId = await activeUser(db);
      const token = await issue(userId);
      const resets = await Promise.allSettled(['one', 'two'].map((hash) => resetPassword(db, token, hash)));
      const won = ['one', 'two'].filter((_, index) => resets[index]?.status === 'fulfilled');
      expect(won).toHaveLength(1);
      expect(await readPasswordHash(db, userId)).toBe(won[0]);
      for (const reset of resets) if (reset.status === 'rejected') expect(reset.reason).toMatchObject(invalid);
      expect((await typesOf(userId)).filter((type) => type === 'UserPasswordChanged')).toHaveLength(1);
    }
  });

  test('beside a refresh leaves no session and no token that works', async () => {
    for (let round = 0; round < 10; round++) {
      const userId = await activeUser(db);
      const { refreshToken } = await signIn(userId);
      const [, refreshed] = await Promise.allSettled([
        issue(userId).then((token) => resetPassword(db, token, 'new')),
        rotateRefreshToken(db, refreshToken),
      ]);
      expect(await openSessions(userId)).toEqual([]);
      const next = refreshed.status === 'fulfilled' ? refreshed.value.refreshToken : refreshToken;
      await expect(rotateRefreshToken(db, next)).rejects.toMatchObject({ code: 'invalid_refresh_token' });
    }
  });
});

describe('a token', () => {
  test('is stored as a hash only, and lives for half an hour', async () => {
    const userId = await activeUser(db);
    const { token, expiresAt } = await issueReset(db, userId, 'key', secret);
    expect(JSON.stringify(await db.select().from(passwordResets))).not.toContain(token);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(Math.abs(Date.parse(expiresAt) - Date.now() - 30 * 60_000)).toBeLessThan(60_000);
    await age(token, 29);
    await checkReset(db, token);
    await age(token, 1);
    await expect(checkReset(db, token)).rejects.toMatchObject(invalid);
    await expect(resetPassword(db, token, 'new')).rejects.toMatchObject(invalid);
    expect(await readPasswordHash(db, userId)).toBe(OLD);
  });

  test('is the same for a repeated step, and another one replaces it', async () => {
    const userId = await activeUser(db);
    const first = await issueReset(db, userId, 'key-1', secret);
    expect(await issueReset(db, userId, 'key-1', secret)).toEqual(first);
    const second = await issue(userId, 'key-2');
    expect(second).not.toBe(first.token);
    expect(await issueReset(db, userId, 'key-1', secret)).toEqual(first); // repeated late
    await expect(resetPassword(db, first.token, 'new')).rejects.toMatchObject(invalid);
    await resetPassword(db, second, 'new');
    await expect(checkReset(db, second)).rejects.toMatchObject(invalid);
    await expect(checkReset(db, 'no such token')).rejects.toMatchObject(invalid);
  });

  test('counts for the address of its day alone, also when its step is repeated', async () => {
    const userId = await activeUser(db);
    const issued = await issueReset(db, userId, 'key', secret);
    const { token } = issued;
    await db.update(users).set({ email: uniqueEmail() }).where(eq(users.id, userId));
    await expect(checkReset(db, token)).rejects.toMatchObject(invalid);
    await expect(resetPassword(db, token, 'new')).rejects.toMatchObject(invalid);
    expect(await issueReset(db, userId, 'key', secret)).toEqual(issued);
    await expect(checkReset(db, token)).rejects.toMatchObject(invalid);
  });

  test('of a user who is gone is gone, and of one who never was there is none', async () => {
    const userId = await activeUser(db);
    const token = await issue(userId);
    await db.delete(users).where(eq(users.id, userId));
    await expect(resetPassword(db, token, 'new')).rejects.toMatchObject(invalid);
    await expect(issue(userId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(readPasswordHash(db, userId)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('that expired a month ago is forgotten', async () => {
    const userId = await activeUser(db);
    const [old, young] = [await issue(userId), await issue(userId)];
    await age(old, 31 * 24 * 60 + 30);
    await forgetOldResets(db);
    const rows = await db.select().from(passwordResets).where(eq(passwordResets.userId, userId));
    expect(rows).toMatchObject([{ tokenHash: hashToken(young) }]);
  });
});

describe('a change', () => {
  const change = { currentHash: OLD, passwordHash: 'new' };

  test('ends all other sessions, makes void what links are out and tells of it', async () => {
    const userId = await activeUser(db);
    const [mine, other] = [await signIn(userId), await signIn(userId)];
    const token = await issue(userId);
    expect(await changePassword(db, userId, { ...change, sessionId: mine.sessionId })).toBe(true);
    expect((await openSessions(userId)).map(({ id }) => id)).toEqual([mine.sessionId]);
    expect((await eventsOf(db, other.sessionId)).at(-1)).toMatchObject({ data: { reason: 'password_changed' } });
    expect((await eventsOf(db, userId)).at(-1)).toMatchObject({ data: { userId, by: 'change' } });
    await expect(checkReset(db, token)).rejects.toMatchObject(invalid);
    await expect(signIn(userId)).rejects.toMatchObject({ code: 'invalid_credentials' });
  });

  test('of two at once one is made, and its session goes on', async () => {
    for (let round = 0; round < 5; round++) {
      const userId = await activeUser(db);
      const sessions = [await signIn(userId), await signIn(userId)];
      const made = await Promise.all(
        sessions.map(({ sessionId }) =>
          changePassword(db, userId, { currentHash: OLD, passwordHash: `of ${sessionId}`, sessionId }),
        ),
      );
      expect(made.toSorted()).toEqual([false, true]);
      const winner = sessions[made.indexOf(true)]?.sessionId;
      expect(await readPasswordHash(db, userId)).toBe(`of ${winner}`);
      expect((await openSessions(userId)).map(({ id }) => id)).toEqual([winner]);
    }
  });

  test('beside a reset is made before it or not at all', async () => {
    for (let round = 0; round < 5; round++) {
      const userId = await activeUser(db);
      const { sessionId } = await signIn(userId);
      const token = await issue(userId);
      const [reset, changed] = await Promise.allSettled([
        resetPassword(db, token, 'by reset'),
        changePassword(db, userId, { ...change, sessionId }),
      ]);
      // A change makes the link void, a reset the password that the change was asked with.
      const isReset = reset.status === 'fulfilled';
      expect(changed).toEqual({ status: 'fulfilled', value: !isReset });
      expect(await readPasswordHash(db, userId)).toBe(isReset ? 'by reset' : 'new');
      expect(await openSessions(userId)).toHaveLength(isReset ? 0 : 1);
    }
  });
});

test('sessions end in the order of their ids, and one that has ended is told of no more', async () => {
  const userId = await activeUser(db);
  for (let n = 0; n < 3; n++) await signIn(userId);
  await resetPassword(db, await issue(userId), 'new');
  await resetPassword(db, await issue(userId), 'newer');
  const told = await db.select().from(events).where(eq(events.type, 'UserLoggedOut')).orderBy(asc(events.position));
  const mine = told.filter(({ data }) => data.userId === userId).map(({ streamId }) => streamId);
  expect(mine).toHaveLength(3);
  expect(mine).toEqual(mine.toSorted());
  expect(await db.select().from(userSessions).where(isNull(userSessions.endReason))).not.toContainEqual(
    expect.objectContaining({ userId }),
  );
});
