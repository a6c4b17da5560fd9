import { loginAddresses } from '../../../db/schema/identity';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { activeUser } from '../../../tests/support/users';
import { forgetOldAddresses, isKnownAddress, rememberAddress } from './login-addresses';
import { readUser } from './users';

const key = deriveKey('a secret of the platform', 'login-addresses');
const otherKey = deriveKey('another secret', 'login-addresses');
let database: TestDatabase;
let db: TestDatabase['db'];

beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});

afterAll(() => database.drop());

async function person() {
  const id = await activeUser(db);
  return { id, email: (await readUser(db, id)).email };
}

test('an address is known to the account that signed in from it, and its whole IPv6 network with it', async () => {
  const [ada, grace] = [await person(), await person()];
  await rememberAddress(db, key, ada.id, '203.0.113.1');
  await rememberAddress(db, key, ada.id, '2001:db8::1');
  expect(await isKnownAddress(db, key, ada.email.toUpperCase(), '203.0.113.1')).toBe(true);
  expect(await isKnownAddress(db, key, ada.email, '2001:db8::ffff')).toBe(true);
  expect(await isKnownAddress(db, key, ada.email, '203.0.113.2')).toBe(false);
  expect(await isKnownAddress(db, key, ada.email, '2001:db8:0:1::1')).toBe(false);
  expect(await isKnownAddress(db, key, grace.email, '203.0.113.1')).toBe(false);
  expect(await isKnownAddress(db, key, 'nobody', '203.0.113.1')).toBe(false);
});

test('what is kept is of no use to who reads it without the key', async () => {
  const { id, email } = await person();
  await rememberAddress(db, key, id, '203.0.113.77');
  expect(JSON.stringify(await db.select().from(loginAddresses))).not.toContain('203.0.113');
  expect(await isKnownAddress(db, otherKey, email, '203.0.113.77')).toBe(false);
});

test('an address is known for ninety days after the last login, and then forgotten', async () => {
  const { id, email } = await person();
  await rememberAddress(db, key, id, '203.0.113.1');
  await rememberAddress(db, key, id, '203.0.113.2');
  await database.sql`update login_addresses set last_login_at = now() - interval '91 days' where user_id = ${id}`;
  expect(await isKnownAddress(db, key, email, '203.0.113.1')).toBe(false);
  await rememberAddress(db, key, id, '203.0.113.1');
  expect(await isKnownAddress(db, key, email, '203.0.113.1')).toBe(true);
  await forgetOldAddresses(db);
  expect(await database.sql`select from login_addresses where user_id = ${id}`).toHaveLength(1);
});

test('what is known of a person goes with them', async () => {
  const { id } = await person();
  await rememberAddress(db, key, id, '203.0.113.1');
  await database.sql`delete from users where id = ${id}`;
  expect(await database.sql`select from login_addresses where user_id = ${id}`).toEqual([]);
});
