import { eq } from 'drizzle-orm';
import { accountMails, events } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { type Accounts, expectProblem, password, startAccounts } from '../../../tests/support/accounts';
import { newUser, uniqueEmail } from '../../../tests/support/users';
import { storePendingUser } from '../store/sign-up';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

const renewed = 'battery horse correct';
const forgot = (email: string) => accounts.service.ask('POST', '/api/auth/forgot-password', { body: { email } });
const reset = (token: string, to = renewed) =>
  accounts.service.ask('POST', '/api/auth/reset-password', { body: { token, password: to } });
const change = (id: string, token: string, body: object) =>
  accounts.service.ask('POST', `/api/users/${id}/change-password`, { token, body });
const resend = (token: string) => accounts.service.ask('POST', '/api/auth/verify-email/resend', { token });

/** The requests for mails whose sagas were started. */
const requests = () =>
  accounts.sagas.started.flatMap(({ type, input }) =>
    type === 'accountMail' && typeof input === 'object' && input !== null && 'requestId' in input
      ? [String(input.requestId)]
      : [],
  );
const linkOf = async (requestId: string) =>
  (await accounts.identity.issueLink(requestId, `account-mail:${requestId}/mail/link`)).link;
const lastToken = async () => (await linkOf(requests().at(-1) ?? ''))?.token ?? '';
/** Somebody who has asked for a new password, and the token that they are sent. */
async function forgetful() {
  const person = await accounts.signUp();
  await forgot(person.user.email);
  return { ...person, token: await lastToken() };
}

describe('forgot-password', () => {
  test('an account, a pending one, none, and a text that is no address: the same bytes, a request and a saga each', async () => {
    const { user } = await accounts.signUp();
    const pending = newUser(uniqueEmail());
    await storePendingUser(accounts.service.database.db, pending);
    const replies = [];
    for (const email of [
      user.email,
      user.email.toUpperCase(),
      pending.email,
      uniqueEmail(),
      'no address',
      'nul \u0000',
    ])
      replies.push(await forgot(email));
    for (const { status, body, headers } of replies) {
      expect({ status, body }).toEqual({ status: 202, body: {} });
      const { date: _, 'x-request-id': __, ...same } = headers;
      expect(same).toEqual(expect.objectContaining({ 'content-length': '2' }));
      expect(Object.keys(headers)).toEqual(Object.keys(replies[0]?.headers ?? {}));
    }
    expect(requests()).toHaveLength(6);
    const begun = [];
    for (const id of requests()) begun.push(await accounts.identity.beginAccountMail(id, `account-mail:${id}/begin`));
    expect(begun.map(({ purpose }) => purpose)).toEqual(['password_reset', 'password_reset', null, null, null, null]);
  });

  test('while Temporal is away it is answered all the same, and the sweep has the mail sent', async () => {
    const { user } = await accounts.signUp();
    accounts.sagas.starting = async () => {
      throw new ProblemError('upstream_unavailable');
    };
    expect((await forgot(user.email)).status).toBe(202);
    expect(requests()).toEqual([]);
    await accounts.service.database.sql`update account_mails set created_at = created_at - interval '1 minute'`;
    await expect(accounts.identity.sweepAccountMails()).rejects.toMatchObject({ code: 'upstream_unavailable' });
    accounts.sagas.starting = async () => undefined;
    const swept = await accounts.identity.sweepAccountMails();
    expect(swept.started).toBeGreaterThan(0);
    expect(swept).toEqual({ found: swept.started, started: swept.started, refused: 0 });
    expect(await linkOf(requests().at(-1) ?? '')).toMatchObject({ userId: user.id });
    expect(await accounts.identity.sweepAccountMails()).toEqual({ found: 0, started: 0, refused: 0 });
  });

  test('above three an hour of one account nothing is stored or sent, and the last link goes on to work', async () => {
    for (const email of [(await accounts.signUp()).user.email, uniqueEmail()]) {
      accounts.sagas.started.length = 0;
      for (let n = 0; n < 5; n++) expect(await forgot(email)).toMatchObject({ status: 202, body: {} });
      expect(requests()).toHaveLength(3);
    }
    const { user } = await accounts.signUp();
    accounts.sagas.started.length = 0;
    for (let n = 0; n < 3; n++) await forgot(user.email);
    const token = await lastToken();
    await forgot(user.email);
    expect((await reset(token)).status).toBe(204);
  });

  test('tells no saga, event or stored request whose address it was', async () => {
    const { user } = await accounts.signUp();
    accounts.sagas.started.length = 0;
    await forgot(user.email);
    await reset(await lastToken());
    const { db } = accounts.service.database;
    const kept = [accounts.sagas.started, await db.select().from(events), await db.select().from(accountMails)];
    expect(JSON.stringify(kept)).not.toContain(user.email);
    expect(JSON.stringify(accounts.sagas.started)).not.toContain(user.id);
  });
});

