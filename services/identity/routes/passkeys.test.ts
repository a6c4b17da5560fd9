import { decodeJwt } from 'jose';
import { uuidv7 } from '../../../platform/ids';
import { type Accounts, expectProblem, password, startAccounts } from '../../../tests/support/accounts';
import { enrolled } from '../../../tests/support/second-factor';
import { softwareAuthenticator } from '../../../tests/support/software-authenticator';

let accounts: Accounts;
beforeAll(async () => {
  accounts = await startAccounts();
});
afterEach(() => accounts.settle());
afterAll(() => accounts.close());

const ask = (method: string, path: string, token: string | undefined, body?: object) =>
  accounts.service.ask(method, `/api/auth/${path}`, { ...(token !== undefined && { token }), ...(body && { body }) });
const device = () => softwareAuthenticator(new URL(accounts.service.config.PUBLIC_URL).origin);

/** Somebody who has shown the code of an authenticator. */
async function person() {
  const { email } = (await accounts.signUp()).user;
  return { email, ...(await enrolled(accounts.service, { email, password })) };
}
const begin = async (token: string) => (await ask('POST', 'passkeys/start', token, { password })).body.options;

test('a passkey is added, listed, signs a person in, and is removed', async () => {
  const { email, token } = await person();
  const mine = device();
  const begun = await ask('POST', 'passkeys/start', token, { password });
  expect(begun).toMatchObject({ status: 201, headers: { 'cache-control': 'no-store' } });
  expect(begun.body.options.user).toMatchObject({ name: email });
  const added = await ask('POST', 'passkeys', token, { credential: mine.create(begun.body.options) });
  expect(added).toMatchObject({ status: 201, body: { lastUsedAt: null } });
  const list = () => ask('GET', 'passkeys', token);
  expect(await list()).toMatchObject({ status: 200, body: { items: [added.body] } });
  const { challenge } = (await accounts.login(email)).body;
  expect(challenge.methods).toEqual(['totp', 'recovery_code', 'passkey']);
  const signed = { ...mine.get(challenge.passkey), clientExtensionResults: {}, authenticatorAttachment: 'platform' };
  const met = await ask('POST', 'login/challenge', undefined, { challengeId: challenge.id, passkey: signed });
  expect(met.status).toBe(200);
  expect(decodeJwt(met.body.tokens.accessToken).amr).toEqual(['pwd', 'mfa']);
  expect((await list()).body.items[0].lastUsedAt).not.toBeNull();
  const stranger = await person();
  for (const [by, id, status] of [
    [stranger.token, added.body.id, 404],
    [token, uuidv7(), 404],
    [token, added.body.id, 204],
  ])
    expect((await ask('DELETE', `passkeys/${id}`, by)).status).toBe(status);
  expect((await list()).body.items).toEqual([]);
  expect((await accounts.login(email)).body.challenge.methods).toEqual(['totp', 'recovery_code']);
});

test('adding one needs the password, a second factor that was shown, and what the device was asked for', async () => {
  const { email, token } = await person();
  const wrong = await ask('POST', 'passkeys/start', token, { password: 'wrong guess' });
  expect(wrong).toMatchObject({ status: 422, body: { errors: [{ path: 'password' }] } });
  expectProblem(
    await ask('POST', 'passkeys', token, { credential: device().create({ challenge: 'AAAA' }) }),
    409,
    'invalid_state',
  );
  await begin(token);
  const other = await ask('POST', 'passkeys', token, { credential: device().create({ challenge: 'AAAA' }) });
  expect(other).toMatchObject({ status: 422, body: { errors: [{ path: 'credential' }] } });
  const { accessToken } = await accounts.signUp();
  expectProblem(await ask('POST', 'passkeys/start', accessToken, { password }), 409, 'invalid_state');
  await accounts.service.database.sql`update user_sessions set second_factor = null`;
  expectProblem(await ask('POST', 'passkeys/start', token, { password }), 403, 'second_factor_required');
  expect((await accounts.login(email)).status).toBe(202);
});

test('wrong passkeys and wrong codes are counted together', async () => {
  const { email, token } = await person();
  const mine = device();
  await ask('POST', 'passkeys', token, { credential: mine.create(await begin(token)) });
  for (let n = 0; n < 5; n++) {
    const { id: challengeId } = (await accounts.login(email)).body.challenge;
    const proof = n % 2 === 0 ? { code: 'aaaa-aaaa-aaaa-aaaa' } : { passkey: mine.get({ challenge: 'AAAA' }) };
    expectProblem(
      await ask('POST', 'login/challenge', undefined, { challengeId, ...proof }),
      401,
      'invalid_credentials',
    );
  }
  const { id: challengeId, passkey } = (await accounts.login(email)).body.challenge;
  const late = await ask('POST', 'login/challenge', undefined, { challengeId, passkey: mine.get(passkey) });
  expectProblem(late, 429, 'rate_limited');
});

test.each([
  {},
  { code: '123456', passkey: {} },
  { passkey: {} },
  { passkey: { id: 'a', rawId: 'a', type: 'public-key' } },
])('the proof %j is none', async (proof) => {
  const reply = await ask('POST', 'login/challenge', undefined, { challengeId: 'c', ...proof });
  expectProblem(reply, 422, 'validation_failed');
});
