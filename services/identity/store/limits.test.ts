import { rateLimits } from '../../../db/schema/identity';
import { HOUR } from '../../../kernel/time';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { createLimits, forgetOldLimits, type LimitsDeps } from './limits';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase('identity');
});

afterEach(() => database.drop());

const quotas: LimitsDeps['config'] = {
  RATE_LIMIT_LOGIN: 3,
  RATE_LIMIT_LOGIN_ADDRESS: 5,
  RATE_LIMIT_LOGIN_FAILURES: 'off',
  RATE_LIMIT_REGISTER: 2,
  RATE_LIMIT_RESET_ADDRESS: 2,
};
const known = async () => true;
const unknown = async () => false;
const start = (config = quotas) => {
  const limits = createLimits({ config, database });
  return {
    ...limits,
    login: (address: string, account: string, isKnown = unknown) => limits.login(address, account, isKnown),
  };
};

test('logins to one account from one address are refused once their quota is used up, and others to it are not', async () => {
  const limits = start();
  expect(await limits.login('203.0.113.1', 'ada@example.com')).toMatchObject({ policy: 'login', remaining: 2 });
  await limits.login('203.0.113.1', 'ADA@example.com');
  await limits.login('203.0.113.1', 'ada@example.com');
  await expect(limits.login('203.0.113.1', 'ada@example.com')).rejects.toMatchObject({
    code: 'rate_limited',
    more: { retryAfterSeconds: expect.any(Number), headers: { RateLimit: expect.stringContaining('"login";r=0;') } },
  });
  await expect(limits.login('203.0.113.4', 'ada@example.com')).resolves.toMatchObject({ remaining: 2 });
  await expect(limits.login('203.0.113.1', 'grace@example.com')).resolves.toMatchObject({ remaining: 0 });
});

describe('above the failures that an account may have in an hour', () => {
  const few = { ...quotas, RATE_LIMIT_LOGIN_FAILURES: 4 };
  const fail = async (times: number, account: string) => {
    for (let n = 1; n <= times; n++) await start(few).login(`203.0.113.${n}`, account);
  };

  test('only an address that is known is let in, for as long as the hour lasts', async () => {
    await fail(4, 'ada@example.com');
    await expect(start(few).login('198.51.100.1', 'Ada@example.com')).rejects.toMatchObject({
      code: 'rate_limited',
      more: { headers: { 'RateLimit-Policy': '"login-failures";q=4;w=3600' } },
    });
    await expect(start(few).login('198.51.100.2', 'ada@example.com', known)).resolves.toMatchObject({
      policy: 'login',
    });
    await expect(start(few).login('198.51.100.1', 'grace@example.com')).resolves.toBeDefined();
    await database.db.update(rateLimits).set({ expire: Date.now() - 1 });
    await expect(start(few).login('198.51.100.1', 'ada@example.com')).resolves.toBeDefined();
  });

  test('a success is no failure', async () => {
    const limits = start(few);
    for (let n = 1; n <= 9; n++) {
      await limits.login(`203.0.113.${n}`, 'ada@example.com');
      await limits.succeeded('ADA@example.com');
    }
    await fail(4, 'ada@example.com');
    await expect(limits.login('198.51.100.1', 'ada@example.com')).rejects.toMatchObject({ code: 'rate_limited' });
  });

  test('of forty at once only as many are tried as may fail', async () => {
    const tries = Array.from({ length: 40 }, (_, n) => start(few).login(`203.0.113.${n}`, 'ada@example.com'));
    const results = await Promise.allSettled(tries);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  });

  test('nobody is told before how often others have failed', async () => {
    await fail(3, 'ada@example.com');
    expect(await start(few).login('198.51.100.1', 'ada@example.com')).toMatchObject({ policy: 'login', remaining: 2 });
  });
});

test('logins from one address are refused whatever the account, and one IPv6 network is one address', async () => {
  const limits = start();
  for (let n = 0; n < 5; n++) await limits.login(`2001:db8::${n}`, `user-${n}@example.com`);
  await expect(limits.login('2001:db8::ffff', 'other@example.com')).rejects.toMatchObject({ code: 'rate_limited' });
  await expect(limits.login('2001:db8:0:1::1', 'other@example.com')).resolves.toBeDefined();
});

