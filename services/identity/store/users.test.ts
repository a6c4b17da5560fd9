import { asc, eq } from 'drizzle-orm';
import { emailVerifications, events, userProfiles, users } from '../../../db/schema/identity';
import { createChanges } from '../../../platform/changes';
import { uuidv7 } from '../../../platform/ids';
import { createLogger } from '../../../platform/telemetry';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { deriveKey, hashToken } from '../secrets';
import {
  activateUser,
  createProfile,
  findByEmail,
  forgetOldVerifications,
  issueEmailVerification,
  markSagaStarted,
  readInternalUser,
  readPair,
  readUser,
  releaseAttempt,
  removeProfile,
  removeUser,
  signUpState,
  storePendingUser,
  updateProfile,
  verifyEmail,
} from './users';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

const registration = { firstName: 'Ada', lastName: 'Lovelace', timeZone: 'Europe/Berlin', locale: 'de' };
const newUser = (email: string, firstName = 'Ada') => ({
  email,
  passwordHash: `hash of ${firstName}`,
  role: 'student' as const,
  registration: { ...registration, firstName },
});
const uniqueEmail = () => `user-${uuidv7()}@example.com`;
const step = (key: string) => ({ owner: 'service', key, fingerprint: key });
const keys = (userId: string) => ({
  profile: step(`user:${userId}/profile`),
  unprofile: step(`user:${userId}/profile/undo`),
  activate: step(`user:${userId}/activate`),
  remove: step(`user:${userId}/register/undo`),
});
const eventsOf = (streamId: string) =>
  db.select().from(events).where(eq(events.streamId, streamId)).orderBy(asc(events.version));
const expire = (userId: string) =>
  db
    .update(users)
    .set({ attemptUntil: new Date(Date.now() - 1_000) })
    .where(eq(users.id, userId));

async function activeUser(email = uniqueEmail()): Promise<string> {
  const { userId } = await storePendingUser(db, newUser(email));
  await createProfile(db, keys(userId).profile, userId);
  await activateUser(db, keys(userId).activate, userId);
  return userId;
}

describe('registering', () => {
  test('of twenty registrations of one address at once exactly one is stored, whatever the case of its letters', async () => {
    const email = uniqueEmail();
    const tries = Array.from({ length: 20 }, (_, n) =>
      storePendingUser(db, newUser(n % 2 ? email.toUpperCase().replace('EXAMPLE.COM', 'example.com') : email)),
    );
    const results = await Promise.allSettled(tries);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) if (result.status === 'rejected') expect(result.reason.code).toBe('email_taken');
  });

  test('an address whose registration is under way, started or active is taken', async () => {
    const email = uniqueEmail();
    const attempt = await storePendingUser(db, newUser(email));
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
    expect(await markSagaStarted(db, attempt)).toBe(true);
    await expire(attempt.userId);
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
    const active = uniqueEmail();
    await expire(await activeUser(active));
    await expect(storePendingUser(db, newUser(active))).rejects.toMatchObject({ code: 'email_taken' });
  });

  test('a pending user whose saga never started is taken over: same id, new data', async () => {
    const email = uniqueEmail();
    const crashed = await storePendingUser(db, newUser(email));
    await expire(crashed.userId);
    const next = await storePendingUser(db, { ...newUser(email.replace('user', 'USER'), 'Grace'), role: 'tutor' });
    expect(next.userId).toBe(crashed.userId);
    expect(await readUser(db, next.userId)).toMatchObject({
      email: email.replace('user', 'USER'),
      role: 'tutor',
      status: 'pending',
      profile: { firstName: 'Grace' },
    });
    expect((await findByEmail(db, email))?.passwordHash).toBe('hash of Grace');
  });

  test('a registration that could not start its saga gives the address up at once', async () => {
    const email = uniqueEmail();
    const attempt = await storePendingUser(db, newUser(email));
    await releaseAttempt(db, attempt);
    expect((await storePendingUser(db, newUser(email))).userId).toBe(attempt.userId);
  });

  test('of ten take-overs at once exactly one wins', async () => {
    const email = uniqueEmail();
    await releaseAttempt(db, await storePendingUser(db, newUser(email)));
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => storePendingUser(db, newUser(email))));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('a registration that was taken over is told so when it comes to mark its saga', async () => {
    const email = uniqueEmail();
    const slow = await storePendingUser(db, newUser(email));
    await expire(slow.userId);
    const next = await storePendingUser(db, newUser(email));
    expect(await markSagaStarted(db, slow)).toBe(false);
    await releaseAttempt(db, slow); // is no longer its to release
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
    expect(await markSagaStarted(db, next)).toBe(true);
  });

  test('once the saga has done a step nobody takes the user over, although the start was never marked', async () => {
    const email = uniqueEmail();
    const { userId } = await storePendingUser(db, newUser(email));
    await createProfile(db, keys(userId).profile, userId);
    await expire(userId);
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
  });

  test('an address that is being removed is free or taken, and never an error of the database', async () => {
    const email = uniqueEmail();
    for (let round = 0; round < 10; round++) {
      const { userId } = await storePendingUser(db, newUser(email));
      const [next] = await Promise.allSettled([
        storePendingUser(db, newUser(email)),
        removeUser(db, keys(userId).remove, userId),
      ]);
      if (next.status === 'rejected') expect(next.reason).toMatchObject({ code: 'email_taken' });
      else await removeUser(db, keys(next.value.userId).remove, next.value.userId);
    }
  });
});

