import { ProblemError } from '../../../kernel/errors';
import { DAY } from '../../../kernel/time';
import { type Accounts, expectProblem, password, startAccounts } from '../../../tests/support/accounts';
import { administrator } from '../../../tests/support/second-factor';

const woken: unknown[] = [];
/** What happens before Temporal takes a signal; it may throw. */
let waking = async (): Promise<void> => undefined;
let accounts: Accounts;
let token: string;
beforeAll(async () => {
  accounts = await startAccounts(undefined, undefined, async (type, input) => {
    await waking();
    woken.push({ type: type.workflowType, input });
  });
  const { user } = await accounts.signUp();
  const { service } = accounts;
  token = (await administrator(service, service.database.sql, { email: user.email, password })).token;
});
afterEach(() => accounts.settle());
afterAll(() => accounts.close());

const reason = 'Reported by several students';
const suspend = (id: string, body: object = { reason }, by = token) =>
  accounts.service.ask('POST', `/api/users/${id}/suspend`, { token: by, body });
const unsuspend = (id: string, by = token) =>
  accounts.service.ask('POST', `/api/users/${id}/unsuspend`, { token: by, body: { reason } });

test('whoever is kept out is refused at once, with the reason for it at the login, and comes in again', async () => {
  const { user, accessToken, refreshToken } = await accounts.signUp();
  accounts.sagas.started.length = 0;
  const until = new Date(Date.now() + DAY).toISOString();
  const reply = await suspend(user.id, { reason, until });
  expect(reply).toMatchObject({ status: 200, body: { userId: user.id, until, endedAt: null } });
  const input = { suspensionId: reply.body.id, userId: user.id };
  expect(accounts.sagas.started).toMatchObject([{ type: 'suspension', input }]);
  expectProblem(await accounts.me(accessToken), 401, 'unauthenticated');
  expectProblem(await accounts.refresh(refreshToken), 401, 'invalid_refresh_token');
  expectProblem(await accounts.login(user.email), 403, 'account_suspended');
  // Who does not know the password learns nothing of it.
  expectProblem(await accounts.login(user.email, `not ${password}`), 401, 'invalid_credentials');
  const listed = await accounts.service.ask('GET', '/api/users?status=suspended', { token });
  expect(listed.body.items).toMatchObject([{ id: user.id, status: 'suspended' }]);

  expect(await unsuspend(user.id)).toMatchObject({ status: 200, body: { id: reply.body.id } });
  expect(woken).toEqual([{ type: 'suspension', input }]);
  expect((await accounts.login(user.email)).status).toBe(200);
  expectProblem(await unsuspend(user.id), 409, 'invalid_state');
});

test.each([
  ['a short reason', { reason: 'because' }],
  ['a day that is over', { reason, until: '2020-01-01T00:00:00Z' }],
  ['a day that is none', { reason, until: 'tomorrow' }],
])('%s is refused', async (_, body) => {
  const { user } = await accounts.signUp();
  expectProblem(await suspend(user.id, body), 422, 'validation_failed');
});

test('students and tutors keep nobody out and let nobody in', async () => {
  for (const role of ['student', 'tutor']) {
    const { user, accessToken } = await accounts.signUp({ role });
    expectProblem(await suspend(user.id, { reason }, accessToken), 403, 'forbidden');
    expectProblem(await unsuspend(user.id, accessToken), 403, 'forbidden');
  }
});

test('is over while Temporal is away, and the sweep tells its saga then, until that has heard', async () => {
  const { user } = await accounts.signUp();
  const { id } = (await suspend(user.id)).body;
  await accounts.identity.lookAtSuspension(id, `suspension:${id}/look`);
  woken.length = 0;
  waking = async () => {
    throw new ProblemError('upstream_unavailable');
  };
  expect((await unsuspend(user.id)).status).toBe(200);
  expect((await accounts.login(user.email)).status).toBe(200);
  waking = async () => undefined;
  await accounts.service.database.sql`update suspensions set ended_at = now() - interval '1 minute' where id = ${id}`;
  const sweep = () => accounts.service.internal('POST', '/internal/suspensions/sweep');
  expect((await sweep()).body).toMatchObject({ found: 1, started: 0 });
  expect(woken).toEqual([{ type: 'suspension', input: { suspensionId: id, userId: user.id } }]);
  await accounts.identity.reinstateUser(id, `suspension:${id}/reinstate`);
  expect((await sweep()).body).toMatchObject({ found: 0 });
});

test('is in force while Temporal is away, and the sweep begins its saga then', async () => {
  const { user } = await accounts.signUp();
  accounts.sagas.starting = async () => {
    throw new ProblemError('upstream_unavailable');
  };
  expect((await suspend(user.id)).status).toBe(200);
  expectProblem(await accounts.login(user.email), 403, 'account_suspended');
  accounts.sagas.starting = async () => undefined;
  await accounts.service.database.sql`
    update suspensions set created_at = now() - interval '1 minute' where user_id = ${user.id}`;
  accounts.sagas.started.length = 0;
  const sweep = () => accounts.service.internal('POST', '/internal/suspensions/sweep');
  await sweep();
  expect(accounts.sagas.started).toContainEqual(
    expect.objectContaining({ type: 'suspension', input: expect.objectContaining({ userId: user.id }) }),
  );
  expect((await sweep()).body).toEqual({ found: 0, started: 0, refused: 0 });
});
