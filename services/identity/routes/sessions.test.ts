import { asc, eq } from 'drizzle-orm';
import { decodeJwt } from 'jose';
import { events, refreshTokens } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import { type Accounts, expectProblem, startAccounts } from '../../../tests/support/accounts';
import { uniqueEmail } from '../../../tests/support/users';
import { hashToken } from '../secrets';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

describe('login', () => {
  test('answers 200 with user and tokens of a new session', async () => {
    const { user } = await accounts.signUp();
    const reply = await accounts.login(user.email.toUpperCase());
    expect(reply.status).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.body.user).toEqual(user);
    expect((await accounts.me(reply.body.tokens.accessToken)).status).toBe(200);
    const { sid } = decodeJwt(reply.body.tokens.accessToken);
    const told = await accounts.service.database.db
      .select()
      .from(events)
      .where(eq(events.streamId, String(sid)))
      .orderBy(asc(events.version));
    expect(told).toMatchObject([{ type: 'UserLoggedIn', data: { userId: user.id, by: 'password' } }]);
  });

  test('an unknown address and a wrong password are refused with the same words', async () => {
    const { user } = await accounts.signUp();
    const wrong = await accounts.login(user.email, 'wrong password');
    const unknown = await accounts.login(uniqueEmail());
    const { requestId: _, ...first } = wrong.body;
    const { requestId: __, ...second } = unknown.body;
    expectProblem(wrong, 401, 'invalid_credentials');
    expect(second).toEqual(first);
  });

  test.each(['no address', 'a\u0000@example.com', '\u{1f600}', "' or 1=1 --", 'x'.repeat(1_024)])(
    'whatever is typed for an address is refused like an unknown one: %j',
    async (email) => {
      expectProblem(await accounts.login(email), 401, 'invalid_credentials');
    },
  );

  test('a password typed with combining accents is the same password', async () => {
    const { user } = await accounts.signUp({ password: 'caf\u00e9 caf\u00e9 caf\u00e9' });
    expect((await accounts.login(user.email, 'cafe\u0301 cafe\u0301 cafe\u0301')).status).toBe(200);
  });

  test('a password is neither trimmed nor cut', async () => {
    const { user } = await accounts.signUp({ password: `${' '.repeat(4)}secret${'x'.repeat(100)}` });
    expect((await accounts.login(user.email, `secret${'x'.repeat(100)}`)).status).toBe(401);
    expect((await accounts.login(user.email, `${' '.repeat(4)}secret${'x'.repeat(99)}`)).status).toBe(401);
  });
});

describe('refresh and logout', () => {
  test('a refresh answers tokens of the same session', async () => {
    const { refreshToken, accessToken } = await accounts.signUp();
    const reply = await accounts.refresh(refreshToken);
    expect(reply.status).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(decodeJwt(reply.body.tokens.accessToken).sid).toBe(decodeJwt(accessToken).sid);
    expect((await accounts.me(reply.body.tokens.accessToken)).status).toBe(200);
  });

  test('of ten refreshes at once with one token one answers 200, and the session lives', async () => {
    const { refreshToken, accessToken } = await accounts.signUp();
    const replies = await Promise.all(Array.from({ length: 10 }, () => accounts.refresh(refreshToken)));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)]);
    for (const reply of replies) if (reply.status === 401) expectProblem(reply, 401, 'invalid_refresh_token');
    expect((await accounts.me(accessToken)).status).toBe(200);
  });

  test('reuse after the grace period ends the session: newest refresh token and access token are refused', async () => {
    const { refreshToken } = await accounts.signUp();
    const next = (await accounts.refresh(refreshToken)).body.tokens;
    await accounts.service.database.db
      .update(refreshTokens)
      .set({ usedAt: new Date(Date.now() - 11_000) })
      .where(eq(refreshTokens.tokenHash, hashToken(refreshToken)));
    expectProblem(await accounts.refresh(refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await accounts.refresh(next.refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await accounts.me(next.accessToken), 401, 'unauthenticated');
  });

  test('a token that never was is refused', async () => {
    expectProblem(await accounts.refresh('x'), 401, 'invalid_refresh_token');
    expectProblem(await accounts.refresh('\u0000'), 401, 'invalid_refresh_token');
  });

  test('after logout identity refuses refresh and access token at once; logging out again is harmless', async () => {
    const { refreshToken, accessToken } = await accounts.signUp();
    const logout = () => accounts.service.ask('POST', '/api/auth/logout', { body: { refreshToken } });
    expect(await logout()).toMatchObject({ status: 204, body: '' });
    expectProblem(await accounts.me(accessToken), 401, 'unauthenticated');
    expectProblem(await accounts.refresh(refreshToken), 401, 'invalid_refresh_token');
    expect((await logout()).status).toBe(204);
  });
});

