import type { Database } from '../../../db/client';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { plansOf } from '../../../tests/support/plans';
import { activeUser, newUser, uniqueEmail } from '../../../tests/support/users';
import type { UserQuery } from '../contract';
import { storePendingUser } from './sign-up';
import { listUsers } from './users';

const USERS = 20_000;
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
  await database.sql.unsafe(`
    create table made as select n, uuidv7() as id from generate_series(1, ${USERS}) n;
    insert into users (id, email, password_hash, role, status, attempt_id, attempt_until)
      select id, 'mass.' || n || '@example.com', 'x', case when n % 2 = 0 then 'tutor' else 'student' end, 'active', id, now() from made;
    insert into user_profiles (user_id, first_name, last_name, time_zone, locale)
      select id, 'First' || n % 500, 'Last' || n % 3000, 'UTC', 'en' from made;
    analyze`);
}, 60_000);
afterAll(() => database.drop());

const query = (change: Partial<UserQuery> = {}): UserQuery => ({ limit: 20, ...change });

async function named(firstName: string, lastName: string, email = uniqueEmail()): Promise<string> {
  const id = await activeUser(db, email);
  await database.sql`update user_profiles set first_name = ${firstName}, last_name = ${lastName} where user_id = ${id}`;
  return id;
}
const found = async (q: string) => (await listUsers(db, query({ q, limit: 100 }))).items.map(({ id }) => id);

test('somebody is found by beginnings of words of their name and of their address, in any case', async () => {
  const tag = uuidv7().slice(-8);
  const id = await named('Élodie-Anne', "O'Brien Müller", `elodie.${tag}@example.com`);
  for (const q of ['élo', 'ÉLODIE', 'anne', 'obr', "o'brien", "O'BR", 'brie', 'MÜL elo', 'mül ann', 'Élodie-Anne']) {
    const isOne = !['obr', 'MÜL elo'].includes(q); // no word begins with these
    expect({ q, found: (await found(q)).includes(id) }).toEqual({ q, found: isOne });
  }
  for (const q of [`elodie.${tag}`, `ELODIE.${tag}@EX`, `elodie.${tag}@example.com`])
    expect(await found(q)).toEqual([id]);
  for (const q of ['lodie', `${tag}`, 'élodie smith', `odie.${tag}`]) expect(await found(q)).not.toContain(id);
});

test('somebody who has no profile yet is found by what they registered with', async () => {
  const first = `Grace${uuidv7().slice(-6)}`;
  const { userId } = await storePendingUser(db, newUser(uniqueEmail(), first));
  expect(await found(first.toUpperCase())).toEqual([userId]);
  expect((await listUsers(db, query({ q: first, status: 'active' }))).items).toEqual([]);
  const { items } = await listUsers(db, query({ q: `${first} love`, status: 'pending' }));
  expect(items).toMatchObject([{ id: userId, status: 'pending', profile: { firstName: first } }]);
});

test.each([
  "'",
  "''",
  '\\',
  "\\'",
  ':*',
  "x' | 'first1",
  '! first1',
  'a & b',
  '<->',
  '%',
  '_',
  '-',
  '. .',
  "\\' | 'first1",
])('what looks like a query is only text: %j', async (q) => {
  expect(await found(q)).toEqual([]);
});

test('an address with signs of the query language in it is found', async () => {
  const email = `o'hara\\_${uuidv7()}@example.com`;
  const id = await named('Scarlett', 'Example', email);
  expect(await found(email)).toEqual([id]);
});

test('a search without words is none', async () => {
  expect((await listUsers(db, query({ q: '' }))).items).toHaveLength(20);
});

test('everybody comes once, page by page, newest first, also while others sign up', async () => {
  const mark = `Paged${uuidv7().slice(-6)}`;
  const made: string[] = [];
  for (let n = 0; n < 5; n++) made.push(await named(mark, `Number ${n}`));
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listUsers(db, query({ q: mark, limit: 2, ...(cursor !== undefined && { cursor }) }));
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor ?? undefined;
    await named(mark, 'Newcomer');
  } while (cursor !== undefined);
  expect(seen).toEqual(made.toReversed());
  await expect(listUsers(db, query({ cursor: 'x' }))).rejects.toMatchObject({ code: 'validation_failed' });
});

test('role and status narrow the list', async () => {
  const mark = `Narrow${uuidv7().slice(-6)}`;
  const id = await named(mark, 'Example');
  await database.sql`update users set role = 'admin' where id = ${id}`;
  expect((await listUsers(db, query({ q: mark, role: 'admin' }))).items).toMatchObject([{ id, role: 'admin' }]);
  expect((await listUsers(db, query({ q: mark, role: 'tutor' }))).items).toEqual([]);
});

test.each<[string, Partial<UserQuery>, RegExp]>([
  ['name', { q: 'first123 last' }, /user_profiles_words/],
  ['address', { q: 'mass.123@' }, /users_words/],
  ['page', { cursor: Buffer.from(JSON.stringify(uuidv7())).toString('base64url') }, /users_pkey/],
])('a list by %s reads no whole table', async (_, change, index) => {
  const [plan] = await plansOf(database, (asked) => listUsers(asked, query(change)));
  expect(plan).toMatch(index);
  expect(plan).not.toMatch(/Seq Scan on (users|user_profiles)/);
});

test('a search uses the index of names and that of accounts', async () => {
  const [plan] = await plansOf(database, (asked) => listUsers(asked, query({ q: 'first123' })));
  expect(plan).toMatch(/user_profiles_words/);
  expect(plan).toMatch(/users_words/);
});
