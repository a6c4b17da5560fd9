import { randomBytes } from 'node:crypto';
import { uuidv7 } from '../../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import { activeUser, newUser, uniqueEmail } from '../../../../tests/support/users';
import { hashToken } from '../../secrets';
import { openSession } from '../../store/sessions';
import { storePendingUser } from '../../store/sign-up';
import type { Claims } from '../rules';
import { linkByAddress, linkIdentity, listIdentities, unlinkIdentity, useIdentity } from './identities';
import { keepClaims, readClaims, spendTransaction, storeTransaction } from './transactions';

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});
afterAll(() => database.drop());

const [key, another] = [randomBytes(32), randomBytes(32)];
const APP = 'https://app.example/back';
const claimsOf = (change: Partial<Claims> = {}): Claims => ({
  ...{ issuer: 'https://idp.example', subject: uuidv7(), email: uniqueEmail(), emailVerified: true },
  ...{ firstName: 'Grace', lastName: 'Hopper', ...change },
});
const invalid = { code: 'invalid_token' };

async function begun() {
  const verifier = uuidv7();
  const input = { provider: 'google', userId: null, redirectUri: APP, wishes: { locale: 'de' } };
  const secrets = { state: uuidv7(), nonce: uuidv7(), codeVerifier: uuidv7() };
  const { transactionId } = await storeTransaction(db, key, { ...input, verifierHash: hashToken(verifier), secrets });
  return { named: { transactionId, provider: 'google', verifier }, secrets };
}

test('of two who spend a transaction at once one does', async () => {
  const { named, secrets } = await begun();
  const spend = () => spendTransaction(db, key, named, { calledAt: APP, userId: null });
  const ends = await Promise.allSettled([spend(), spend()]);
  const [won] = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(won).toEqual({ secrets, wishes: { locale: 'de' } });
});

test('what was sealed under a secret of before is void', async () => {
  const { named } = await begun();
  await expect(spendTransaction(db, another, named, { calledAt: APP, userId: null })).rejects.toMatchObject(invalid);
  await keepClaims(db, key, named.transactionId, claimsOf());
  await expect(readClaims(db, another, named)).rejects.toMatchObject(invalid);
  await expect(readClaims(db, key, named)).resolves.toMatchObject({ wishes: { locale: 'de' } });
});

test('nothing is linked to an account that is gone', async () => {
  const nobody = { userId: uuidv7(), sessionId: uuidv7() };
  await expect(linkIdentity(db, nobody, 'google', claimsOf())).rejects.toMatchObject({ code: 'not_found' });
});

test('of two sign-ups by one sign-in at once one is made', async () => {
  const { issuer, subject } = claimsOf();
  const identity = { provider: 'google', issuer, subject, email: null };
  const signUp = () => storePendingUser(db, { ...newUser(uniqueEmail()), passwordHash: null, identity });
  const ends = await Promise.allSettled([signUp(), signUp()]);
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
});

test('who signs in for the first time twice at once is known the second time', async () => {
  const claims = claimsOf();
  const { userId } = await storePendingUser(db, {
    ...{ ...newUser(claims.email ?? ''), passwordHash: null, isEmailProven: true },
    identity: { provider: 'google', issuer: claims.issuer, subject: claims.subject, email: claims.email },
  });
  expect(await listIdentities(db, userId)).toMatchObject([{ lastUsedAt: null }]);
  expect(await linkByAddress(db, 'google', claims)).toMatchObject({ userId });
});

test('a registration that takes an address over takes no sign-in with it', async () => {
  const claims = claimsOf();
  const { email, issuer, subject } = claims;
  const user = newUser(email ?? '');
  await storePendingUser(db, { ...user, passwordHash: null, identity: { provider: 'google', issuer, subject, email } });
  await database.sql`update users set attempt_until = now() - interval '1 second' where email = ${email}`;
  const { userId } = await storePendingUser(db, user);
  expect(await listIdentities(db, userId)).toEqual([]);
  expect(await useIdentity(db, claims)).toBeUndefined();
});

test('a sign-in that is unlinked meanwhile opens no session that stays', async () => {
  const userId = await activeUser(db);
  for (let round = 0; round < 5; round++) {
    const { id: identityId } = await linkIdentity(db, { userId, sessionId: uuidv7() }, 'google', claimsOf());
    const device = { userAgent: null, address: '203.0.113.7' };
    const ends = await Promise.allSettled([
      openSession(db, { userId, isFirst: false, proof: { identityId }, ...device }),
      unlinkIdentity(db, { userId, sessionId: uuidv7() }, identityId),
    ]);
    expect(ends[1]?.status).toBe('fulfilled');
    const open = await database.sql`select 1 from user_sessions where user_id = ${userId} and ended_at is null`;
    expect(open).toHaveLength(0);
  }
});
