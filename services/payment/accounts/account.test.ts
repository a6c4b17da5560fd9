import { uuidv7 } from '../../../platform/ids';
import {
  type Caller,
  despite,
  dyingAfter,
  HANG_MS,
  type PaymentStack,
  retried,
  startPaymentStack,
} from '../../../tests/support/payment';
import { openAccount, removeAccount } from './account';
import {
  beginAccount,
  connectedAccountOf,
  customerOf,
  isPaidOut,
  markAccountRemoved,
  ownerOfConnected,
  recordEnabled,
} from './store';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

type Role = 'student' | 'tutor';
const ROLES: Role[] = ['student', 'tutor'];

const open = (userId: string, role: Role, more: Record<string, unknown> = {}, by: Caller = stack) =>
  by.post('/accounts', `user:${userId}/account`, {
    userId,
    role,
    email: `${userId}@example.org`,
    name: 'Ada',
    ...more,
  });
const remove = (userId: string) => stack.post(`/accounts/${userId}/remove`, `user:${userId}/account/undo`);

/** Customers and connected accounts of a user that are not deleted. */
async function atStripe(userId: string): Promise<{ id: string }[]> {
  const { customers, accounts } = await stack.state();
  return [...customers, ...accounts].filter(
    (each: { metadata?: { userId?: string } }) => each.metadata?.userId === userId,
  );
}

const FAULTS: [string, Record<string, unknown>][] = [
  ['500', { kind: 'error_500' }],
  ['500 after the effect', { kind: 'error_500_after' }],
  ['429', { kind: 'rate_limit_429', retryAfterSeconds: 1 }],
  ['connection closed before', { kind: 'drop_before', times: 2 }],
  ['connection closed after', { kind: 'drop_after', times: 2 }],
  ['no answer, effect later', { kind: 'hang', ms: HANG_MS, when: 'before' }],
];

describe.each(ROLES)('the account of a %s', (role) => {
  test('is made once', async () => {
    const userId = uuidv7();
    const replies = await Promise.all(Array.from({ length: 5 }, () => retried(() => open(userId, role), 40)));
    for (const reply of replies) expect(reply).toMatchObject({ status: 201, body: { userId } });
    expect((await open(userId, role)).status).toBe(201);
    const made = await atStripe(userId);
    expect(made).toHaveLength(1);
    expect(made[0]?.id).toMatch(role === 'student' ? /^cus_/ : /^acct_/);
    expect(await stack.events(userId)).toEqual(['StripeAccountOpened']);
  });

  test.each(FAULTS)('is made once whatever happens to the request: %s', async (_, fault) => {
    const userId = uuidv7();
    const made = await despite(stack, { ...fault, match: { method: 'POST' } }, (by) => open(userId, role, {}, by));
    expect(made.status).toBe(201);
    expect(await atStripe(userId)).toHaveLength(1);
  });

  test('is removed, again without harm, and a late step makes none', async () => {
    const userId = uuidv7();
    await open(userId, role);
    expect(await remove(userId)).toMatchObject({ status: 200, body: { userId } });
    expect((await remove(userId)).status).toBe(200);
    expect(await atStripe(userId)).toEqual([]);
    expect(await open(userId, role)).toMatchObject({ status: 409, body: { code: 'undone' } });
    expect(await stack.events(userId)).toEqual(['StripeAccountOpened', 'StripeAccountRemoved']);
  });

  test('that was removed before it was made is never made', async () => {
    const userId = uuidv7();
    expect((await remove(userId)).status).toBe(200);
    expect((await open(userId, role)).body.code).toBe('undone');
    expect(await atStripe(userId)).toEqual([]);
  });

  test.each(FAULTS)('of whose making nobody knows is removed all the same: %s', async (_, fault) => {
    const userId = uuidv7();
    await stack.fault({ ...fault, match: { method: 'POST' } });
    await stack.fault({ kind: 'error_500', match: { method: 'GET' } });
    const by = fault.kind === 'hang' ? stack.impatient : stack;
    expect((await open(userId, role, {}, by)).status).toBeGreaterThanOrEqual(429);
    expect((await retried(() => remove(userId), 80)).status).toBe(200);
    expect(await atStripe(userId)).toEqual([]);
    expect((await open(userId, role)).body.code).toBe('undone');
  });

  test('that was never asked for is removed although Stripe answers the taking of its key with 429 and 500', async () => {
    const userId = uuidv7();
    await beginAccount(stack.till.db, `user:${userId}/account`, { userId, role });
    await stack.fault({ kind: 'rate_limit_429', match: { method: 'POST' } });
    await stack.fault({ kind: 'error_500_after', match: { method: 'POST', nth: 2 } });
    expect((await remove(userId)).body.code).toBe('rate_limited');
    expect((await retried(() => remove(userId))).status).toBe(200);
    expect(await atStripe(userId)).toEqual([]);
    expect((await open(userId, role)).body.code).toBe('undone');
  });

  test('whose removal crosses its making is gone in the end', async () => {
    const users = Array.from({ length: 6 }, uuidv7);
    await Promise.all(
      users.flatMap((userId) => [
        retried(() => open(userId, role), 60),
        retried(() => remove(userId), 60).then(({ status }) => expect(status).toBe(200)),
      ]),
    );
    for (const userId of users) expect(await atStripe(userId)).toEqual([]);
  });

  test('that Stripe made right before we crashed is found again', async () => {
    const userId = uuidv7();
    const { stripe } = stack.till;
    const dying = { ...stack.till, stripe: { ...stripe, createAccount: dyingAfter(stripe.createAccount) } };
    const who = { userId, role, email: `${userId}@example.org`, name: 'Ada' };
    const key = `user:${userId}/account`;
    await expect(openAccount(dying, key, who)).rejects.toThrow('the process died');
    expect((await open(userId, role)).status).toBe(201);
    expect(await atStripe(userId)).toHaveLength(1);
  });

  test('that Stripe made while it was being removed is deleted by the removal', async () => {
    const userId = uuidv7();
    const { db, stripe } = stack.till;
    const who = { userId, role, email: `${userId}@example.org`, name: 'Ada' };
    // The removal leaves its mark between Stripe's answer and our commit, then dies.
    const createAccount: typeof stripe.createAccount = async (...given) => {
      const answer = await stripe.createAccount(...given);
      await markAccountRemoved(db, userId);
      return answer;
    };
    const crossed = { ...stack.till, stripe: { ...stripe, createAccount } };
    const opening = openAccount(crossed, `user:${userId}/account`, who);
    await expect(opening).rejects.toMatchObject({ code: 'undone' });
    expect(await atStripe(userId)).toHaveLength(1);
    await removeAccount(stack.till, userId);
    expect(await atStripe(userId)).toEqual([]);
  });
});

