import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { contactOf } from '../../../tests/support/notifications';
import { keepContacts, readContact } from './contacts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

const read = (userId: string) => readContact(database.db, userId);
const [EARLIER, LATER] = ['2030-01-01T00:00:00.000Z', '2030-01-01T00:00:00.001Z'];

test('of nobody who was not told of it is known where they are reached', async () => {
  expect(await read(uuidv7())).toBeUndefined();
  expect(await keepContacts(database.db, [])).toBe(0);
});

test('what is newer takes the place of what is older, never the other way round, and counts as a change once', async () => {
  const userId = uuidv7();
  const older = contactOf({ userId, asOf: EARLIER, emailVerified: true });
  const newer = contactOf({ userId, asOf: LATER, emailVerified: false, name: 'Grace B. Hopper', locale: 'de' });
  expect(await keepContacts(database.db, [older])).toBe(1);
  expect(await keepContacts(database.db, [newer])).toBe(1);
  const { userId: _, asOf: __, ...kept } = newer;
  for (const again of [older, newer]) {
    expect(await keepContacts(database.db, [again])).toBe(0);
    expect(await read(userId)).toEqual(kept);
  }
});

test('two who bring the same people at once, in other orders, leave the newest of each', async () => {
  const people = Array.from({ length: 40 }, () => uuidv7());
  const older = people.map((userId) => contactOf({ userId, asOf: EARLIER }));
  const newer = people.map((userId) => contactOf({ userId, asOf: LATER }));
  const brought = [older, newer.toReversed(), newer, older.toReversed()];
  const changed = await Promise.all(brought.map((items) => keepContacts(database.db, items)));
  expect(changed.reduce((sum, one) => sum + one)).toBeLessThanOrEqual(2 * people.length);
  for (const { userId, email } of newer) expect(await read(userId)).toMatchObject({ email });
});

test('name, language and zone are what the bus told last, and an address that was shown to be theirs is', async () => {
  const contact = contactOf({ emailVerified: false });
  const { userId, email } = contact;
  await keepContacts(database.db, [contact]);
  await database.sql`insert into people values (${userId}, 1, 'Grace B. Hopper', 'de-DE', 'Europe/Vienna')`;
  const told = { name: 'Grace B. Hopper', locale: 'de-DE', timeZone: 'Europe/Vienna' };
  expect(await read(userId)).toEqual({ email, emailVerified: false, ...told });
  await database.sql`insert into verified_addresses values (${userId}, now())`;
  expect(await read(userId)).toEqual({ email, emailVerified: true, ...told });
});
