import { type Accounts, startAccounts } from '../../../tests/support/accounts';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

describe('the page that the welcome mail links to', () => {
  const page = '/api/auth/confirm-email';
  const open = (token: string) => accounts.service.ask('GET', `${page}?token=${token}`);
  const click = (token: string) =>
    accounts.service.ask('POST', page, {
      raw: new URLSearchParams({ token }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });

  async function unproven() {
    const { user, accessToken } = await accounts.signUp();
    const { token } = await accounts.identity.issueEmailVerification(user.id, `user:${user.id}/welcome/token`);
    return { token, isProven: async () => (await accounts.me(accessToken)).body.emailVerified };
  }

  test('opening the link proves nothing, however often; the click does, once', async () => {
    const { token, isProven } = await unproven();
    for (let n = 0; n < 3; n++) {
      const reply = await open(token);
      expect(reply.status).toBe(200);
      expect(reply.body).toContain(`<input type="hidden" name="token" value="${token}">`);
      expect(reply.body).toContain('<form method="post" action="?">');
    }
    expect((await accounts.service.ask('HEAD', `${page}?token=${token}`)).status).toBe(200);
    expect(await isProven()).toBe(false);

    const clicked = await click(token);
    expect(clicked).toMatchObject({ status: 200, body: expect.stringContaining('is confirmed') });
    expect(await isProven()).toBe(true);
    expect(await click(token)).toMatchObject({ status: 400, body: expect.stringContaining('does not work any more') });
    expect(await open(token)).toMatchObject({ status: 200 });
  });

  test('its pages run no script, are framed by nobody, are kept by nobody and give the address away to nobody', async () => {
    const { token } = await unproven();
    for (const reply of [await open(token), await open(''), await click(token), await click(token)]) {
      expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
      const policy = String(reply.headers['content-security-policy']);
      expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self';/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(reply.headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
    }
  });

  test.each([
    ['no token', ''],
    ['markup', encodeURIComponent('"><script>alert(1)</script>')],
    ['several tokens', 'a&token=b'],
    ['more than a token holds', 'x'.repeat(513)],
  ])('a link with %s is no link', async (_, token) => {
    const reply = await open(token);
    expect(reply.status).toBe(400);
    expect(reply.body).toContain('not complete');
    expect(reply.body).not.toContain('<script');
    expect(reply.body).not.toContain('<form');
  });

  test('a form without a token, and one that is none, are answered with a page', async () => {
    expect(await click('')).toMatchObject({ status: 400, body: expect.stringContaining('not complete') });
    expect(await accounts.service.ask('POST', page, { body: { token: 'x' } })).toMatchObject({ status: 400 });
    expect(await click('a'.repeat(43))).toMatchObject({ status: 400, body: expect.stringContaining('any more') });
  });
});
