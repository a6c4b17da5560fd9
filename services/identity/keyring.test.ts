import { eq, sql } from 'drizzle-orm';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { signingKeys } from '../../db/schema/identity';
import type { User } from '../../platform/auth';
import { uuidv7 } from '../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { createKeyring, identityKey, rotateSigningKey } from './keyring';
import { ensureKey, forgetOldSigningKeys, readKeys } from './store/signing-keys';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase('identity');
});

afterEach(() => database.drop());

const config = { IDENTITY_KEY_SECRET: 'the secret of identity in this test' };
const otherConfig = { IDENTITY_KEY_SECRET: 'the secret of identity after a change' };
const user = (): User => ({ id: uuidv7(), role: 'student', sessionId: uuidv7(), amr: ['pwd'] });
const start = (settings = config) => createKeyring({ config: settings, database });
const stored = () => database.db.select().from(signingKeys);
const rotate = (compromised = false, settings = config) =>
  rotateSigningKey({ config: settings, database }, { compromised });
/** Moves all that happened `minutes` back in time. */
const letPass = (minutes: number) =>
  database.db.update(signingKeys).set({
    createdAt: sql`${signingKeys.createdAt} - make_interval(mins => ${minutes})`,
    retiredAt: sql`${signingKeys.retiredAt} - make_interval(mins => ${minutes})`,
  });
const kidOf = (token: string) => decodeProtectedHeader(token).kid;

test('ten instances that start at once make one key and trust each other', async () => {
  const instances = Array.from({ length: 10 }, () => start());
  const someone = user();
  const tokens = await Promise.all(instances.map((instance) => instance.sign(someone)));
  expect(await stored()).toHaveLength(1);
  for (const [n, { accessToken }] of tokens.entries()) {
    expect(await instances[(n + 1) % 10]?.verify(accessToken)).toEqual(someone);
  }
});

test('an access token says who, with which role and session, for 15 minutes, and by which key', async () => {
  const someone = user();
  const { accessToken, accessTokenExpiresAt } = await start().sign(someone);
  const claims = decodeJwt(accessToken);
  expect(claims).toMatchObject({
    sub: someone.id,
    role: 'student',
    sid: someone.sessionId,
    amr: ['pwd'],
    iss: 'tutorconnect',
    aud: 'tutorconnect-api',
  });
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(900);
  expect(Date.parse(accessTokenExpiresAt)).toBe((claims.exp ?? 0) * 1_000);
  expect(decodeProtectedHeader(accessToken)).toEqual({ alg: 'ES256', kid: (await stored())[0]?.kid, typ: 'JWT' });
});

