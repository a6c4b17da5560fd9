import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser, newUser, uniqueEmail } from '../../../tests/support/users';
import { listContacts, readContact } from './contacts';
import { storePendingUser } from './sign-up';
import { updateProfile } from './users';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('identity');
});
afterAll(() => database.drop());

async function listed(limit: number): Promise<string[][]> {
  const pages: string[][] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const { items, next } = await listContacts(database.db, { after, limit });
    pages.push(items.map(({ userId }) => userId));
    after = next;
  }
  return pages;
}

test('everybody who is active is on one page, and nobody whose sign-up may still be undone', async () => {
  const { userId: pending } = await storePendingUser(database.db, newUser(uniqueEmail()));
  const active: string[] = [];
  for (let people = 0; people < 5; people++) active.push(await activeUser(database.db));
  for (const limit of [1, 2, 5, 500]) {
    const pages = await listed(limit);
    expect(pages.flat()).toEqual(active);
    expect(pages.filter((page) => page.length > limit || page.length === 0)).toEqual([]);
  }
  expect(await readContact(database.db, pending)).toMatchObject({
    userId: pending,
    name: 'Ada Lovelace',
    locale: 'de',
  });
});

test('each change of account or profile makes a contact newer', async () => {
  const userId = await activeUser(database.db);
  const read = () => readContact(database.db, userId);
  const first = await read();
  await updateProfile(database.db, undefined, userId, { lastName: 'King', locale: 'en' });
  const second = await read();
  expect(second).toMatchObject({ name: 'Ada King', locale: 'en', emailVerified: false });
  await database.sql`update users set email_verified_at = now(), updated_at = now() + interval '1 second' where id = ${userId}`;
  const third = await read();
  expect(third.emailVerified).toBe(true);
  const times = [first, second, third].map(({ asOf }) => Date.parse(asOf));
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  expect(new Set(times).size).toBe(3);
});
