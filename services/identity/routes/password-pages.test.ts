import { type Accounts, startAccounts } from '../../../tests/support/accounts';
import { uniqueEmail } from '../../../tests/support/users';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts({
    RATE_LIMIT_RESET_ADDRESS: '4',
    RATE_LIMIT_LOGIN: 'off',
    RATE_LIMIT_REGISTER: 'off',
  });
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

const send = (page: string, fields: Record<string, string>, from = '198.51.100.1') =>
  accounts.service.ask('POST', page, {
    raw: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': from },
  });
const open = (path: string, method = 'GET') => accounts.service.ask(method, path);
const requests = () =>
  accounts.sagas.started.flatMap(({ input }) =>
    typeof input === 'object' && input !== null && 'requestId' in input ? [String(input.requestId)] : [],
  );

const RESET = '/api/auth/reset';
const FORGOT = '/api/auth/forgot';
const renewed = 'battery horse correct';

async function forgetful(from: string) {
  const { user, accessToken } = await accounts.signUp();
  accounts.sagas.started.length = 0;
  expect(await send(FORGOT, { email: user.email }, from)).toMatchObject({ status: 202 });
  const [id = ''] = requests();
  const { link } = await accounts.identity.issueLink(id, `account-mail:${id}/mail/link`);
  return { user, accessToken, token: link?.token ?? '' };
}

describe('the page where a link is asked for', () => {
  test('says the same of every address, and has a link sent to those that have an account', async () => {
    expect(await open(FORGOT)).toMatchObject({ status: 200, body: expect.stringContaining('name="email"') });
    const { user } = await accounts.signUp();
    const [known, unknown] = [
      await send(FORGOT, { email: user.email }, '198.51.100.2'),
      await send(FORGOT, { email: uniqueEmail() }, '198.51.100.2'),
    ];
    expect(known).toMatchObject({ status: 202, body: expect.stringContaining('If there is an account') });
    expect(unknown.body).toBe(known.body);
    expect(requests()).toHaveLength(2);
  });

  test('shows its form again where no address was typed', async () => {
    const empty: Record<string, string>[] = [{}, { email: '' }];
    for (const fields of empty)
      expect(await send(FORGOT, fields)).toMatchObject({ status: 422, body: expect.stringContaining('name="email"') });
  });

  test('is limited by network address as the API is, and by the same count', async () => {
    const from = '198.51.100.3';
    const headers = { 'x-forwarded-for': from };
    for (let n = 0; n < 2; n++) {
      expect((await send(FORGOT, { email: uniqueEmail() }, from)).status).toBe(202);
      const body = { email: uniqueEmail() };
      expect((await accounts.service.ask('POST', '/api/auth/forgot-password', { body, headers })).status).toBe(202);
    }
    const stopped = await send(FORGOT, { email: uniqueEmail() }, from);
    expect(stopped).toMatchObject({ status: 429, body: expect.stringContaining('try again') });
    expect(Number(stopped.headers['retry-after'])).toBeGreaterThan(60);
    expect(stopped.headers['ratelimit-policy']).toBe('"reset-address";q=4;w=3600');
    const body = { email: uniqueEmail() };
    expect(await accounts.service.ask('POST', '/api/auth/forgot-password', { body, headers })).toMatchObject({
      status: 429,
      body: { code: 'rate_limited' },
    });
    expect((await send(FORGOT, { email: uniqueEmail() }, '198.51.100.4')).status).toBe(202);
  });
});

describe('the page that its mail links to', () => {
  test('opening the link spends nothing, however often; the form does, once', async () => {
    const { user, accessToken, token } = await forgetful('198.51.100.5');
    for (let n = 0; n < 3; n++) {
      const reply = await open(`${RESET}?token=${token}`);
      expect(reply.status).toBe(200);
      expect(reply.body).toContain(`<input type="hidden" name="token" value="${token}">`);
      expect(reply.body).toContain('<form method="post" action="?">');
    }
    expect((await open(`${RESET}?token=${token}`, 'HEAD')).status).toBe(200);
    expect((await accounts.login(user.email)).status).toBe(200);

    expect(await send(RESET, { token, password: 'too short' })).toMatchObject({
      status: 422,
      body: expect.stringContaining(`value="${token}"`),
    });
    expect(await send(RESET, { token, password: renewed })).toMatchObject({
      status: 200,
      body: expect.stringContaining('a new password'),
    });
    expect((await accounts.me(accessToken)).status).toBe(401);
    expect((await accounts.login(user.email)).status).toBe(401);
    expect((await accounts.login(user.email, renewed)).status).toBe(200);
    expect(await send(RESET, { token, password: renewed })).toMatchObject({
      status: 400,
      body: expect.stringContaining(`href="${FORGOT}"`),
    });
  });

  test.each([
    ['no token', ''],
    ['markup', '"><script>alert(1)</script>'],
    ['more than a token holds', 'x'.repeat(513)],
  ])('a link or a form with %s is not complete', async (_, token) => {
    const replies = [
      await open(`${RESET}?token=${encodeURIComponent(token)}`),
      await send(RESET, { token, password: renewed }),
    ];
    for (const reply of replies) {
      expect(reply).toMatchObject({ status: 400, body: expect.stringContaining('not complete') });
      expect(reply.body).not.toContain('<script');
      expect(reply.body).not.toContain('<form');
    }
  });

  test('a form without a password, and one whose token is none, are answered with a page', async () => {
    const token = 'a'.repeat(43);
    expect(await send(RESET, { token })).toMatchObject({ status: 422, body: expect.stringContaining('<form') });
    expect(await send(RESET, { token, password: renewed })).toMatchObject({ status: 400 });
  });
});

test('these pages run no script, are framed by nobody, are kept by nobody and give no address away', async () => {
  const token = 'a'.repeat(43);
  for (const reply of [
    await open(FORGOT),
    await send(FORGOT, { email: uniqueEmail() }, '198.51.100.6'),
    await open(`${RESET}?token=${token}`),
    await open(RESET),
    await send(RESET, { token, password: renewed }),
  ]) {
    expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = String(reply.headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(reply.headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
  }
});
