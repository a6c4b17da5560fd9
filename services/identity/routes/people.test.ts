import { uuidv7 } from '../../../platform/ids';
import { type Accounts, expectProblem, startAccounts } from '../../../tests/support/accounts';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

describe('the own profile', () => {
  const patch = (id: string, token: string, body: object, key?: string) =>
    accounts.service.ask('PATCH', `/api/users/${id}`, { token, body, ...(key && { key }) });

  test('changes by the fields that are sent, normalised', async () => {
    const { user, accessToken } = await accounts.signUp();
    const reply = await patch(user.id, accessToken, {
      firstName: '  Cafe\u0301 ',
      avatarUrl: 'https://cdn.example.com/a.png',
      locale: 'FR-ca',
    });
    expect(reply.status).toBe(200);
    expect(reply.body.profile).toEqual({
      firstName: 'Caf\u00e9',
      lastName: 'Lovelace',
      avatarUrl: 'https://cdn.example.com/a.png',
      timeZone: 'UTC',
      locale: 'fr-CA',
    });
    expect((await patch(user.id, accessToken, { avatarUrl: null })).body.profile.avatarUrl).toBeNull();
  });

  test('a repeated key answers the first reply, another body under it is refused', async () => {
    const { user, accessToken } = await accounts.signUp();
    const first = await patch(user.id, accessToken, { firstName: 'Augusta' }, 'change-1');
    await patch(user.id, accessToken, { firstName: 'Grace' });
    expect((await patch(user.id, accessToken, { firstName: 'Augusta' }, 'change-1')).body).toEqual(first.body);
    expectProblem(await patch(user.id, accessToken, { firstName: 'Eve' }, 'change-1'), 422, 'idempotency_key_reused');
    expect((await accounts.me(accessToken)).body.profile.firstName).toBe('Grace');
  });

  test("another person's is not found, whoever asks", async () => {
    const [ada, eve] = [await accounts.signUp(), await accounts.signUp({ role: 'tutor' })];
    for (const id of [ada.user.id, uuidv7(), 'x']) {
      expectProblem(await patch(id, eve.accessToken, { firstName: 'Eve' }), 404, 'not_found');
    }
    expect((await accounts.me(ada.accessToken)).body.profile.firstName).toBe('Ada');
  });

  test('holds no field by which one could raise oneself', async () => {
    const { user, accessToken } = await accounts.signUp();
    for (const change of [
      { role: 'admin' },
      { status: 'active' },
      { email: 'x@example.com' },
      { emailVerified: true },
      {},
    ]) {
      expectProblem(await patch(user.id, accessToken, change), 422, 'validation_failed');
    }
  });
});
