import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { type AttemptTarget, closeAttempt, doubtfulAttempts, openAttempt } from './store';

let database: TestDatabase;
let counter = 0;
let effect: AttemptTarget;

beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());
beforeEach(() => {
  counter += 1;
  effect = { stepKey: `booking:${counter}/charge`, kind: 'create_intent', subject: `payment-${counter}` };
});

const open = (given: AttemptTarget) => database.db.transaction((tx) => openAttempt(tx, given));
const close = (...[attempt, outcome]: [Parameters<typeof closeAttempt>[1], Parameters<typeof closeAttempt>[2]]) =>
  database.db.transaction((tx) => closeAttempt(tx, attempt, outcome));

test('the first attempt is fresh; until it is closed everybody shares it', async () => {
  const first = await open({ ...effect, customerId: 'cus_1' });
  expect(first).toMatchObject({ stripeKey: `${effect.stepKey}/1`, fresh: true, customerId: 'cus_1' });
  const again = await open({ ...effect, customerId: 'cus_2' });
  expect(again).toEqual({ ...first, fresh: false });
  const other = await open({ ...effect, stepKey: `${effect.stepKey}-2` });
  expect(other.stripeKey).toBe(first.stripeKey);
});

test('after one that came to nothing the next has a key of its own, and is looked up first', async () => {
  await close(await open(effect), 'nothing');
  expect(await open(effect)).toMatchObject({ stripeKey: `${effect.stepKey}/2`, fresh: false });
});

test('only the first outcome counts', async () => {
  const attempt = await open(effect);
  expect(await close(attempt, 'done')).toBe(true);
  expect(await close(attempt, 'nothing')).toBe(false);
  expect(await database.db.transaction((tx) => doubtfulAttempts(tx, effect.subject, 'create_intent'))).toEqual([]);
});

test('a key stands for one effect', async () => {
  await open(effect);
  await expect(open({ ...effect, subject: 'another' })).rejects.toMatchObject({ code: 'idempotency_key_reused' });
  await expect(open({ ...effect, kind: 'capture' })).rejects.toMatchObject({ code: 'idempotency_key_reused' });
});

test('two attempts at one effect are never open at once', async () => {
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => open(effect)));
  const keys = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.stripeKey] : []));
  expect(new Set(keys)).toEqual(new Set([`${effect.stepKey}/1`]));
});

test('doubtful are open ones and those that looked like nothing, the newest first', async () => {
  const first = await open(effect);
  await close(first, 'nothing');
  const second = await open(effect);
  const found = await database.db.transaction((tx) => doubtfulAttempts(tx, effect.subject, 'create_intent'));
  expect(found).toMatchObject([
    { id: second.id, open: true },
    { id: first.id, open: false },
  ]);
});

test('a key that is too long for Stripe is sent as its hash', async () => {
  const { stripeKey } = await open({ ...effect, stepKey: 'k'.repeat(254) });
  expect(stripeKey).toMatch(/^[0-9a-f]{64}$/);
});