describe('the steps of the sign-up saga', () => {
  test('profile, then activation: UserRegistered is told once, at activation, without personal data', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    const created = await createProfile(db, keys(userId).profile, userId);
    expect(created).toEqual({
      status: 200,
      body: { displayName: 'Ada Lovelace', timeZone: 'Europe/Berlin', locale: 'de', role: 'student' },
    });
    expect(await eventsOf(userId)).toEqual([]);
    expect(await activateUser(db, keys(userId).activate, userId)).toEqual({ status: 200, body: { status: 'active' } });
    expect(await activateUser(db, step(`user:${userId}/activate/again`), userId)).toMatchObject({ status: 200 });
    expect(await eventsOf(userId)).toMatchObject([
      { version: 1, type: 'UserRegistered', data: { userId, role: 'student' } },
    ]);
    const [row] = await db.select().from(users).where(eq(users.id, userId));
    expect(row).toMatchObject({ status: 'active', registration: null });
    expect(await readInternalUser(db, userId)).toMatchObject({
      ...registration,
      status: 'active',
      emailVerified: false,
    });
  });

  test('two people are read at once, in the order that was asked for, or not at all', async () => {
    const [one, two] = [await activeUser(), await activeUser()];
    const [first, second] = await Promise.all([readInternalUser(db, two), readInternalUser(db, one)]);
    expect(await readPair(db, two, one)).toEqual({ first, second });
    expect(await readPair(db, one, one)).toEqual({ first: second, second });
    await expect(readPair(db, one, uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a step repeated under its key answers the same and does nothing more', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    const replies = await Promise.all(Array.from({ length: 5 }, () => createProfile(db, keys(userId).profile, userId)));
    for (const reply of replies) expect(reply).toEqual(replies[0]);
    await Promise.all(Array.from({ length: 5 }, () => activateUser(db, keys(userId).activate, userId)));
    expect(await eventsOf(userId)).toHaveLength(1);
  });

  test('the profile of an active user is not made anew', async () => {
    const userId = await activeUser();
    await updateProfile(db, undefined, userId, { firstName: 'Augusta' });
    const again = await createProfile(db, step(`user:${userId}/late`), userId);
    expect(again.body).toMatchObject({ displayName: 'Augusta Lovelace' });
  });

  test('a user without a profile is not activated', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    await expect(activateUser(db, keys(userId).activate, userId)).rejects.toMatchObject({ code: 'invalid_state' });
  });

  test('steps for a user that does not exist are refused, undos are harmless', async () => {
    const userId = uuidv7();
    await expect(createProfile(db, keys(userId).profile, userId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(activateUser(db, keys(userId).activate, userId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(readUser(db, userId)).rejects.toMatchObject({ code: 'not_found' });
    expect(await removeProfile(db, keys(userId).unprofile, userId)).toMatchObject({ status: 204 });
    expect(await removeUser(db, keys(userId).remove, userId)).toMatchObject({ status: 204 });
  });

  test('an undo that overtakes its step keeps the step from happening', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    await removeProfile(db, keys(userId).unprofile, userId);
    await expect(createProfile(db, keys(userId).profile, userId)).rejects.toMatchObject({ code: 'undone' });
    expect(await db.select().from(userProfiles).where(eq(userProfiles.userId, userId))).toEqual([]);
  });

  test('after the undos nothing is left of the user and the address registers again at once, under a new id', async () => {
    const email = uniqueEmail();
    const { userId } = await storePendingUser(db, newUser(email));
    await createProfile(db, keys(userId).profile, userId);
    await issueEmailVerification(db, userId, 'key', deriveKey('s', 'p'));
    await removeProfile(db, keys(userId).unprofile, userId);
    await removeUser(db, keys(userId).remove, userId);
    await removeUser(db, keys(userId).remove, userId);
    expect(await db.select().from(users).where(eq(users.id, userId))).toEqual([]);
    expect(await db.select().from(userProfiles).where(eq(userProfiles.userId, userId))).toEqual([]);
    expect(await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId))).toEqual([]);
    expect(await eventsOf(userId)).toEqual([]);
    expect((await storePendingUser(db, newUser(email))).userId).not.toBe(userId);
  });

  test('an active user is never undone', async () => {
    const userId = await activeUser();
    await expect(removeProfile(db, keys(userId).unprofile, userId)).rejects.toMatchObject({ code: 'invalid_state' });
    await expect(removeUser(db, keys(userId).remove, userId)).rejects.toMatchObject({ code: 'invalid_state' });
    expect(await readUser(db, userId)).toMatchObject({ status: 'active', profile: { firstName: 'Ada' } });
  });

  test('activation and removal at once end in one of both, whole', async () => {
    for (let round = 0; round < 5; round++) {
      const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
      await createProfile(db, keys(userId).profile, userId);
      const [activated, removed] = await Promise.allSettled([
        activateUser(db, keys(userId).activate, userId),
        removeUser(db, keys(userId).remove, userId),
      ]);
      const rows = await db.select().from(users).where(eq(users.id, userId));
      expect(activated.status === 'fulfilled').toBe(removed.status === 'rejected');
      expect(rows).toHaveLength(activated.status === 'fulfilled' ? 1 : 0);
      expect(await eventsOf(userId)).toHaveLength(rows.length);
    }
  });
});

test('a registration that waits is told at the commit that its user is active, or gone', async () => {
  const anHour = 3_600_000; // nobody looks before that: only an announcement can end the wait
  const changes = createChanges(database, createLogger('test', 'silent'), anHour);
  const pending = await Promise.all([1, 2].map(() => storePendingUser(db, newUser(uniqueEmail()))));
  const [kept, undone] = pending.map(({ userId }) => userId);
  if (!kept || !undone) throw new Error('two were stored');
  const waiting = [kept, undone].map((userId) =>
    changes.until(
      userId,
      Date.now() + anHour,
      () => signUpState(db, userId),
      (state) => state !== 'pending',
    ),
  );
  await createProfile(db, keys(kept).profile, kept);
  await activateUser(db, keys(kept).activate, kept);
  await removeUser(db, keys(undone).remove, undone);
  expect(await Promise.all(waiting)).toEqual(['active', 'removed']);
});

describe('changing a profile', () => {
  test('stores what was sent, leaves the rest and tells readers of names', async () => {
    const userId = await activeUser();
    const reply = await updateProfile(db, undefined, userId, {
      lastName: 'King',
      avatarUrl: 'https://cdn.example/a.png',
    });
    expect(reply.body.profile).toEqual({ ...registration, lastName: 'King', avatarUrl: 'https://cdn.example/a.png' });
    expect((await eventsOf(userId)).at(-1)).toMatchObject({
      version: 2,
      type: 'UserProfileUpdated',
      data: { userId, displayName: 'Ada King', avatarUrl: 'https://cdn.example/a.png' },
    });
  });

  test('ten changes at once leave ten events in a row', async () => {
    const userId = await activeUser();
    const changes = Array.from({ length: 10 }, (_, n) =>
      updateProfile(db, undefined, userId, { firstName: `Ada ${n}` }),
    );
    await Promise.all(changes);
    expect((await eventsOf(userId)).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test('a user who is gone has no profile to change', async () => {
    await expect(updateProfile(db, undefined, uuidv7(), { firstName: 'X' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('verifying an e-mail address', () => {
  const secret = deriveKey('platform', 'email-verification');

  test('a token is stored as a hash only, lives a day and works once', async () => {
    const userId = await activeUser();
    const { token, expiresAt } = await issueEmailVerification(db, userId, 'key-1', secret);
    const rows = await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId));
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(rows).toMatchObject([{ tokenHash: hashToken(token), usedAt: null }]);
    expect(Math.abs(Date.parse(expiresAt) - Date.now() - 86_400_000)).toBeLessThan(60_000);
    await verifyEmail(db, token);
    expect(await readUser(db, userId)).toMatchObject({ emailVerified: true });
    expect((await eventsOf(userId)).at(-1)).toMatchObject({ type: 'UserEmailVerified', data: { userId } });
    await expect(verifyEmail(db, token)).rejects.toMatchObject({ code: 'invalid_token' });
  });

  test('the same command gives the same token, a new one replaces what was not used', async () => {
    const userId = await activeUser();
    const first = await issueEmailVerification(db, userId, 'key-1', secret);
    expect(await issueEmailVerification(db, userId, 'key-1', secret)).toEqual(first);
    const second = await issueEmailVerification(db, userId, 'key-2', secret);
    expect(second.token).not.toBe(first.token);
    expect(await issueEmailVerification(db, userId, 'key-1', secret)).toEqual(first); // repeated late
    await expect(verifyEmail(db, first.token)).rejects.toMatchObject({ code: 'invalid_token' });
    await verifyEmail(db, second.token);
    expect(await readUser(db, userId)).toMatchObject({ emailVerified: true });
  });

  test('a second proof of an address that is proven is accepted and told to nobody', async () => {
    const userId = await activeUser();
    await verifyEmail(db, (await issueEmailVerification(db, userId, 'key-1', secret)).token);
    await verifyEmail(db, (await issueEmailVerification(db, userId, 'key-2', secret)).token);
    expect((await eventsOf(userId)).filter(({ type }) => type === 'UserEmailVerified')).toHaveLength(1);
  });

  test('of ten uses of one token at once one counts', async () => {
    const userId = await activeUser();
    const { token } = await issueEmailVerification(db, userId, 'key-1', secret);
    const uses = await Promise.allSettled(Array.from({ length: 10 }, () => verifyEmail(db, token)));
    expect(uses.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await eventsOf(userId)).filter(({ type }) => type === 'UserEmailVerified')).toHaveLength(1);
  });

  test('an expired token and one that never was prove nothing', async () => {
    const userId = await activeUser();
    const { token } = await issueEmailVerification(db, userId, 'key-1', secret);
    await db
      .update(emailVerifications)
      .set({ expiresAt: new Date(Date.now() - 1_000) })
      .where(eq(emailVerifications.userId, userId));
    await expect(verifyEmail(db, token)).rejects.toMatchObject({ code: 'invalid_token' });
    await expect(verifyEmail(db, 'never issued')).rejects.toMatchObject({ code: 'invalid_token' });
    await expect(issueEmailVerification(db, uuidv7(), 'key', secret)).rejects.toMatchObject({ code: 'not_found' });
    expect(await readUser(db, userId)).toMatchObject({ emailVerified: false });
  });

  test('tokens are forgotten a month after they expired', async () => {
    const userId = await activeUser();
    await issueEmailVerification(db, userId, 'key-1', secret);
    await forgetOldVerifications(db);
    expect(await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId))).toHaveLength(1);
    await db
      .update(emailVerifications)
      .set({ expiresAt: new Date(Date.now() - 31 * 86_400_000) })
      .where(eq(emailVerifications.userId, userId));
    await forgetOldVerifications(db);
    expect(await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId))).toEqual([]);
  });
});
