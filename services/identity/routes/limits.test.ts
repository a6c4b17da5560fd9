import { type Accounts, expectProblem, form, password, startAccounts } from '../../../tests/support/accounts';
import { uniqueEmail } from '../../../tests/support/users';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts({ RATE_LIMIT_LOGIN: '3', RATE_LIMIT_LOGIN_ADDRESS: '8', RATE_LIMIT_REGISTER: '2' });
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

describe('limits', () => {
  const from = (address: string) => ({ 'x-forwarded-for': address });

  test('registering from one address is limited and says so in every reply', async () => {
    const ask = () =>
      accounts.service.ask('POST', '/api/auth/register', { body: form(), headers: from('198.51.100.1') });
    const first = await ask();
    expect(first.status).toBe(201);
    expect(first.headers['ratelimit-policy']).toBe('"register";q=2;w=60');
    expect(first.headers.ratelimit).toMatch(/^"register";r=1;t=\d+$/);
    const taken = await accounts.service.ask('POST', '/api/auth/register', {
      body: form({ email: first.body.user.email }),
      headers: from('198.51.100.1'),
    });
    expectProblem(taken, 409, 'email_taken');
    expect(taken.headers.ratelimit).toMatch(/^"register";r=0;t=\d+$/);
    const refused = await ask();
    expectProblem(refused, 429, 'rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('guessing at one account is stopped from wherever it comes, known or not', async () => {
    const email = uniqueEmail();
    const ask = (n: number) =>
      accounts.service.ask('POST', '/api/auth/login', { body: { email, password }, headers: from(`198.51.100.${n}`) });
    for (let n = 10; n < 13; n++) {
      const refused = await ask(n);
      expectProblem(refused, 401, 'invalid_credentials');
      expect(refused.headers['ratelimit-policy']).toBe('"login";q=3;w=60');
      expect(refused.headers.ratelimit).toMatch(new RegExp(`^"login";r=${12 - n};t=\\d+$`));
    }
    expectProblem(await ask(13), 429, 'rate_limited');
  });

  test('guessing from one address is stopped whatever the account', async () => {
    const ask = () =>
      accounts.service.ask('POST', '/api/auth/login', {
        body: { email: uniqueEmail(), password },
        headers: from('198.51.100.99'),
      });
    for (let n = 0; n < 8; n++) expectProblem(await ask(), 401, 'invalid_credentials');
    expectProblem(await ask(), 429, 'rate_limited');
  });
});
