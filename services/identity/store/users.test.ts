import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, eventsOf, registration } from '../../../tests/support/users';
import { readInternalUser, readPair, updateProfile } from './users';

let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

test('two people are read at once, in the order that was asked for, or not at all', async () => {
  const [one, two] = [await activeUser(db), await activeUser(db)];
  const [first, second] = await Promise.all([readInternalUser(db, two), readInternalUser(db, one)]);
  expect(await readPair(db, two, one)).toEqual({ first, second });
  expect(await readPair(db, one, one)).toEqual({ first: second, second });
  await expect(readPair(db, one, uuidv7())).rejects.toMatchObject({ code: 'not_found' });
});

describe('changing a profile', () => {
  test('stores what was sent, leaves the rest and tells that it has, not what it is', async () => {
    const userId = await activeUser(db);
    const reply = await updateProfile(db, undefined, userId, {
      lastName: 'King',
      avatarUrl: 'https://cdn.example/a.png',
    });
    expect(reply.body.profile).toEqual({ ...registration, lastName: 'King', avatarUrl: 'https://cdn.example/a.png' });
    const told = (await eventsOf(db, userId)).at(-1);
    expect(told).toMatchObject({ version: 2, type: 'UserProfileUpdated' });
    expect(told?.data).toEqual({ userId, participantIds: [userId] });
  });

  test('ten changes at once leave ten events in a row', async () => {
    const userId = await activeUser(db);
    const changes = Array.from({ length: 10 }, (_, n) =>
      updateProfile(db, undefined, userId, { firstName: `Ada ${n}` }),
    );
    await Promise.all(changes);
    expect((await eventsOf(db, userId)).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test('a user who is gone has no profile to change', async () => {
    await expect(updateProfile(db, undefined, uuidv7(), { firstName: 'X' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
