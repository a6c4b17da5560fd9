import { uuidv7 } from '../../platform/ids';
import { createLogger } from '../../platform/telemetry';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { watchSignUps } from './activation.store';
import { activateUser, createProfile, removeUser, storePendingUser } from './store';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase('identity');
});

afterEach(() => database.drop());

const logger = createLogger('test', 'silent');
const step = (key: string) => ({ owner: 'service', key, fingerprint: key });
const inTenSeconds = () => Date.now() + 10_000;

async function pendingUser(): Promise<string> {
  const { userId } = await storePendingUser(database.db, {
    email: `${uuidv7()}@example.com`,
    passwordHash: 'x',
    role: 'student',
    registration: { firstName: 'Ada', lastName: 'L', timeZone: 'UTC', locale: 'en' },
  });
  await createProfile(database.db, step(`user:${userId}/profile`), userId);
  return userId;
}

const activate = (userId: string) => activateUser(database.db, step(`user:${userId}/activate`), userId);
const remove = (userId: string) => removeUser(database.db, step(`user:${userId}/register/undo`), userId);

/** Resolves when a request waits for the user: it has read the row and found it pending. */
async function untilListening(): Promise<void> {
  for (;;) {
    const [row] =
      await database.sql`select 1 from pg_stat_activity where query ilike 'listen %identity_user_changed%' and datname = current_database()`;
    if (row) return;
  }
}

test('a waiting registration learns of activation by notification, well before it would look again', async () => {
  const userId = await pendingUser();
  const signUps = watchSignUps({ database, logger });
  await signUps.outcome(userId, Date.now());
  await untilListening();
  const started = Date.now();
  const outcome = signUps.outcome(userId, inTenSeconds());
  await activate(userId);
  expect(await outcome).toBe('active');
  expect(Date.now() - started).toBeLessThan(900);
});

test('a waiting registration learns of removal', async () => {
  const userId = await pendingUser();
  const outcome = watchSignUps({ database, logger }).outcome(userId, inTenSeconds());
  await remove(userId);
  expect(await outcome).toBe('removed');
});

test('what has ended already is told at once', async () => {
  const [active, removed] = [await pendingUser(), await pendingUser()];
  await activate(active);
  await remove(removed);
  const signUps = watchSignUps({ database, logger });
  expect(await signUps.outcome(active, inTenSeconds())).toBe('active');
  expect(await signUps.outcome(removed, inTenSeconds())).toBe('removed');
});

test('a user who is still pending at the deadline is pending', async () => {
  const userId = await pendingUser();
  const started = Date.now();
  expect(await watchSignUps({ database, logger }).outcome(userId, started + 300)).toBe('pending');
  expect(Date.now() - started).toBeGreaterThanOrEqual(299);
});

test('a lost notification delays the answer by no more than the next look', async () => {
  const userId = await pendingUser();
  const signUps = watchSignUps({ database, logger });
  const outcome = signUps.outcome(userId, inTenSeconds());
  await database.sql`update users set status = 'active' where id = ${userId}`; // tells nobody
  expect(await outcome).toBe('active');
});

test('without a connection to listen on it goes on by looking', async () => {
  const userId = await pendingUser();
  const failing = { db: database.db, sql: { listen: () => Promise.reject(new Error('no connection')) } };
  const signUps = watchSignUps({ database: failing, logger });
  const outcome = signUps.outcome(userId, inTenSeconds());
  await activate(userId);
  expect(await outcome).toBe('active');
});

test('many registrations wait over one connection and each gets its own answer', async () => {
  const signUps = watchSignUps({ database, logger });
  const ids = await Promise.all(Array.from({ length: 8 }, pendingUser));
  const outcomes = ids.map((id) => signUps.outcome(id, inTenSeconds()));
  await Promise.all(ids.map((id, n) => (n % 2 ? activate(id) : remove(id))));
  expect(await Promise.all(outcomes)).toEqual(ids.map((_, n) => (n % 2 ? 'active' : 'removed')));
});

test('an error while looking reaches the request', async () => {
  const signUps = watchSignUps({ database, logger });
  await signUps.outcome(uuidv7(), inTenSeconds());
  await expect(signUps.outcome('no uuid', inTenSeconds())).rejects.toThrow();
});
