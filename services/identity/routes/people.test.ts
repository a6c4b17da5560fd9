import { uuidv7 } from '../../../platform/ids';
import { type Accounts, expectProblem, password, startAccounts } from '../../../tests/support/accounts';
import { administrator } from '../../../tests/support/second-factor';

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

describe('the list of users', () => {
  const list = (query: string, token?: string) =>
    accounts.service.ask('GET', `/api/users${query}`, token === undefined ? {} : { token });

  async function admin(): Promise<string> {
    const { user } = await accounts.signUp();
    const { service } = accounts;
    return (await administrator(service, service.database.sql, { email: user.email, password })).token;
  }

  test('is for administrators, who find people by name or address', async () => {
    const token = await admin();
    const { user } = await accounts.signUp({ firstName: 'Hypatia', role: 'tutor' });
    for (const q of ['hypa', user.email.toUpperCase()]) {
      const { status, body } = await list(`?q=${encodeURIComponent(q)}`, token);
      expect([status, body]).toEqual([200, { items: [user], nextCursor: null }]);
    }
    expect((await list('?q=hypatia&role=student', token)).body.items).toEqual([]);
    expect((await list('?q=hypatia&role=tutor&status=active', token)).body.items).toEqual([user]);
    expect((await list('?q=hypatia&status=pending', token)).body.items).toEqual([]);
  });

  test('comes page by page, newest first', async () => {
    const token = await admin();
    const [first, second] = [await accounts.signUp(), await accounts.signUp()];
    const page = (await list('?limit=1', token)).body;
    const next = (await list(`?limit=1&cursor=${page.nextCursor}`, token)).body;
    expect([...page.items, ...next.items]).toEqual([second.user, first.user]);
    for (const query of ['?cursor=x', '?limit=0', '?role=owner', '?status=gone', `?q=${'x'.repeat(255)}`, '?name=x'])
      expectProblem(await list(query, token), 422, 'validation_failed');
  });

  test('is nobody else’s', async () => {
    for (const role of ['student', 'tutor']) {
      const { accessToken } = await accounts.signUp({ role });
      for (const query of ['', '?q=ada', '?q=x&cursor=x'])
        expectProblem(await list(query, accessToken), 403, 'forbidden');
    }
    expectProblem(await list(''), 401, 'unauthenticated');
  });
});
