import { decodeJwt } from 'jose';
import { z } from 'zod';
import { ProblemError } from '../../../kernel/errors';
import { type Accounts, expectProblem, password, startAccounts } from '../../../tests/support/accounts';
import { eventually } from '../../../tests/support/platform';
import { administrator } from '../../../tests/support/second-factor';

let accounts: Accounts;
beforeAll(async () => {
  accounts = await startAccounts();
});
afterEach(() => accounts.settle());
afterAll(() => accounts.close());

/** Somebody who is an administrator and signed in as one. */
async function admin(): Promise<{ id: string; token: string }> {
  const { user } = await accounts.signUp();
  const { service } = accounts;
  const { token } = await administrator(service, service.database.sql, { email: user.email, password });
  return { id: user.id, token };
}
const reason = 'Asked for by phone';
const change = (id: string, token: string, body: object) =>
  accounts.service.ask('PATCH', `/api/users/${id}/role`, { token, body });

test('an administrator gives a role; tokens of before are refused at once, and the next sign-in has the new one', async () => {
  const by = await admin();
  const { user, accessToken, refreshToken } = await accounts.signUp();
  const reply = await change(user.id, by.token, { role: 'admin', reason });
  expect(reply).toMatchObject({ status: 200, body: { id: user.id, role: 'admin', email: user.email } });
  expectProblem(await accounts.me(accessToken), 401, 'unauthenticated');
  expectProblem(await accounts.refresh(refreshToken), 401, 'invalid_refresh_token');
  const { body } = await accounts.login(user.email);
  expect(decodeJwt(body.tokens.accessToken)).toMatchObject({ sub: user.id, role: 'admin' });
  const acts = await accounts.service.ask('GET', `/api/identity-acts?subjectId=${user.id}`, { token: by.token });
  expect(acts.body.items).toMatchObject([{ adminId: by.id, act: 'role_changed', reason, after: { role: 'admin' } }]);
});

test('who became an administrator and is none any more has nothing of one', async () => {
  const [one, two] = [await admin(), await admin()];
  expect(await change(two.id, one.token, { role: 'student', reason })).toMatchObject({ status: 200 });
  expectProblem(await change(one.id, two.token, { role: 'student', reason }), 401, 'unauthenticated');
});

test('students and tutors give nobody a role, not even themselves', async () => {
  for (const role of ['student', 'tutor']) {
    const { user, accessToken } = await accounts.signUp({ role });
    expectProblem(await change(user.id, accessToken, { role: 'admin', reason }), 403, 'forbidden');
  }
});

test.each([
  ['no reason', { role: 'admin' }],
  ['a short reason', { role: 'admin', reason: 'because' }],
  ['a role that there is not', { role: 'root', reason }],
  ['more than is asked', { role: 'admin', reason, status: 'active' }],
])('%s is refused', async (_, body) => {
  const by = await admin();
  const { user } = await accounts.signUp();
  expectProblem(await change(user.id, by.token, body), 422, 'validation_failed');
});

test('a tutor does not become a student', async () => {
  const by = await admin();
  const { user } = await accounts.signUp({ role: 'tutor' });
  expectProblem(await change(user.id, by.token, { role: 'student', reason }), 409, 'invalid_state');
});

describe('a student who becomes a tutor', () => {
  const ask = (id: string, token: string) => accounts.service.ask('POST', `/api/users/${id}/tutor-account`, { token });
  /** Plays the saga of the latest request, once it is started. */
  const ends = async (how: 'opened' | 'refused') => {
    const { input } = await eventually('the saga is started', async () => accounts.sagas.started.at(-1));
    const { requestId } = z.object({ requestId: z.string() }).parse(input);
    const key = `tutor-account:${requestId}`;
    if (how === 'refused') return accounts.identity.refuseTutorAccount(requestId, `${key}/begin/undo`);
    await accounts.identity.beginTutorAccount(requestId, `${key}/begin`);
    return accounts.identity.becomeTutor(requestId, `${key}/role`);
  };

  test('by their own wish is answered as one, stays signed in and has the role at the next refresh', async () => {
    const { user, accessToken, refreshToken } = await accounts.signUp();
    accounts.sagas.started.length = 0;
    const [reply] = await Promise.all([ask(user.id, accessToken), ends('opened')]);
    expect(reply).toMatchObject({ status: 200, body: { id: user.id, role: 'tutor' } });
    expect(accounts.sagas.started).toMatchObject([{ type: 'tutorAccount', input: { userId: user.id } }]);
    expect((await accounts.me(accessToken)).body.role).toBe('tutor');
    const { body } = await accounts.refresh(refreshToken);
    expect(decodeJwt(body.tokens.accessToken)).toMatchObject({ role: 'tutor' });
    expect(await ask(user.id, accessToken)).toMatchObject({ status: 200, body: { role: 'tutor' } });
    expect(accounts.sagas.started).toHaveLength(1);
  });

  test('by an administrator likewise', async () => {
    const by = await admin();
    const { user, accessToken } = await accounts.signUp();
    accounts.sagas.started.length = 0;
    const [reply] = await Promise.all([change(user.id, by.token, { role: 'tutor', reason }), ends('opened')]);
    expect(reply).toMatchObject({ status: 200, body: { role: 'tutor' } });
    expect((await accounts.me(accessToken)).status).toBe(200);
  });

  test('hears that it came to nothing, and can ask again', async () => {
    const { user, accessToken } = await accounts.signUp();
    accounts.sagas.started.length = 0;
    const [reply] = await Promise.all([ask(user.id, accessToken), ends('refused')]);
    expectProblem(reply, 503, 'upstream_unavailable');
    expect((await accounts.me(accessToken)).body.role).toBe('student');
    accounts.sagas.started.length = 0;
    const [again] = await Promise.all([ask(user.id, accessToken), ends('opened')]);
    expect(again.status).toBe(200);
  });

  test('asks for nobody else', async () => {
    const [{ user }, { accessToken }] = [await accounts.signUp(), await accounts.signUp()];
    expectProblem(await ask(user.id, accessToken), 404, 'not_found');
  });

  test('is answered 202 while Temporal is away, and the sweep begins it then', async () => {
    const { user, accessToken } = await accounts.signUp();
    accounts.sagas.starting = async () => {
      throw new ProblemError('upstream_unavailable');
    };
    const reply = await ask(user.id, accessToken);
    expect(reply).toMatchObject({ status: 202, body: { id: user.id, role: 'student' } });
    accounts.sagas.starting = async () => undefined;
    await accounts.service.database.sql`update tutor_accounts set created_at = now() - interval '1 minute'`;
    const sweep = () => accounts.service.internal('POST', '/internal/tutor-accounts/sweep');
    accounts.sagas.started.length = 0;
    expect((await sweep()).body).toEqual({ found: 1, started: 1, refused: 0 });
    expect(accounts.sagas.started).toMatchObject([{ type: 'tutorAccount', input: { userId: user.id } }]);
    expect((await sweep()).body).toEqual({ found: 0, started: 0, refused: 0 });
  }, 30_000);
});
