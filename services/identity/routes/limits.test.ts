import { type Accounts, expectProblem, form, password, startAccounts } from '../../../tests/support/accounts';
import { uniqueEmail } from '../../../tests/support/users';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts({
    RATE_LIMIT_LOGIN: '3',
    RATE_LIMIT_LOGIN_ADDRESS: '8',
    RATE_LIMIT_LOGIN_FAILURES: '6',
    RATE_LIMIT_REGISTER: '2',
  });
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

  const login = (email: string, address: string, pass = password) =>
    accounts.service.ask('POST', '/api/auth/login', { body: { email, password: pass }, headers: from(address) });
  const somebody = async (address: string) => {
    const reply = await accounts.service.ask('POST', '/api/auth/register', { body: form(), headers: from(address) });
    return String(reply.body.user.email);
  };
  /** Wrong passwords from so many addresses. */
  const guess = async (email: string, times: number) => {
    for (let n = 1; n <= times; n++)
      expectProblem(await login(email, `192.0.2.${n}`, 'wrong guess'), 401, 'invalid_credentials');
  };

  test('guessing at one account from one address is stopped there, whether or not there is such an account', async () => {
    for (const [email, address] of [
      [uniqueEmail(), '198.51.100.10'],
      [await somebody('198.51.100.11'), '198.51.100.12'],
    ] as const) {
      for (let n = 1; n <= 3; n++) {
        const refused = await login(email, address, 'wrong guess');
        expectProblem(refused, 401, 'invalid_credentials');
        expect(refused.headers['ratelimit-policy']).toBe('"login";q=3;w=60');
        expect(refused.headers.ratelimit).toMatch(new RegExp(`^"login";r=${3 - n};t=\\d+$`));
      }
      expectProblem(await login(email, address), 429, 'rate_limited');
    }
  });

  test('whoever guesses at an account elsewhere locks nobody out', async () => {
    const email = await somebody('198.51.100.20');
    for (let n = 1; n <= 5; n++) await login(email, '198.51.100.21', 'wrong guess');
    expect((await login(email, '198.51.100.22')).status).toBe(200);
  });

  test('above the failures of an hour an account is open only to where its person has signed in from', async () => {
    const email = await somebody('198.51.100.30');
    expect((await login(email, '198.51.100.31')).status).toBe(200);
    await guess(email, 6);
    const stranger = await login(email, '198.51.100.32');
    expectProblem(stranger, 429, 'rate_limited');
    expect(Number(stranger.headers['retry-after'])).toBeGreaterThan(60);
    expect((await login(email, '198.51.100.30')).status).toBe(200);
    expect((await login(email, '198.51.100.31')).status).toBe(200);
    expectProblem(await login(email, '198.51.100.31', 'wrong guess'), 401, 'invalid_credentials');
  });

  test('the refusal is the same for an account that does not exist', async () => {
    const refusals: unknown[] = [];
    for (const email of [await somebody('198.51.100.40'), uniqueEmail()]) {
      await guess(email, 6);
      const { status, body, headers } = await login(email, '198.51.100.41');
      refusals.push([status, { ...body, requestId: '' }, headers['ratelimit-policy']]);
    }
    expect(refusals[0]).toEqual(refusals[1]);
    expect(refusals[0]).toMatchObject([429, { code: 'rate_limited' }, '"login-failures";q=6;w=3600']);
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