test('of another kind is refused: a person is student or tutor', async () => {
  const userId = uuidv7();
  await open(userId, 'student');
  expect(await open(userId, 'tutor')).toMatchObject({ status: 409, body: { code: 'conflict' } });
});

describe('a connected account beside a customer', () => {
  const keyOf = (accountId: string) => `tutor-account:${accountId}/account`;
  const beside = (userId: string, accountId: string, by: Caller = stack) =>
    by.post('/accounts', keyOf(accountId), {
      ...{ userId, accountId, role: 'tutor', email: `${userId}@example.org`, name: 'Ada' },
    });
  const withdraw = (accountId: string) => stack.post(`/accounts/${accountId}/remove`, `${keyOf(accountId)}/undo`);
  const idsAtStripe = async (userId: string) => (await atStripe(userId)).map(({ id }) => id.slice(0, 4)).toSorted();

  test('is made once, and both are their user’s', async () => {
    const [userId, accountId] = [uuidv7(), uuidv7()];
    await open(userId, 'student');
    const made = await Promise.all(Array.from({ length: 5 }, () => retried(() => beside(userId, accountId), 40)));
    for (const reply of made) expect(reply.status).toBe(201);
    expect(await idsAtStripe(userId)).toEqual(['acct', 'cus_']);
    const account = (await connectedAccountOf(stack.till.db, userId)) ?? '';
    expect(account).toMatch(/^acct_/);
    expect(await customerOf(stack.till.db, userId)).toMatch(/^cus_/);
    expect(await ownerOfConnected(stack.till.db, account)).toBe(userId);
    await recordEnabled(stack.till.db, userId, true);
    expect(await isPaidOut(stack.till.db, userId)).toBe(true);
    expect(await stack.events(userId)).toEqual(['StripeAccountOpened', 'StripeAccountOpened']);
  });

  test('is removed alone, and another one can be made after it', async () => {
    const [userId, first, second] = [uuidv7(), uuidv7(), uuidv7()];
    await open(userId, 'student');
    await beside(userId, first);
    expect((await withdraw(first)).status).toBe(200);
    expect(await idsAtStripe(userId)).toEqual(['cus_']);
    expect(await connectedAccountOf(stack.till.db, userId)).toBeNull();
    expect((await beside(userId, first)).body.code).toBe('undone');
    expect((await beside(userId, second)).status).toBe(201);
    expect((await withdraw(first)).status).toBe(200);
    expect(await idsAtStripe(userId)).toEqual(['acct', 'cus_']);
  });

  test.each(FAULTS)('of whose making nobody knows is removed alone: %s', async (_, fault) => {
    const [userId, accountId] = [uuidv7(), uuidv7()];
    await open(userId, 'student');
    await stack.fault({ ...fault, match: { method: 'POST' } });
    await stack.fault({ kind: 'error_500', match: { method: 'GET' } });
    const by = fault.kind === 'hang' ? stack.impatient : stack;
    expect((await beside(userId, accountId, by)).status).toBeGreaterThanOrEqual(429);
    expect((await retried(() => withdraw(accountId), 80)).status).toBe(200);
    expect(await idsAtStripe(userId)).toEqual(['cus_']);
  });

  test('is one: a second is refused', async () => {
    const userId = uuidv7();
    await beside(userId, uuidv7());
    expect(await beside(userId, uuidv7())).toMatchObject({ status: 409, body: { code: 'conflict' } });
  });
});

test('that Stripe refuses is told as such, and its removal has nothing to do', async () => {
  const userId = uuidv7();
  const createAccount = () => Promise.resolve({ kind: 'refused' as const, code: 'email_invalid' });
  const refusing = { ...stack.till, stripe: { ...stack.till.stripe, createAccount } };
  const who = { userId, role: 'student' as const, email: 'a@example.org', name: 'Ada' };
  await expect(openAccount(refusing, `user:${userId}/account`, who)).rejects.toMatchObject({
    code: 'validation_failed',
    more: { extras: { stripeCode: 'email_invalid' } },
  });
  expect((await remove(userId)).status).toBe(200);
});

test('name and e-mail are kept nowhere here', async () => {
  const userId = uuidv7();
  await open(userId, 'student', { email: 'grace@example.org', name: 'Grace Hopper' });
  const { sql } = stack.service.database;
  for (const table of ['stripe_accounts', 'stripe_attempts', 'events', 'idempotency_keys'])
    expect(JSON.stringify(await sql`select * from ${sql(table)}`)).not.toMatch(/grace/i);
});
