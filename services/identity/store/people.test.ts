import { startRelay } from '../../../platform/bus/relay';
import { createChanges } from '../../../platform/changes';
import { deriveKey } from '../../../platform/sealing';
import { createLogger } from '../../../platform/telemetry';
import { readAll, startTestBus, type TestBus } from '../../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { until } from '../../../tests/support/gateway';
import { activeUser, newUser, uniqueEmail } from '../../../tests/support/users';
import { identityPeople } from '../events';
import { peopleOutbox } from './people';
import { grantAdmin } from './roles';
import { storePendingUser } from './sign-up';
import { updateProfile } from './users';

let database: TestDatabase;
let bus: TestBus;
beforeAll(async () => {
  [database, bus] = await Promise.all([createTestDatabase('identity'), startTestBus()]);
});
afterAll(async () => {
  await bus.close();
  await database.drop();
});

const outbox = () => peopleOutbox(database.db);
const waiting = async (userId: string) => (await outbox().unpublished(500)).filter(({ subject }) => subject === userId);

test('a person is published when they are there, and at each change, with what they are then', async () => {
  const userId = await activeUser(database.db);
  const [first] = await waiting(userId);
  expect(first).toMatchObject({ type: 'Person', source: '/identity', streamversion: 1 });
  expect(identityPeople.parse(first?.data)).toEqual({
    ...{ displayName: 'Ada Lovelace', avatarUrl: null, role: 'student', timeZone: 'Europe/Berlin' },
    ...{ locale: 'de', status: 'active' },
  });
  await updateProfile(database.db, undefined, userId, { lastName: 'King' });
  expect((await waiting(userId)).map(({ streamversion, data }) => [streamversion, data?.displayName])).toEqual([
    [2, 'Ada King'],
  ]);
  const [{ email } = { email: '' }] = await database.sql`select email from users where id = ${userId}`;
  await grantAdmin(database.db, email, { key: deriveKey('platform', 'totp') });
  expect((await waiting(userId))[0]).toMatchObject({ streamversion: 3, data: { role: 'admin' } });
});

test('nobody hears of somebody whose sign-up is not done', async () => {
  const { userId } = await storePendingUser(database.db, newUser(uniqueEmail()));
  expect(await waiting(userId)).toEqual([]);
});

test('what changes between the look and the mark is published next', async () => {
  const userId = await activeUser(database.db);
  const looked = await waiting(userId);
  await updateProfile(database.db, undefined, userId, { lastName: 'King' });
  await outbox().published(looked);
  expect((await waiting(userId)).map(({ streamversion }) => streamversion)).toEqual([2]);
  await outbox().published(await waiting(userId));
  await outbox().published(looked);
  expect(await waiting(userId)).toEqual([]);
});

test('of a person who is gone it is said that they are', async () => {
  const userId = await activeUser(database.db);
  await outbox().published(await waiting(userId));
  await database.sql`delete from users where id = ${userId}`;
  await database.sql`update people_published set version = version + 1 where user_id = ${userId}`;
  expect(await waiting(userId)).toMatchObject([{ streamversion: 2, data: null }]);
});

test('the relay is woken by a change, and the bus has each person once', async () => {
  const changes = createChanges(database, createLogger('test', 'silent'));
  const relay = startRelay({
    ...{ bus: bus.appender(), outbox: outbox(), changes, holder: 'test' },
    logger: createLogger('test', 'silent'),
  });
  const userId = await activeUser(database.db);
  for (const lastName of ['King', 'Byron', 'Lovelace-King'])
    await updateProfile(database.db, undefined, userId, { lastName });
  await until(async () => (await outbox().unpublished(500)).length === 0);
  const said = (await readAll(bus.reader(), 'identity.people')).filter(({ event }) => event.subject === userId);
  expect(said.map(({ event }) => event.data?.displayName)).toEqual(['Ada Lovelace-King']);
  await relay.close();
  changes.close();
});
