import { rateLimits } from '../../../db/schema/identity';
import { HOUR } from '../../../kernel/time';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { createLimits, forgetOldLimits, type LimitsDeps } from './limits';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase('identity');
});

afterEach(() => database.drop());

const quotas: LimitsDeps['config'] = { RATE_LIMIT_LOGIN: 3, RATE_LIMIT_LOGIN_ADDRESS: 5, RATE_LIMIT_REGISTER: 2 };
const start = (config = quotas) => createLimits({ config, database });

test('logins to one account are refused from any address once its quota is used up', async () => {
  const limits = start();
  expect(await limits.login('203.0.113.1', 'ada@example.com')).toMatchObject({ policy: 'login', remaining: 2 });
  await limits.login('203.0.113.2', 'ADA@example.com');
  await limits.login('203.0.113.3', 'ada@example.com');
  await expect(limits.login('203.0.113.4', 'ada@example.com')).rejects.toMatchObject({
    code: 'rate_limited',
    more: { retryAfterSeconds: expect.any(Number) },
  });
  await expect(limits.login('203.0.113.4', 'grace@example.com')).resolves.toMatchObject({ remaining: 2 });
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

test('off counts nothing', async () => {
  const limits = start({ RATE_LIMIT_LOGIN: 'off', RATE_LIMIT_LOGIN_ADDRESS: 'off', RATE_LIMIT_REGISTER: 'off' });
  for (let n = 0; n < 40; n++) expect(await limits.login('203.0.113.1', 'ada@example.com')).toBeUndefined();
  expect(await limits.register('203.0.113.1')).toBeUndefined();
  expect(await database.db.select().from(rateLimits)).toEqual([]);
});

test('no e-mail address is stored to count logins', async () => {
  await start().login('203.0.113.1', 'ada@example.com');
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
