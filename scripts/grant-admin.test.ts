import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { codeOf } from '../dev/machine/authenticator';
import { compiledPath } from '../dev/machine/paths';
import { removeDataDir, temporaryDataDir } from '../dev/machine/temporary-data';
import { buildOnce } from '../dev/processes/build-once';
import { identityKey } from '../services/identity/keyring';
import { relyingParty } from '../services/identity/passkeys';
import { challengeOf, meetChallenge } from '../services/identity/store/challenges';
import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { activeUser, uniqueEmail } from '../tests/support/users';

// The operator's command as it is run, on identity's database.

jest.setTimeout(120_000);

const IDENTITY_KEY_SECRET = 'for-the-keys-of-this-test-for-the-keys-of-this-test';
const party = relyingParty('https://tutorconnect.example');
const folder = temporaryDataDir();
let database: TestDatabase;
beforeAll(async () => {
  await buildOnce();
  database = await createTestDatabase('identity');
});
afterAll(async () => {
  await database?.drop();
  removeDataDir(folder);
});

async function grant(...args: string[]): Promise<{ code: number; said: string; complained: string }> {
  const env = {
    ...{ PATH: process.env.PATH ?? '', DATA_DIR: folder, IDENTITY_DATABASE_URL: database.url, IDENTITY_KEY_SECRET },
    SERVICE_TOKEN_SECRET: IDENTITY_KEY_SECRET,
  };
  return promisify(execFile)(process.execPath, [compiledPath('scripts/grant-admin.js'), ...args], {
    cwd: folder,
    env,
  }).then(
    ({ stdout, stderr }) => ({ code: 0, said: stdout, complained: stderr }),
    ({ code, stdout, stderr }) => ({ code, said: stdout, complained: stderr }),
  );
}

/** What the person gives when they sign in opens a session. */
async function opens(userId: string, code: string): Promise<void> {
  const challenge = await challengeOf(database.db, userId, { proof: { passwordHash: 'hash of Ada' }, party });
  const answer = { challengeId: challenge?.id ?? '', code, at: new Date(), userAgent: null, address: '::1' };
  await meetChallenge(database.db, { ...answer, party, key: identityKey({ IDENTITY_KEY_SECRET }, 'totp') });
}

test('the second factor of a new administrator is printed once, and opens a session', async () => {
  const email = uniqueEmail();
  const userId = await activeUser(database.db, email);
  const { code, said } = await grant(email);
  const [uri = ''] = /otpauth:\S+/.exec(said) ?? [];
  const secret = new URL(uri).searchParams.get('secret') ?? 'none';
  const recoveryCodes = said.match(/^ {2}(\w{4}-){3}\w{4}$/gm) ?? [];
  expect({ code, of: said.split(' ')[0] }).toEqual({ code: 0, of: userId });
  // In the address and to be typed.
  expect(said.split(secret)).toHaveLength(3);
  expect(recoveryCodes).toHaveLength(10);
  await opens(userId, codeOf(secret));
  await opens(userId, recoveryCodes[3] ?? '');
  const again = await grant(email);
  expect(again.said).toContain('with the second factor that they have');
  expect(again.said).not.toContain('otpauth:');
  expect((await grant(email, '--new-second-factor')).said).not.toContain(secret);
  await expect(opens(userId, recoveryCodes[4] ?? '')).rejects.toMatchObject({ code: 'invalid_credentials' });
});

test.each([[[]], [['--new-second-factor']], [['a@example.com', '--new']], [['a@example.com', 'b@example.com']]])(
  'the arguments %j make nobody an administrator',
  async (args) => {
    const { code, said, complained } = await grant(...args);
    expect([code, said]).toEqual([1, '']);
    expect(complained).toContain('npm run grant-admin -- somebody@example.com');
  },
);

test('somebody who has no account is told so', async () => {
  expect(await grant(uniqueEmail())).toMatchObject({ code: 1, complained: expect.stringContaining('No active user') });
});
