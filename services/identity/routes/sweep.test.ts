import { ProblemError } from '../../../kernel/errors';
import { type Accounts, form, startAccounts, takesLong } from '../../../tests/support/accounts';

let accounts: Accounts;
beforeAll(async () => {
  accounts = await startAccounts();
});
afterEach(() => accounts.settle());
afterAll(() => accounts.close());

const NOTHING = { found: 0, started: 0, refused: 0 };

const sweep = async () => (await accounts.service.internal('POST', '/internal/users/sweep')).body;

const temporalIsAway = async () => {
  throw new ProblemError('upstream_unavailable', undefined, { retryAfterSeconds: 2 });
};

/** A registration whose saga could not be started, and whose person was told to register again. */
async function unstarted(change: object = {}) {
  const body = form(change);
  accounts.sagas.starting = temporalIsAway;
  expect((await accounts.register(body)).status).toBe(503);
  accounts.sagas.starting = async () => undefined;
  return body;
}

test('a registration that never began is completed, and its person can sign in', async () => {
  const { email } = await unstarted({ role: 'tutor' });
  expect(await sweep()).toEqual({ found: 1, started: 1, refused: 0 });
  expect(accounts.sagas.started).toMatchObject([{ type: 'userCreation', input: { role: 'tutor' } }]);
  await accounts.settle();
  expect((await accounts.login(email)).status).toBe(200);
  expect(await sweep()).toEqual(NOTHING);
});

test('one whose saga takes its time, or ran before and never came to its first step, is not found for ever', async () => {
  await unstarted();
  accounts.sagas.saga = takesLong;
  expect(await sweep()).toMatchObject({ started: 1 });
  expect(await sweep()).toEqual(NOTHING);
});

test('stays for the next sweep while Temporal is away', async () => {
  await unstarted();
  accounts.sagas.starting = temporalIsAway;
  expect(await accounts.service.internal('POST', '/internal/users/sweep')).toMatchObject({ status: 503 });
  accounts.sagas.starting = async () => undefined;
  expect(await sweep()).toMatchObject({ found: 1, started: 1 });
});

test('a registration that is still at work is left alone', async () => {
  let swept: unknown;
  accounts.sagas.starting = async () => {
    swept = await sweep();
  };
  expect((await accounts.register(form())).status).toBe(201);
  expect(swept).toEqual(NOTHING);
});

test('a person who registers again at that moment has one account, by the later password or told that it is taken', async () => {
  for (let round = 0; round < 5; round++) {
    const { email } = await unstarted();
    const again = form({ email, password: 'another horse battery' });
    const [reply] = await Promise.all([accounts.register(again), sweep()]);
    await accounts.settle();
    const mine = await accounts.login(email, reply.status === 201 ? again.password : undefined);
    expect([reply.status, mine.status]).toEqual([reply.status === 201 ? 201 : 409, 200]);
  }
});