test('the limit that is nearer is the one that is told of', async () => {
  const limits = start({ ...quotas, RATE_LIMIT_LOGIN: 100 });
  expect(await limits.login('203.0.113.1', 'ada@example.com')).toMatchObject({ policy: 'login-address', quota: 5 });
});

test('counts are shared by instances and survive a restart', async () => {
  await start().register('203.0.113.1');
  expect(await start().register('203.0.113.1')).toMatchObject({ policy: 'register', remaining: 0, quota: 2 });
  await expect(start().register('203.0.113.1')).rejects.toMatchObject({ code: 'rate_limited' });
});

test('of twenty requests at once exactly the quota passes', async () => {
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => start().register('203.0.113.1')));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
});

test('a window that has ended begins anew', async () => {
  const limits = start();
  await limits.register('203.0.113.1');
  await limits.register('203.0.113.1');
  await database.db.update(rateLimits).set({ expire: Date.now() - 1 });
  expect(await limits.register('203.0.113.1')).toMatchObject({ remaining: 1, resetSeconds: 60 });
});

test('requests for a new password are refused above the quota of their address, and told of by account', async () => {
  const limits = start();
  await limits.resetFrom('203.0.113.1');
  expect(await limits.resetFrom('203.0.113.1')).toMatchObject({ policy: 'reset-address', remaining: 0 });
  await expect(limits.resetFrom('203.0.113.1')).rejects.toMatchObject({
    detail: 'The limit is 2 an hour',
    more: { headers: { 'RateLimit-Policy': '"reset-address";q=2;w=3600' } },
  });
  await expect(limits.resetFrom('203.0.113.2')).resolves.toBeDefined();
  const asked = [];
  for (const account of ['ada@example.com', 'Ada@example.com', 'ada@example.com', 'ADA@example.com'])
    asked.push(await limits.resetOf(account));
  expect(asked).toEqual([true, true, true, false]);
  expect(await limits.resetOf('grace@example.com')).toBe(true);
  expect(JSON.stringify(await database.db.select().from(rateLimits)).toLowerCase()).not.toContain('ada');
});

test('a person has three mails an hour and five tries of their password in a quarter of one', async () => {
  const limits = start();
  for (let n = 0; n < 3; n++) await limits.verificationOf('a');
  await expect(limits.verificationOf('a')).rejects.toMatchObject({ code: 'rate_limited' });
  await expect(limits.verificationOf('b')).resolves.toMatchObject({ remaining: 2 });
  for (let n = 0; n < 5; n++) await limits.passwordOf('a');
  await expect(limits.passwordOf('a')).rejects.toMatchObject({
    detail: 'The limit is 5 in 15 minutes',
    more: { headers: { 'RateLimit-Policy': '"password";q=5;w=900' } },
  });
  await expect(limits.passwordOf('b')).resolves.toMatchObject({ remaining: 4 });
});

test('off counts nothing', async () => {
  const limits = start({
    RATE_LIMIT_LOGIN: 'off',
    RATE_LIMIT_LOGIN_ADDRESS: 'off',
    RATE_LIMIT_LOGIN_FAILURES: 'off',
    RATE_LIMIT_REGISTER: 'off',
    RATE_LIMIT_RESET_ADDRESS: 'off',
  });
  for (let n = 0; n < 40; n++) expect(await limits.login('203.0.113.1', 'ada@example.com')).toBeUndefined();
  expect(await limits.register('203.0.113.1')).toBeUndefined();
  expect(await limits.resetFrom('203.0.113.1')).toBeUndefined();
  expect(await database.db.select().from(rateLimits)).toEqual([]);
});

test('no e-mail address is stored to count logins', async () => {
  await start({ ...quotas, RATE_LIMIT_LOGIN_FAILURES: 4 }).login('203.0.113.1', 'ada@example.com');
  expect(JSON.stringify(await database.db.select().from(rateLimits))).not.toContain('ada');
});

test('when counting fails nobody is let in uncounted', async () => {
  await database.sql`drop table rate_limits`;
  await expect(start().register('203.0.113.1')).rejects.toMatchObject({ code: '42P01' });
});

test('windows are forgotten an hour after they ended', async () => {
  await start().register('203.0.113.1');
  await forgetOldLimits(database.db);
  expect(await database.db.select().from(rateLimits)).toHaveLength(1);
  await database.db.update(rateLimits).set({ expire: Date.now() - HOUR - 1 });
  await forgetOldLimits(database.db);
  expect(await database.db.select().from(rateLimits)).toEqual([]);
});
