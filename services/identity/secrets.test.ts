import { deriveKey } from '../../platform/sealing';
import { hashPassword, verifyPassword } from './passwords';
import { emailToken, hashToken, randomToken } from './secrets';

const key = deriveKey('a secret of the platform', 'signing-keys');

test('tokens have 256 bits and are stored as a hash that does not contain them', () => {
  const token = randomToken();
  expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  expect(randomToken()).not.toBe(token);
  expect(hashToken(token)).not.toContain(token);
  expect(hashToken(token)).toBe(hashToken(token));
});

test('a verification token is the same for the same command, and another for another command, user or secret', () => {
  const token = emailToken(key, 'user-1', 'user:1/verify');
  expect(emailToken(key, 'user-1', 'user:1/verify')).toBe(token);
  expect(emailToken(key, 'user-1', 'user:1/resend')).not.toBe(token);
  expect(emailToken(key, 'user-2', 'user:1/verify')).not.toBe(token);
  expect(emailToken(deriveKey('x', 'y'), 'user-1', 'user:1/verify')).not.toBe(token);
});

test('passwords are stored as argon2id with the parameters OWASP advises, salted', async () => {
  const stored = await hashPassword('correct horse');
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await hashPassword('correct horse')).not.toBe(stored);
  expect(await verifyPassword(stored, 'correct horse')).toBe(true);
  expect(await verifyPassword(stored, 'Correct horse')).toBe(false);
});

test('a password with a NUL in it is not cut there', async () => {
  const stored = await hashPassword('correct\u0000horse');
  expect(await verifyPassword(stored, 'correct\u0000house')).toBe(false);
});

test('refusing an unknown account costs as much work as refusing a wrong password', async () => {
  const stored = await hashPassword('correct horse');
  const rounds = 15;
  const cost = async (hash: string | undefined) => {
    const started = performance.now();
    for (let round = 0; round < rounds; round++) expect(await verifyPassword(hash, 'wrong horse')).toBe(false);
    return (performance.now() - started) / rounds;
  };
  await cost(undefined);
  const [unknown, wrong] = [await cost(undefined), await cost(stored)];
  // An unknown account that is not hashed for answers some hundred times faster; load on the machine moves both alike.
  expect(unknown).toBeGreaterThan(wrong / 3);
  expect(wrong).toBeGreaterThan(unknown / 3);
});
