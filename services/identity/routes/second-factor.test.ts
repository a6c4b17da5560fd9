import { decodeJwt } from 'jose';
import { codeOf } from '../../../dev/machine/authenticator';
import { type Accounts, expectProblem, password, startAccounts } from '../../../tests/support/accounts';
import { type Enrolled, enrolled, nextCode } from '../../../tests/support/second-factor';

let accounts: Accounts;
beforeAll(async () => {
  accounts = await startAccounts();
});
afterEach(() => accounts.settle());
afterAll(() => accounts.close());

const post = (path: string, body: object, token?: string) =>
  accounts.service.ask('POST', `/api/auth/${path}`, { body, ...(token !== undefined && { token }) });
const meet = (challengeId: string, code: string) => post('login/challenge', { challengeId, code });
const remove = (body: object, token: string) => accounts.service.ask('DELETE', '/api/auth/totp', { body, token });
const fieldsOf = ({ body }: { body: { errors?: { path: string }[] } }) => body.errors?.map(({ path }) => path);
const WRONG = 'aaaa-aaaa-aaaa-aaaa';

/** Somebody who has a second factor. */
async function protectedPerson(): Promise<Enrolled & { id: string; email: string }> {
  const { user } = await accounts.signUp();
  const { id, email } = user;
  return { id, email, ...(await enrolled(accounts.service, { email, password })) };
}
const challengeId = async (email: string): Promise<string> => (await accounts.login(email)).body.challenge.id;

