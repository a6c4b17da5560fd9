import { serviceTokens } from '../../../../platform/auth';
import { createServiceClient } from '../../../../platform/http-client';
import { uuidv7 } from '../../../../platform/ids';
import { type Accounts, expectProblem, form, password, startAccounts } from '../../../../tests/support/accounts';
import { uniqueEmail } from '../../../../tests/support/users';
import { emailChangeSaga } from '../../../../workflows/email-change.api';
import { createEmailChangeClient } from '../client';

// Changes of an address, as people and activities ask for them; the saga is played by the same calls that its activities make.

let accounts: Accounts;
let changes: ReturnType<typeof createEmailChangeClient>;

beforeAll(async () => {
  accounts = await startAccounts();
  const { url, config } = accounts.service;
  changes = createEmailChangeClient(createServiceClient(url, serviceTokens(config.SERVICE_TOKEN_SECRET)));
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

const renewed = 'battery horse correct';
const json = (path: string, body: object, token?: string) =>
  accounts.service.ask('POST', path, { body, ...(token && { token }) });
const operation = (link: 'confirm' | 'revert') => `/api/auth/email-change/${link}`;
const page = (link: 'confirm' | 'revert') => `/api/auth/${link}-email-change`;
const send = (link: 'confirm' | 'revert', fields: Record<string, string>) =>
  accounts.service.ask('POST', page(link), {
    raw: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
const change = (id: string, token: string, body: object) => json(`/api/users/${id}/change-email`, body, token);
const statusOf = async (id: string) => {
  const [row] = await accounts.service.database.sql`select status from email_changes where id = ${id}`;
  return row?.status;
};
const startedOf = () => accounts.sagas.started.filter(({ type }) => type === emailChangeSaga.workflowType);
const keyOf = (id: string, step: string) => `email-change:${id}/${step}`;

/** What the saga does when it hears of a change: what its row asks for. */
const makesIt = async (workflowId: string) => {
  const id = workflowId.replace('email-change:', '');
  const { status } = await changes.look(id);
  if (status === 'confirmed') await changes.make(id, keyOf(id, 'make'));
  if (status === 'reverting') await changes.takeBack(id, keyOf(id, 'take-back'));
  return true;
};

/** Somebody whose address is proven. */
async function proven() {
  const signedUp = await accounts.signUp();
  await accounts.service.database.sql`update users set email_verified_at = now() where id = ${signedUp.user.id}`;
  return signedUp;
}

/** Somebody who has asked for another address, and the token that was sent there. */
async function asked(to = uniqueEmail()) {
  const { user, accessToken } = await proven();
  const reply = await change(user.id, accessToken, { email: to, password });
  expect(reply.status).toBe(202);
  const { requestId: id } = reply.body;
  const { link } = await changes.issueConfirmLink(id, keyOf(id, 'ask'));
  return { id: String(id), user, accessToken, from: String(user.email), to, token: link?.token ?? '' };
}

/** Somebody who has another address, and the token that was sent to the one of before. */
async function made() {
  const { id, token: confirmed, ...rest } = await asked();
  accounts.sagas.hearing = makesIt;
  expect((await json(operation('confirm'), { token: confirmed })).status).toBe(204);
  const { link } = await changes.issueRevertLink(id, keyOf(id, 'tell'));
  return { id, ...rest, confirmed, token: link?.token ?? '' };
}

describe('who asks for another address', () => {
  test('is answered by the id of a saga, which says nothing else', async () => {
    const { id, user, from } = await asked();
    expect(startedOf()).toEqual([{ type: 'emailChange', workflowId: `email-change:${id}`, input: { requestId: id } }]);
    expect((await accounts.login(from)).body.user).toMatchObject({ id: user.id, email: from });
  });

  test('is answered all the same while Temporal is away, and the sweep starts the saga', async () => {
    const { user, accessToken } = await proven();
    accounts.sagas.starting = () => Promise.reject(new Error('away'));
    const { status, body } = await change(user.id, accessToken, { email: uniqueEmail(), password });
    expect([status, startedOf()]).toEqual([202, []]);
    accounts.sagas.starting = async () => undefined;
    await accounts.service.database.sql`
      update email_changes set status_at = now() - interval '21 seconds' where id = ${body.requestId}`;
    expect((await changes.sweep()).started).toBe(1);
    expect(startedOf()).toMatchObject([{ input: { requestId: body.requestId } }]);
  });

  test('has to be signed in, as that person, and to know the password', async () => {
    const [{ user, accessToken }, other] = [await accounts.signUp(), await accounts.signUp()];
    const body = { email: uniqueEmail(), password };
    expectProblem(await json(`/api/users/${user.id}/change-email`, body), 401, 'unauthenticated');
    expectProblem(await change(other.user.id, accessToken, body), 404, 'not_found');
    const wrong = await change(user.id, accessToken, { ...body, password: 'not the password' });
    expectProblem(wrong, 422, 'validation_failed');
    expect(wrong.body.errors).toEqual([{ path: 'password', message: 'is not your password' }]);
    expect(startedOf()).toEqual([]);
  });

  test('is told what is wrong with the address', async () => {
    const [{ user, accessToken }, other] = [await accounts.signUp(), await accounts.signUp()];
    const same = await change(user.id, accessToken, { email: String(user.email).toUpperCase(), password });
    expectProblem(same, 422, 'validation_failed');
    expect(same.body.errors).toMatchObject([{ path: 'email' }]);
    expectProblem(await change(user.id, accessToken, { email: other.user.email, password }), 409, 'email_taken');
    const bad = await change(user.id, accessToken, { email: 'no address', password });
    expect(bad).toMatchObject({ status: 422, body: { errors: [{ path: 'email' }] } });
  });

  test('may guess at the password five times in a quarter of an hour, here and where it is changed together', async () => {
    const { user, accessToken } = await accounts.signUp();
    const guess = { email: uniqueEmail(), password: 'a guess at it' };
    const other = { currentPassword: 'a guess at it', newPassword: renewed };
    for (let n = 0; n < 3; n++) expect((await change(user.id, accessToken, guess)).status).toBe(422);
    for (let n = 0; n < 2; n++)
      expect((await json(`/api/users/${user.id}/change-password`, other, accessToken)).status).toBe(422);
    const limited = await change(user.id, accessToken, { ...guess, password });
    expectProblem(limited, 429, 'rate_limited');
    expect(limited.headers['ratelimit-policy']).toBe('"password";q=5;w=900');
  });

  test('may ask three times an hour', async () => {
    const { user, accessToken } = await accounts.signUp();
    const ask = () => change(user.id, accessToken, { email: uniqueEmail(), password });
    for (let n = 0; n < 3; n++) expect((await ask()).status).toBe(202);
    const limited = await ask();
    expectProblem(limited, 429, 'rate_limited');
    expect(limited.headers['ratelimit-policy']).toBe('"email-change";q=3;w=3600');
  });

  test('has the saga of the request that is replaced hear of it', async () => {
    const { id, user, accessToken } = await asked();
    const heard: string[] = [];
    accounts.sagas.hearing = async (workflowId) => heard.push(workflowId) > 0;
    expect((await change(user.id, accessToken, { email: uniqueEmail(), password })).status).toBe(202);
    expect(heard).toEqual([`email-change:${id}`]);
    expect(await statusOf(id)).toBe('replaced');
  });
});

describe('a token that confirms', () => {
  test('changes the address: who signs in goes by the new one, and the asking session goes on alone', async () => {
    const { user, accessToken, from, to, token } = await asked();
    const other = (await accounts.login(from)).body.tokens.accessToken;
    accounts.sagas.hearing = makesIt;
    expect(await json(operation('confirm'), { token })).toMatchObject({ status: 204 });
    expect((await accounts.me(accessToken)).body).toMatchObject({ id: user.id, email: to, emailVerified: true });
    expectProblem(await accounts.me(other), 401, 'unauthenticated');
    expectProblem(await accounts.login(from), 401, 'invalid_credentials');
    expect((await accounts.login(to)).status).toBe(200);
    expectProblem(await accounts.register(form({ email: from })), 409, 'email_taken');
    expect(await json(operation('confirm'), { token })).toMatchObject({ status: 204 });
  });

  test('says that somebody else has the address by now', async () => {
    const { to, token, from } = await asked();
    expect((await accounts.register(form({ email: to }))).status).toBe(201);
    accounts.sagas.hearing = makesIt;
    expectProblem(await json(operation('confirm'), { token }), 409, 'email_taken');
    expect((await accounts.login(from)).status).toBe(200);
  });

  test('says that the change was given up meanwhile', async () => {
    const { id, token } = await asked();
    accounts.sagas.hearing = async () => {
      await changes.withdraw(id, `${keyOf(id, 'ask')}/undo`);
      return true;
    };
    expectProblem(await json(operation('confirm'), { token }), 409, 'request_expired');
  });

  test('is taken while the saga cannot be told, which the sweep does', async () => {
    const { id, token } = await asked();
    accounts.sagas.hearing = () => Promise.reject(new Error('away'));
    expect(await send('confirm', { token })).toMatchObject({
      status: 202,
      body: expect.stringContaining('is being changed'),
    });
    expect(await json(operation('confirm'), { token })).toMatchObject({ status: 202, body: {} });
    accounts.sagas.hearing = makesIt;
    await accounts.service.database.sql`
      update email_changes set status_at = now() - interval '21 seconds', saga_started_at = now() where id = ${id}`;
    await changes.sweep();
    expect(await statusOf(id)).toBe('changed');
  }, 40_000);

  test.each([undefined, '', 'x'.repeat(43), 'x'.repeat(600)])('%s is none', async (token) => {
    const reply = await json(operation('confirm'), { token });
    expect([400, 422]).toContain(reply.status);
  });
});

describe('a token that takes a change back', () => {
  test('gives the account its address again, signs everybody out, and has a mail sent for a new password', async () => {
    const { user, accessToken, from, to, token } = await made();
    accounts.sagas.started.length = 0;
    expect(await json(operation('revert'), { token })).toMatchObject({ status: 204 });
    expectProblem(await accounts.me(accessToken), 401, 'unauthenticated');
    for (const email of [from, to]) expectProblem(await accounts.login(email), 401, 'invalid_credentials');
    const [mail] = accounts.sagas.started;
    expect(mail).toMatchObject({ type: 'accountMail', input: { requestId: expect.any(String) } });
    const [, mailId = ''] = (mail?.workflowId ?? '').split(':');
    const { link } = await accounts.identity.issueLink(mailId, `account-mail:${mailId}/mail/link`);
    expect(link).toMatchObject({ purpose: 'password_reset', userId: user.id });
    expect(await json('/api/auth/reset-password', { token: link?.token, password: renewed })).toMatchObject({
      status: 204,
    });
    expect((await accounts.login(from, renewed)).body.user).toMatchObject({ id: user.id, email: from });
    expect((await accounts.register(form({ email: to }))).status).toBe(201);
    expect(await json(operation('revert'), { token })).toMatchObject({ status: 204 });
    expect((await accounts.login(from, renewed)).status).toBe(200);
  });

  test('signs everybody out before the saga has heard of it', async () => {
    const { accessToken, to, token } = await made();
    accounts.sagas.hearing = () => Promise.reject(new Error('away'));
    expect(await json(operation('revert'), { token })).toMatchObject({ status: 202, body: {} });
    expectProblem(await accounts.me(accessToken), 401, 'unauthenticated');
    expectProblem(await accounts.login(to), 401, 'invalid_credentials');
  }, 20_000);

  test('is void of a change that was confirmed with another one, and of none', async () => {
    const { confirmed } = await made();
    for (const token of [confirmed, 'x'.repeat(43)])
      expectProblem(await json(operation('revert'), { token }), 400, 'invalid_token');
  });
});

describe.each(['confirm', 'revert'] as const)('the page to %s', (link) => {
  test('spends nothing however often it is opened, and its form does', async () => {
    const { id, token } = link === 'confirm' ? await asked() : await made();
    const before = await statusOf(id);
    for (const method of ['GET', 'HEAD', 'GET']) {
      const opened = await accounts.service.ask(method, `${page(link)}?token=${token}`);
      expect(opened.status).toBe(200);
      if (method === 'GET')
        expect(opened.body).toContain(
          `<form method="post" action="?"><input type="hidden" name="token" value="${token}">`,
        );
    }
    expect(await statusOf(id)).toBe(before);
    accounts.sagas.hearing = makesIt;
    const [done, status] =
      link === 'confirm' ? ['address is changed', 'changed'] : ['has its address again', 'reverted'];
    for (let n = 0; n < 2; n++)
      expect(await send(link, { token })).toMatchObject({ status: 200, body: expect.stringContaining(done) });
    expect(await statusOf(id)).toBe(status);
  });

  test('says of what is no token that the link is not complete, or works no more', async () => {
    for (const token of ['', '"><script>alert(1)</script>', 'x'.repeat(513)]) {
      const replies = [
        await accounts.service.ask('GET', `${page(link)}?token=${encodeURIComponent(token)}`),
        await send(link, { token }),
      ];
      for (const { status, body } of replies) {
        expect([status, body]).toEqual([400, expect.stringContaining('not complete')]);
        expect(body).not.toContain('<form');
        expect(body).not.toContain('<script');
      }
    }
    const unknown = await send(link, { token: 'x'.repeat(43) });
    expect(unknown).toMatchObject({ status: 400, body: expect.stringContaining('does not work any more') });
  });

  test('runs no script, is framed by nobody, kept by nobody and gives no address away', async () => {
    const { headers } = await accounts.service.ask('GET', `${page(link)}?token=${'x'.repeat(43)}`);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
  });
});

test('the page says that somebody else has the address', async () => {
  const { to, token } = await asked();
  await accounts.register(form({ email: to }));
  accounts.sagas.hearing = makesIt;
  expect(await send('confirm', { token })).toMatchObject({
    status: 409,
    body: expect.stringContaining('Somebody has an account with this address by now'),
  });
});

test('what has ended and has no saga any more is noted by the sweep, and what somebody waits for is not', async () => {
  const [settled, waiting] = [await asked(), await asked()];
  const { sql } = accounts.service.database;
  await sql`
    update email_changes set status = 'void', saga_started_at = now(), status_at = now() - interval '1 minute'
    where id = ${settled.id}`;
  await sql`
    update email_changes set status = 'confirmed', saga_started_at = now(), status_at = now() - interval '1 minute'
    where id = ${waiting.id}`;
  await changes.sweep();
  const heard = await sql`select id from email_changes where heard_status = status`;
  const ids = heard.map(({ id }) => id);
  expect(ids).toContain(settled.id);
  expect(ids).not.toContain(waiting.id);
});

test('steps are taken from the platform only, of changes that there are', async () => {
  const { accessToken } = await accounts.signUp();
  const path = `/internal/email-changes/${uuidv7()}/make`;
  const reply = await accounts.service.ask('POST', path, { token: accessToken, key: 'k' });
  expectProblem(reply, 401, 'unauthenticated');
  expectProblem(await accounts.service.internal('POST', path, { key: 'k' }), 404, 'not_found');
});