describe('reset-password', () => {
  test('sets the password, ends all sessions at once and proves the address', async () => {
    const { user, token, accessToken, refreshToken } = await forgetful();
    expect((await reset(token)).status).toBe(204);
    expectProblem(await accounts.me(accessToken), 401, 'unauthenticated');
    expectProblem(await accounts.refresh(refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await accounts.login(user.email), 401, 'invalid_credentials');
    const again = await accounts.login(user.email, renewed);
    expect(again).toMatchObject({ status: 200, body: { user: { id: user.id, emailVerified: true } } });
  });

  test('an unknown, a used and a replaced token are refused with the same words, and nothing changes', async () => {
    const { user, token } = await forgetful();
    await forgot(user.email);
    const newer = await lastToken();
    const refusals = [await reset(token), await reset('no such token')];
    expect((await reset(newer)).status).toBe(204);
    refusals.push(await reset(newer, 'yet another password'));
    for (const refusal of refusals) expectProblem(refusal, 400, 'invalid_token');
    expect(new Set(refusals.map(({ body }) => body.detail)).size).toBe(1);
    expect((await accounts.login(user.email, renewed)).status).toBe(200);
  });

  test('a password that is too short spends no token', async () => {
    const { token } = await forgetful();
    const refused = await reset(token, 'too short');
    expectProblem(refused, 422, 'validation_failed');
    expect(refused.body.errors).toMatchObject([{ path: 'password' }]);
    expect((await reset(token)).status).toBe(204);
  });

  test('of two resets at once one is made', async () => {
    const { user, token } = await forgetful();
    const passwords = ['the first password', 'the second password'];
    const replies = await Promise.all(passwords.map((to) => reset(token, to)));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([204, 400]);
    const won = passwords[replies.findIndex(({ status }) => status === 204)];
    expect((await accounts.login(user.email, won)).status).toBe(200);
  });

  test('the password is the same however its accents are typed', async () => {
    const { user, token } = await forgetful();
    await reset(token, 'cafe\u0301 cafe\u0301 cafe\u0301');
    expect((await accounts.login(user.email, 'caf\u00e9 caf\u00e9 caf\u00e9')).status).toBe(200);
  });
});

describe('change-password', () => {
  const right = { currentPassword: password, newPassword: renewed };

  test('changes it and ends all sessions but this one', async () => {
    const { user, accessToken, refreshToken } = await accounts.signUp();
    const other = (await accounts.login(user.email)).body.tokens;
    expect((await change(user.id, accessToken, right)).status).toBe(204);
    expect((await accounts.me(accessToken)).status).toBe(200);
    expect((await accounts.refresh(refreshToken)).status).toBe(200);
    expectProblem(await accounts.me(other.accessToken), 401, 'unauthenticated');
    expectProblem(await accounts.refresh(other.refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await accounts.login(user.email), 401, 'invalid_credentials');
    expect((await accounts.login(user.email, renewed)).status).toBe(200);
  });

  test.each([
    ['a wrong current password', { ...right, currentPassword: 'wrong password' }, 'currentPassword'],
    ['the same one again', { ...right, newPassword: password }, 'newPassword'],
    ['one that is too short', { ...right, newPassword: 'short' }, 'newPassword'],
  ])('%s is refused at its field, and nothing changes', async (_, body, path) => {
    const { user, accessToken } = await accounts.signUp();
    const refused = await change(user.id, accessToken, body);
    expectProblem(refused, 422, 'validation_failed');
    expect(refused.body.errors).toMatchObject([{ path }]);
    expect((await accounts.login(user.email)).status).toBe(200);
  });

  test('the same one is the same however its accents are typed', async () => {
    const typed = 'cafe\u0301 cafe\u0301 cafe\u0301';
    const { user, accessToken } = await accounts.signUp({ password: typed });
    const refused = await change(user.id, accessToken, { currentPassword: typed, newPassword: typed.normalize('NFC') });
    expect(refused.body.errors).toMatchObject([{ path: 'newPassword' }]);
  });

  test('five are tried in a quarter of an hour, then not even the right one counts', async () => {
    const { user, accessToken } = await accounts.signUp();
    for (let n = 1; n <= 5; n++) {
      const refused = await change(user.id, accessToken, { ...right, currentPassword: `wrong password ${n}` });
      expectProblem(refused, 422, 'validation_failed');
      expect(refused.headers.ratelimit).toMatch(new RegExp(`^"password";r=${5 - n};t=\\d+$`));
    }
    const stopped = await change(user.id, accessToken, right);
    expectProblem(stopped, 429, 'rate_limited');
    expect(Number(stopped.headers['retry-after'])).toBeGreaterThan(60);
    expect((await accounts.login(user.email)).status).toBe(200);
  });

  test('is for one’s own account, and for who is signed in', async () => {
    const [mine, theirs] = [await accounts.signUp(), await accounts.signUp()];
    expectProblem(await change(theirs.user.id, mine.accessToken, right), 404, 'not_found');
    expectProblem(await change(uuidv7(), mine.accessToken, right), 404, 'not_found');
    expectProblem(await change(mine.user.id, 'no token', right), 401, 'unauthenticated');
    expect((await accounts.login(theirs.user.email)).status).toBe(200);
  });

  test('of two at once one is made, the other is told that the password was replaced', async () => {
    const { user, accessToken } = await accounts.signUp();
    const second = (await accounts.login(user.email)).body.tokens.accessToken;
    const replies = await Promise.all([
      change(user.id, accessToken, right),
      change(user.id, second, { ...right, newPassword: 'of the second one' }),
    ]);
    // The loser was refused by its hash, or by its session, which the winner had ended.
    expect(replies.map(({ status }) => status).toSorted()[0]).toBe(204);
    expect([401, 422]).toContain(replies.map(({ status }) => status).toSorted()[1]);
  });
});

describe('verify-email/resend', () => {
  test('has a link sent that proves the address, in place of those before', async () => {
    const { user, accessToken } = await accounts.signUp();
    const before = await accounts.identity.issueEmailVerification(user.id, `user:${user.id}/welcome/token`);
    expect(await resend(accessToken)).toMatchObject({ status: 204, body: '' });
    const token = await lastToken();
    const verify = (body: object) => accounts.service.ask('POST', '/api/auth/verify-email', { body });
    expectProblem(await verify({ token: before.token }), 400, 'invalid_token');
    expect((await verify({ token })).status).toBe(204);
    expect((await accounts.me(accessToken)).body.emailVerified).toBe(true);
  });

  test('has nothing sent where the address is proven, and says the same', async () => {
    const { user, accessToken } = await accounts.signUp();
    await resend(accessToken);
    await accounts.service.ask('POST', '/api/auth/verify-email', { body: { token: await lastToken() } });
    accounts.sagas.started.length = 0;
    expect((await resend(accessToken)).status).toBe(204);
    expect(requests()).toEqual([]);
    const rows = await accounts.service.database.db.select().from(accountMails).where(eq(accountMails.userId, user.id));
    expect(rows).toHaveLength(1);
  });

  test('three times an hour and account', async () => {
    const { accessToken } = await accounts.signUp();
    for (let n = 0; n < 3; n++) expect((await resend(accessToken)).status).toBe(204);
    expectProblem(await resend(accessToken), 429, 'rate_limited');
    expectProblem(await accounts.service.ask('POST', '/api/auth/verify-email/resend'), 401, 'unauthenticated');
  });
});