describe('a login', () => {
  test('of who has a second factor is answered by a challenge, and its code by tokens that say so', async () => {
    const { email, secret, id } = await protectedPerson();
    const { status, body, headers } = await accounts.login(email);
    expect([status, headers['cache-control']]).toEqual([202, 'no-store']);
    expect(body).toEqual({
      challenge: { id: expect.any(String), methods: ['totp', 'recovery_code'], expiresAt: expect.any(String) },
    });
    const met = await meet(body.challenge.id, nextCode(secret));
    expect(met).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' }, body: { user: { id, email } } });
    const { accessToken, refreshToken } = met.body.tokens;
    const refreshed = (await accounts.refresh(refreshToken)).body.tokens;
    for (const token of [accessToken, refreshed.accessToken])
      expect(decodeJwt(token).amr).toEqual(['pwd', 'otp', 'mfa']);
    expect((await accounts.me(refreshed.accessToken)).status).toBe(200);
  });

  test('by a recovery code is none by an authenticator', async () => {
    const { email, recoveryCodes } = await protectedPerson();
    const [code = ''] = recoveryCodes;
    const { body } = await meet(await challengeId(email), code);
    expect(decodeJwt(body.tokens.accessToken).amr).toEqual(['pwd', 'mfa']);
    expectProblem(await meet(await challengeId(email), code), 401, 'invalid_credentials');
  });

  test('with a wrong password is told nothing of a second factor', async () => {
    const { email } = await protectedPerson();
    const [known, unknown] = [
      await accounts.login(email, 'wrong guess'),
      await accounts.login(`no-${email}`, 'wrong guess'),
    ];
    for (const reply of [known, unknown]) expectProblem(reply, 401, 'invalid_credentials');
    expect({ ...known.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
  });

  test('has five tries in a quarter of an hour for all its challenges together, and the right code comes too late', async () => {
    const { email, secret, token } = await protectedPerson();
    for (let n = 4; n >= 0; n--) {
      const refused = await meet(await challengeId(email), WRONG);
      expectProblem(refused, 401, 'invalid_credentials');
      expect(refused.headers.ratelimit).toMatch(new RegExp(`^"second-factor";r=${n};t=\\d+$`));
    }
    const late = await meet(await challengeId(email), nextCode(secret));
    expectProblem(late, 429, 'rate_limited');
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(800);
    expectProblem(await remove({ password, code: nextCode(secret) }, token), 429, 'rate_limited');
    await accounts.service.database.sql`update rate_limits set expire = 0 where key like 'second-factor:%'`;
    expect((await meet(await challengeId(email), nextCode(secret))).status).toBe(200);
  });

  test('that succeeds costs no try', async () => {
    const { email, recoveryCodes } = await protectedPerson();
    for (const code of recoveryCodes.slice(0, 7)) expect((await meet(await challengeId(email), code)).status).toBe(200);
  });

  test('with a challenge that is none costs nobody a try', async () => {
    const { email, secret } = await protectedPerson();
    for (let n = 0; n < 6; n++) expectProblem(await meet('guessed', nextCode(secret)), 401, 'invalid_credentials');
    expect((await meet(await challengeId(email), nextCode(secret))).status).toBe(200);
  });
});

describe('a second factor', () => {
  test('is set up with the password and the first code', async () => {
    const { user, accessToken: token, refreshToken } = await accounts.signUp();
    const elsewhere = (await accounts.login(user.email)).body.tokens.accessToken;
    const refused = await post('totp', { password: 'wrong guess' }, token);
    expectProblem(refused, 422, 'validation_failed');
    expect(fieldsOf(refused)).toEqual(['password']);
    const { status, body, headers } = await post('totp', { password }, token);
    expect([status, headers['cache-control']]).toEqual([201, 'no-store']);
    expect(new URL(body.otpauthUri).searchParams.get('secret')).toBe(body.secret);
    expect(fieldsOf(await post('totp/confirm', { code: '1234' }, token))).toEqual(['code']);
    expect((await accounts.login(user.email)).status).toBe(200);
    const confirmed = await post('totp/confirm', { code: codeOf(body.secret) }, token);
    expect(confirmed).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    expect(confirmed.body.recoveryCodes).toHaveLength(10);
    expectProblem(await accounts.me(elsewhere), 401, 'unauthenticated');
    expect(decodeJwt(token).amr).toEqual(['pwd']);
    const { accessToken } = (await accounts.refresh(refreshToken)).body.tokens;
    expect(decodeJwt(accessToken).amr).toEqual(['pwd', 'otp', 'mfa']);
    expectProblem(await post('totp', { password }, accessToken), 409, 'invalid_state');
    expectProblem(await post('totp/confirm', { code: nextCode(body.secret) }, accessToken), 409, 'invalid_state');
  });

  test('is given up with password and code, and then asked for no more', async () => {
    const { email, secret, token, refreshToken } = await protectedPerson();
    expect(fieldsOf(await remove({ password: 'wrong guess', code: nextCode(secret) }, token))).toEqual(['password']);
    const wrong = await remove({ password, code: WRONG }, token);
    expect(fieldsOf(wrong)).toEqual(['code']);
    expect(wrong.headers.ratelimit).toMatch(/^"second-factor";r=4;/);
    expect(await remove({ password, code: nextCode(secret) }, token)).toMatchObject({ status: 204, body: '' });
    expect((await accounts.me(token)).status).toBe(200);
    expect(decodeJwt((await accounts.refresh(refreshToken)).body.tokens.accessToken).amr).toEqual(['pwd']);
    expect((await accounts.login(email)).status).toBe(200);
    expectProblem(await remove({ password, code: nextCode(secret) }, token), 409, 'invalid_state');
  });

  test('leaves no secret behind in what is stored of requests and told', async () => {
    const { secret, recoveryCodes } = await protectedPerson();
    const { sql } = accounts.service.database;
    const kept = JSON.stringify([await sql`select * from events`, await sql`select * from idempotency_keys`]);
    for (const word of [secret, ...recoveryCodes]) expect(kept).not.toContain(word);
  });
});

describe('an administrator', () => {
  const list = (token: string) => accounts.service.ask('GET', '/api/users', { token });

  test('without a second factor may do nothing but set one up, and then everything', async () => {
    const { user } = await accounts.signUp();
    await accounts.service.database.sql`update users set role = 'admin' where id = ${user.id}`;
    const { accessToken: token, refreshToken } = (await accounts.login(user.email)).body.tokens;
    expectProblem(await list(token), 403, 'second_factor_required');
    expectProblem(
      await accounts.service.ask('PATCH', `/api/users/${user.id}`, { token, body: { firstName: 'Eve' } }),
      ...([403, 'second_factor_required'] as const),
    );
    expect((await accounts.me(token)).body.role).toBe('admin');
    const { secret } = (await post('totp', { password }, token)).body;
    expect((await post('totp/confirm', { code: codeOf(secret) }, token)).status).toBe(200);
    expectProblem(await list(token), 403, 'second_factor_required');
    expect((await list((await accounts.refresh(refreshToken)).body.tokens.accessToken)).status).toBe(200);
  });

  test('who gives it up is signed out at once', async () => {
    const { id, email, secret } = await protectedPerson();
    await accounts.service.database.sql`update users set role = 'admin' where id = ${id}`;
    const { accessToken, refreshToken } = (await meet(await challengeId(email), nextCode(secret))).body.tokens;
    expect((await list(accessToken)).status).toBe(200);
    await accounts.service.database.sql`update totp_factors set last_step = null where user_id = ${id}`;
    expect((await remove({ password, code: codeOf(secret) }, accessToken)).status).toBe(204);
    expectProblem(await list(accessToken), 401, 'unauthenticated');
    expectProblem(await accounts.refresh(refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await list((await accounts.login(email)).body.tokens.accessToken), 403, 'second_factor_required');
  });
});
