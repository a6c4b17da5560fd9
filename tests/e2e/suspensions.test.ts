import { workflowTroubles } from '../../dev/chaos/reconciliation';
import { HOUR } from '../../kernel/time';
import { uuidv7 } from '../../platform/ids';
import { operations } from '../support/contracts';
import { createMarketplace, type Marketplace, type Person, type Tutor } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { expectProblem } from '../support/problems';
import { administrator } from '../support/second-factor';

// People who are kept out, with everything running as it is installed.

jest.setTimeout(180_000);

let platform: TestPlatform;
let market: Marketplace;
let admin: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  const { email } = await market.student();
  const { password } = market;
  admin = (await administrator(platform, platform.database('identity'), { email, password })).token;
});
afterAll(() => platform?.stop());

const login = (email: string) =>
  platform.ask('POST', '/api/auth/login', { body: { email, password: market.password } });
const act = ({ id }: Person, what: 'suspend' | 'unsuspend') =>
  platform.ask('POST', `/api/users/${id}/${what}`, { token: admin, body: { reason: 'Reported by several students' } });
const isFound = async ({ id }: Person) => {
  const { body } = await platform.ask('GET', '/api/tutors?limit=100');
  return body.items.some((tutor: Person) => tutor.id === id);
};
const statusOf = async (who: Person, id: string) => {
  const { status, statusReason, payment } = (await market.read(who, id)).body;
  return [`${status}/${statusReason}`, payment?.refunded?.amount ?? 0];
};
/** A confirmed booking whose session is in 12 hours. */
async function soon(student: Person, tutor: Tutor): Promise<string> {
  const at = new Date((Math.ceil(Date.now() / HOUR) + 12) * HOUR).toISOString();
  const { status, body } = await market.book({ student, tutor, at });
  expect(status).toBe(201);
  return body.id;
}

test('a tutor who is kept out is refused everywhere, not found, and their students have what cannot wait back', async () => {
  const [student, other, confirming] = [
    await market.student(),
    await market.student(),
    await market.tutor({ instant: false }),
  ];
  const requested = await market.book({ student, tutor: confirming });
  const late = await market.book({ student: other, tutor: confirming });
  expect((await market.confirm(confirming, late.body.id)).status).toBe(200);
  const near = await soon(student, confirming);
  expect((await market.confirm(confirming, near)).status).toBe(200);
  expect(await isFound(confirming)).toBe(true);

  const { body: suspension, status } = await act(confirming, 'suspend');
  expect(status).toBe(200);
  for (const path of ['/api/auth/me', '/api/bookings', '/api/wallet', '/api/notifications'])
    await eventually(
      `${path} refuses them`,
      async () => (await platform.ask('GET', path, { token: confirming.token })).status === 401,
    );
  expectProblem(await login(confirming.email), 403, 'account_suspended');
  await eventually('nobody finds them', async () => !(await isFound(confirming)));
  expectProblem(await market.book({ student, tutor: confirming }), 404);
  await eventually(
    'the request is declined',
    async () => (await statusOf(student, requested.body.id))[0] === 'cancelled/declined',
  );
  await eventually('the session that is near is given back', async () => {
    const [said, refunded] = await statusOf(student, near);
    return said === 'refunded/cancelled_by_operator' && refunded === 4_500;
  });
  expect((await statusOf(other, late.body.id))[0]).toMatch(/^confirmed/);

  const saga = platform.temporal.workflow.getHandle(`suspension:${suspension.id}`);
  await eventually(
    'an operator is asked about the rest',
    async () => (await saga.describe()).searchAttributes.SagaState?.[0] === 'NeedsAttention',
    120_000,
  );
  expect((await act(confirming, 'unsuspend')).status).toBe(200);
  expect((await login(confirming.email)).status).toBe(200);
  expect(await saga.result()).toEqual({ outcome: 'ended' });
  expect(await isFound(confirming)).toBe(true);
  expect((await statusOf(other, late.body.id))[0]).toMatch(/^confirmed/);
});

/** A path with an id in each place. */
const pathOf = (path: string) => path.replaceAll(/\{\w+\}/g, () => uuidv7());

test('of every operation that asks who somebody is, none takes the token of a person who is kept out', async () => {
  const [student, tutor] = [await market.student(), await market.tutor({ instant: true })];
  const asking = operations.filter(({ access }) => access === 'user' || Array.isArray(access));
  expect(asking.length).toBeGreaterThan(40);
  for (const who of [student, tutor]) {
    expect((await platform.ask('GET', '/api/bookings', { token: who.token })).status).toBe(200);
    await act(who, 'suspend');
    await eventually(
      'the gateway has heard of it',
      async () => (await platform.ask('GET', '/api/bookings', { token: who.token })).status === 401,
    );
    for (const { method, path, operationId } of asking) {
      const reply = await platform.ask(method.toUpperCase(), pathOf(path), { token: who.token, key: uuidv7() });
      expect([operationId, reply.status, reply.body.code]).toEqual([operationId, 401, 'unauthenticated']);
    }
    const { body } = await act(who, 'unsuspend');
    const saga = platform.temporal.workflow.getHandle(`suspension:${body.id}`);
    expect(await saga.result()).toEqual({ outcome: 'ended' });
  }
});

test('no history names anybody', async () => {
  const { troubles } = await workflowTroubles(platform, market.people);
  expect(troubles).toEqual([]);
});