describe('sessions', () => {
  test('are listed with the current one marked, and ending one refuses its tokens at once', async () => {
    const { user, accessToken } = await accounts.signUp();
    const elsewhere = (await accounts.login(user.email)).body.tokens;
    const list = await accounts.service.ask('GET', '/api/auth/sessions', { token: accessToken });
    expect(list.status).toBe(200);
    expect(list.body.items.map(({ current }: { current: boolean }) => current)).toEqual([false, true]);
    const id = list.body.items[0].id;
    expect((await accounts.service.ask('DELETE', `/api/auth/sessions/${id}`, { token: accessToken })).status).toBe(204);
    expectProblem(await accounts.me(elsewhere.accessToken), 401, 'unauthenticated');
    expectProblem(await accounts.refresh(elsewhere.refreshToken), 401, 'invalid_refresh_token');
    expectProblem(
      await accounts.service.ask('DELETE', `/api/auth/sessions/${id}`, { token: accessToken }),
      404,
      'not_found',
    );
    expect((await accounts.me(accessToken)).status).toBe(200);
  });

  test('say how the person signed in, and so do access tokens', async () => {
    const { accessToken, refreshToken } = await accounts.signUp();
    const { body } = await accounts.service.ask('GET', '/api/auth/sessions', { token: accessToken });
    expect(body.items).toMatchObject([{ method: 'password' }]);
    const refreshed = await accounts.refresh(refreshToken);
    for (const token of [accessToken, refreshed.body.tokens.accessToken]) expect(decodeJwt(token).amr).toEqual(['pwd']);
  });

  test('are ended all but the one that asks, and those of another person go on', async () => {
    const { user, accessToken, refreshToken } = await accounts.signUp();
    const stranger = await accounts.signUp();
    const elsewhere = await Promise.all([1, 2].map(async () => (await accounts.login(user.email)).body.tokens));
    const end = () => accounts.service.ask('DELETE', '/api/auth/sessions', { token: accessToken });
    expect(await end()).toMatchObject({ status: 204, body: '' });
    for (const tokens of elsewhere) {
      expectProblem(await accounts.me(tokens.accessToken), 401, 'unauthenticated');
      expectProblem(await accounts.refresh(tokens.refreshToken), 401, 'invalid_refresh_token');
    }
    const { body } = await accounts.service.ask('GET', '/api/auth/sessions', { token: accessToken });
    expect(body).toMatchObject({ items: [{ current: true }], nextCursor: null });
    expect((await end()).status).toBe(204);
    expect((await accounts.me(stranger.accessToken)).status).toBe(200);
    expect((await accounts.refresh(refreshToken)).status).toBe(200);
    expectProblem(await accounts.service.ask('DELETE', '/api/auth/sessions'), 401, 'unauthenticated');
  });

  test('of another person are not found, and go on', async () => {
    const [ada, eve] = [await accounts.signUp(), await accounts.signUp()];
    const sid = String(decodeJwt(ada.accessToken).sid);
    for (const id of [sid, uuidv7(), 'no-uuid']) {
      expectProblem(
        await accounts.service.ask('DELETE', `/api/auth/sessions/${id}`, { token: eve.accessToken }),
        404,
        'not_found',
      );
    }
    expect((await accounts.me(ada.accessToken)).status).toBe(200);
  });

  test('come page by page; a cursor that is none is 422', async () => {
    const { user, accessToken } = await accounts.signUp();
    await accounts.login(user.email);
    const ask = (query: string) => accounts.service.ask('GET', `/api/auth/sessions?${query}`, { token: accessToken });
    const first = await ask('limit=1');
    expect(first.body.items).toHaveLength(1);
    const second = await ask(`limit=1&cursor=${first.body.nextCursor}`);
    expect(second.body).toMatchObject({ items: [{ current: true }], nextCursor: null });
    expectProblem(await ask('cursor=x'), 422, 'validation_failed');
    expectProblem(await ask('limit=101'), 422, 'validation_failed');
  });
});
