import { eq } from 'drizzle-orm';
import { emailVerifications, userProfiles, users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, eventsOf, newUser, registration, step, stepsFor, uniqueEmail } from '../../../tests/support/users';
import { activateUser, createProfile, issueEmailVerification, removeProfile, removeUser } from './saga-steps';
import { storePendingUser } from './sign-up';
import { readInternalUser, readUser, updateProfile } from './users';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

describe('the steps of the sign-up saga', () => {
  test('profile, then activation: UserRegistered is told once, at activation, without personal data', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    const created = await createProfile(db, stepsFor(userId).profile, userId);
    expect(created).toEqual({
      status: 200,
      body: { displayName: 'Ada Lovelace', timeZone: 'Europe/Berlin', locale: 'de', role: 'student' },
    });
    expect(await eventsOf(db, userId)).toEqual([]);
    expect(await activateUser(db, stepsFor(userId).activate, userId)).toEqual({
      status: 200,
      body: { status: 'active' },
    });
    expect(await activateUser(db, step(`user:${userId}/activate/again`), userId)).toMatchObject({ status: 200 });
    expect(await eventsOf(db, userId)).toMatchObject([
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

  test('a step repeated under its key answers the same and does nothing more', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => createProfile(db, stepsFor(userId).profile, userId)),
    );
    for (const reply of replies) expect(reply).toEqual(replies[0]);
    await Promise.all(Array.from({ length: 5 }, () => activateUser(db, stepsFor(userId).activate, userId)));
    expect(await eventsOf(db, userId)).toHaveLength(1);
  });

  test('the profile of an active user is not made anew', async () => {
    const userId = await activeUser(db);
    await updateProfile(db, undefined, userId, { firstName: 'Augusta' });
    const again = await createProfile(db, step(`user:${userId}/late`), userId);
    expect(again.body).toMatchObject({ displayName: 'Augusta Lovelace' });
  });

  test('a user without a profile is not activated', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    await expect(activateUser(db, stepsFor(userId).activate, userId)).rejects.toMatchObject({ code: 'invalid_state' });
  });

  test('steps for a user that does not exist are refused, undos are harmless', async () => {
    const userId = uuidv7();
    await expect(createProfile(db, stepsFor(userId).profile, userId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(activateUser(db, stepsFor(userId).activate, userId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(readUser(db, userId)).rejects.toMatchObject({ code: 'not_found' });
    expect(await removeProfile(db, stepsFor(userId).unprofile, userId)).toMatchObject({ status: 204 });
    expect(await removeUser(db, stepsFor(userId).remove, userId)).toMatchObject({ status: 204 });
  });

  test('an undo that overtakes its step keeps the step from happening', async () => {
    const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
    await removeProfile(db, stepsFor(userId).unprofile, userId);
    await expect(createProfile(db, stepsFor(userId).profile, userId)).rejects.toMatchObject({ code: 'undone' });
    expect(await db.select().from(userProfiles).where(eq(userProfiles.userId, userId))).toEqual([]);
  });

  test('after the undos nothing is left of the user and the address registers again at once, under a new id', async () => {
    const email = uniqueEmail();
    const { userId } = await storePendingUser(db, newUser(email));
    await createProfile(db, stepsFor(userId).profile, userId);
    await issueEmailVerification(db, userId, 'key', deriveKey('s', 'p'));
    await removeProfile(db, stepsFor(userId).unprofile, userId);
    await removeUser(db, stepsFor(userId).remove, userId);
    await removeUser(db, stepsFor(userId).remove, userId);
    expect(await db.select().from(users).where(eq(users.id, userId))).toEqual([]);
    expect(await db.select().from(userProfiles).where(eq(userProfiles.userId, userId))).toEqual([]);
    expect(await db.select().from(emailVerifications).where(eq(emailVerifications.userId, userId))).toEqual([]);
    expect(await eventsOf(db, userId)).toEqual([]);
    expect((await storePendingUser(db, newUser(email))).userId).not.toBe(userId);
  });

  test('an active user is never undone', async () => {
    const userId = await activeUser(db);
    await expect(removeProfile(db, stepsFor(userId).unprofile, userId)).rejects.toMatchObject({
      code: 'invalid_state',
    });
    await expect(removeUser(db, stepsFor(userId).remove, userId)).rejects.toMatchObject({ code: 'invalid_state' });
    expect(await readUser(db, userId)).toMatchObject({ status: 'active', profile: { firstName: 'Ada' } });
  });

  test('activation and removal at once end in one of both, whole', async () => {
    for (let round = 0; round < 5; round++) {
      const { userId } = await storePendingUser(db, newUser(uniqueEmail()));
      await createProfile(db, stepsFor(userId).profile, userId);
      const [activated, removed] = await Promise.allSettled([
        activateUser(db, stepsFor(userId).activate, userId),
        removeUser(db, stepsFor(userId).remove, userId),
      ]);
      const rows = await db.select().from(users).where(eq(users.id, userId));
      expect(activated.status === 'fulfilled').toBe(removed.status === 'rejected');
      expect(rows).toHaveLength(activated.status === 'fulfilled' ? 1 : 0);
      expect(await eventsOf(db, userId)).toHaveLength(rows.length);
    }
  });
});
