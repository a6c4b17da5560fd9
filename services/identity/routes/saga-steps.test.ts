import { decodeJwt } from 'jose';
import { emailVerifications } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { type Accounts, completes, expectProblem, startAccounts } from '../../../tests/support/accounts';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

describe('what activities call', () => {
  test('needs a service token: neither anonymous people nor users get in', async () => {
    const { user, accessToken } = await accounts.signUp();
    expectProblem(await accounts.service.ask('GET', `/internal/users/${user.id}`), 401, 'unauthenticated');
    expectProblem(
      await accounts.service.ask('GET', `/internal/users/${user.id}`, { token: accessToken }),
      401,
      'unauthenticated',
    );
  });

  test('a session is open until it has ended or expired, and one that never was is not', async () => {
    const { accessToken, refreshToken } = await accounts.signUp();
    const sid = String(decodeJwt(accessToken).sid);
    const other = String(decodeJwt((await accounts.signUp()).accessToken).sid);
    const ask = (id: string) => accounts.service.internal('GET', `/internal/sessions/${id}`);
    for (const id of [sid, other]) expect(await ask(id)).toMatchObject({ status: 200, body: { open: true } });
    await accounts.service.ask('POST', '/api/auth/logout', { body: { refreshToken } });
    await accounts.service.database.sql`update user_sessions set expires_at = now() where id = ${other}`;
    for (const id of [sid, other, uuidv7()])
      expect(await ask(id)).toMatchObject({ status: 200, body: { open: false } });
    const token = { token: accessToken };
    expectProblem(await accounts.service.ask('GET', `/internal/sessions/${sid}`, token), 401, 'unauthenticated');
  });

  test('both people of a booking are read in one call, and nothing by which they are reached', async () => {
    const [one, two] = [await accounts.signUp(), await accounts.signUp()];
    const path = `/internal/people?first=${one.user.id}&second=${two.user.id}`;
    const { body } = await accounts.service.internal('GET', path);
    expect(body).toEqual(await accounts.identity.getPeople(one.user.id, two.user.id));
    const named = { firstName: 'Ada', lastName: 'Lovelace', timeZone: 'UTC', locale: 'en' };
    expect(body).toEqual({ first: { id: one.user.id, ...named }, second: { id: two.user.id, ...named } });
    await expect(accounts.identity.getPeople(one.user.id, uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a worker of before gets their addresses too', async () => {
    const [one, two] = [await accounts.signUp(), await accounts.signUp()];
    const { body } = await accounts.service.internal(
      'GET',
      `/internal/users?first=${one.user.id}&second=${two.user.id}`,
    );
    expect([body.first.id, body.second.email, body.second.emailVerified]).toEqual([one.user.id, two.user.email, false]);
  });

  test('where a person is reached is told one by one and by the page', async () => {
    const { user } = await accounts.signUp();
    const contact = await accounts.identity.getContact(user.id);
    expect(contact).toEqual({
      ...{ userId: user.id, email: user.email, emailVerified: false, name: 'Ada Lovelace', locale: 'en' },
      ...{ timeZone: 'UTC', asOf: expect.stringMatching(/^20\d\d-.*Z$/) },
    });
    await expect(accounts.identity.getContact(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
    const { items, next } = await accounts.identity.listContacts(null, 500);
    expect(items).toContainEqual(contact);
    expect(next).toBeNull();
    expect((await accounts.identity.listContacts(user.id, 1)).items.map(({ userId }) => userId)).not.toContain(user.id);
    expect(await accounts.service.internal('GET', '/internal/contacts?limit=501')).toMatchObject({ status: 422 });
  });

  test('a user is read with name and address, before and after activation; an unknown one is 404', async () => {
    accounts.sagas.saga = async (client, { userId }) => {
      expect(await client.getUser(userId)).toMatchObject({ status: 'pending', firstName: 'Ada', timeZone: 'UTC' });
      await completes(client, { userId, role: 'student' });
    };
    const { user } = await accounts.signUp();
    expect(await accounts.identity.getUser(user.id)).toEqual({
      id: user.id,
      email: user.email,
      role: 'student',
      status: 'active',
      emailVerified: false,
      firstName: 'Ada',
      lastName: 'Lovelace',
      timeZone: 'UTC',
      locale: 'en',
    });
    await expect(accounts.identity.getUser(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a verification token proves the address once, and its reply is stored nowhere', async () => {
    const { user, accessToken } = await accounts.signUp();
    const { token } = await accounts.identity.issueEmailVerification(user.id, `user:${user.id}/verify`);
    expect(JSON.stringify(await accounts.service.database.sql`select * from idempotency_keys`)).not.toContain(token);
    expect(JSON.stringify(await accounts.service.database.db.select().from(emailVerifications))).not.toContain(token);
    const verify = () => accounts.service.ask('POST', '/api/auth/verify-email', { body: { token } });
    expect((await verify()).status).toBe(204);
    expect((await accounts.me(accessToken)).body.emailVerified).toBe(true);
    expectProblem(await verify(), 400, 'invalid_token');
  });

  test('an active user is not undone', async () => {
    const { user } = await accounts.signUp();
    await expect(accounts.identity.removeUser(user.id, `user:${user.id}/register/undo`)).rejects.toMatchObject({
      code: 'invalid_state',
    });
    await expect(accounts.identity.removeProfile(user.id, `user:${user.id}/profile/undo`)).rejects.toMatchObject({
      code: 'invalid_state',
    });
  });
});