test('the private half is stored encrypted and published nowhere', async () => {
  const keyring = start();
  const [published] = await keyring.published();
  expect(Object.keys(published ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  const [row] = await stored();
  expect(JSON.stringify(row?.privateJwk)).not.toMatch(/"d"|"kty"/);
  expect(Object.keys(row?.privateJwk ?? {}).sort()).toEqual(['ciphertext', 'iv', 'tag']);
});

test('a new key is published at once, signs after fifteen minutes, and the old one is verified with for an hour more', async () => {
  const { accessToken: before } = await start().sign(user());
  const fresh = await rotate();
  expect((await start().published()).map(({ kid }) => kid)).toEqual([kidOf(before), fresh]);
  expect(kidOf((await start().sign(user())).accessToken)).toBe(kidOf(before));

  await letPass(16);
  expect(kidOf((await start().sign(user())).accessToken)).toBe(fresh);
  await expect(start().verify(before)).resolves.toBeDefined();

  await letPass(61);
  expect((await start().published()).map(({ kid }) => kid)).toEqual([fresh]);
  await expect(start().verify(before)).rejects.toMatchObject({ code: 'unauthenticated' });
  await forgetOldSigningKeys(database.db);
  expect(await stored()).toHaveLength(1);
});

test('two rotations at once leave one key that goes on signing', async () => {
  await start().ready();
  await Promise.all([rotate(), rotate()]);
  const keys = await stored();
  expect(keys).toHaveLength(3);
  expect(keys.filter(({ retiredAt }) => retiredAt === null)).toHaveLength(1);
  await letPass(16);
  await expect(start().sign(user())).resolves.toBeDefined();
});

test('after a compromise no token of the old key is accepted by an instance that reads the keys', async () => {
  const { accessToken } = await start().sign(user());
  const fresh = await rotate(true);
  const restarted = start();
  await expect(restarted.verify(accessToken)).rejects.toMatchObject({ code: 'unauthenticated' });
  expect(kidOf((await restarted.sign(user())).accessToken)).toBe(fresh);
});

test('an instance learns of a key made elsewhere when it meets one of its tokens', async () => {
  const running = start();
  await running.ready();
  await rotate();
  await letPass(16);
  const someone = user();
  const { accessToken } = await start().sign(someone);
  const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 6_000);
  try {
    expect(await running.verify(accessToken)).toEqual(someone);
  } finally {
    clock.mockRestore();
  }
});

test('without its secret identity does not start, and says what to set', () => {
  expect(() => createKeyring({ config: { IDENTITY_KEY_SECRET: undefined }, database })).toThrow(
    'identity has no IDENTITY_KEY_SECRET, which its signing keys are encrypted with: set it to 32 or more random characters',
  );
});

test('a rotation with another secret than identity’s is refused, and nothing is changed', async () => {
  await start().ready();
  const before = await stored();
  for (const compromised of [false, true]) {
    await expect(rotate(compromised, otherConfig)).rejects.toThrow('opens none of the signing keys');
  }
  expect(await stored()).toEqual(before);
});

test('the first key can be made by a rotation', async () => {
  const fresh = await rotate();
  expect(kidOf((await start().sign(user())).accessToken)).toBe(fresh);
});

test('a changed secret makes a new key and ends no token; old and new instances go on side by side', async () => {
  const old = start();
  const before = await old.sign(user());
  const changed = start(otherConfig);
  const after = await changed.sign(user());
  expect(kidOf(after.accessToken)).not.toBe(kidOf(before.accessToken));
  await expect(changed.verify(before.accessToken)).resolves.toBeDefined();
  await expect(start().verify(after.accessToken)).resolves.toBeDefined();
  expect(kidOf((await start().sign(user())).accessToken)).toBe(kidOf(before.accessToken));
  expect(await stored()).toHaveLength(2);
});

test('what a secret encrypted that was changed is trusted no longer than any retired key', async () => {
  const before = await start().sign(user());
  await start(otherConfig).ready();
  await letPass(77);
  const restarted = start(otherConfig);
  await expect(restarted.verify(before.accessToken)).rejects.toMatchObject({ code: 'unauthenticated' });
  const after = await restarted.sign(user());
  expect((await restarted.published()).map(({ kid }) => kid)).toEqual([kidOf(after.accessToken)]);
});

test('a key whose ciphertext was swapped with another one’s is not signed with', async () => {
  await start().ready();
  const [row] = await stored();
  await database.db
    .update(signingKeys)
    .set({ kid: 'renamed' })
    .where(eq(signingKeys.kid, row?.kid ?? ''));
  expect(kidOf((await start().sign(user())).accessToken)).not.toBe('renamed');
});

test('a database out of reach is an error to try again after, and the next request reads the keys', async () => {
  const keyring = start();
  await database.sql`alter table signing_keys rename to away`;
  await expect(keyring.sign(user())).rejects.toThrow();
  await database.sql`alter table away rename to signing_keys`;
  await expect(keyring.sign(user())).resolves.toBeDefined();
});

test('a usable key is left alone when another instance asks for one', async () => {
  await ensureKey(database.db, identityKey(config, 'signing-keys'), () => true);
  await ensureKey(database.db, identityKey(config, 'signing-keys'), () => true);
  expect(await readKeys(database.db)).toHaveLength(1);
});

test('what is no token at all is refused as one that is not valid', async () => {
  await expect(start().verify('not.a.token')).rejects.toMatchObject({ code: 'unauthenticated' });
});
