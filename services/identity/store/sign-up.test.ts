import { createChanges } from '../../../platform/changes';
import { createLogger } from '../../../platform/telemetry';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, expire, newUser, stepsFor, uniqueEmail } from '../../../tests/support/users';
import { activateUser, createProfile, removeUser } from './saga-steps';
import { markSagaStarted, releasePendingUser, storePendingUser } from './sign-up';
import { findByEmail, findUser, readUser } from './users';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

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
    const signUp = await storePendingUser(db, newUser(email));
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
    expect(await markSagaStarted(db, signUp)).toBe(true);
    await expire(db, signUp.userId);
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
    const active = uniqueEmail();
    await expire(db, await activeUser(db, active));
    await expect(storePendingUser(db, newUser(active))).rejects.toMatchObject({ code: 'email_taken' });
  });

  test('a pending user whose saga never started is taken over: same id, new data', async () => {
    const email = uniqueEmail();
    const crashed = await storePendingUser(db, newUser(email));
    await expire(db, crashed.userId);
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
    const signUp = await storePendingUser(db, newUser(email));
    await releasePendingUser(db, signUp);
    expect((await storePendingUser(db, newUser(email))).userId).toBe(signUp.userId);
  });

  test('of ten take-overs at once exactly one wins', async () => {
    const email = uniqueEmail();
    await releasePendingUser(db, await storePendingUser(db, newUser(email)));
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => storePendingUser(db, newUser(email))));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('a registration that was taken over is told so when it comes to mark its saga', async () => {
    const email = uniqueEmail();
    const slow = await storePendingUser(db, newUser(email));
    await expire(db, slow.userId);
    const next = await storePendingUser(db, newUser(email));
    expect(await markSagaStarted(db, slow)).toBe(false);
    await releasePendingUser(db, slow); // is no longer its to release
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
    expect(await markSagaStarted(db, next)).toBe(true);
  });

  test('once the saga has done a step nobody takes the user over, although the start was never marked', async () => {
    const email = uniqueEmail();
    const { userId } = await storePendingUser(db, newUser(email));
    await createProfile(db, stepsFor(userId).profile, userId);
    await expire(db, userId);
    await expect(storePendingUser(db, newUser(email))).rejects.toMatchObject({ code: 'email_taken' });
  });

  test('an address that is being removed is free or taken, and never an error of the database', async () => {
    const email = uniqueEmail();
    for (let round = 0; round < 10; round++) {
      const { userId } = await storePendingUser(db, newUser(email));
      const [next] = await Promise.allSettled([
        storePendingUser(db, newUser(email)),
        removeUser(db, stepsFor(userId).remove, userId),
      ]);
      if (next.status === 'rejected') expect(next.reason).toMatchObject({ code: 'email_taken' });
      else await removeUser(db, stepsFor(next.value.userId).remove, next.value.userId);
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
      () => findUser(db, userId),
      (user) => user?.status !== 'pending',
    ),
  );
  await createProfile(db, stepsFor(kept).profile, kept);
  await activateUser(db, stepsFor(kept).activate, kept);
  await removeUser(db, stepsFor(undone).remove, undone);
  expect((await Promise.all(waiting)).map((user) => user?.status)).toEqual(['active', undefined]);
});
