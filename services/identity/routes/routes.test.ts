import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { asc, eq } from 'drizzle-orm';
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { z } from 'zod';
import { emailVerifications, events, refreshTokens, signingKeys, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { serviceTokens, TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_ISSUER, userVerifier } from '../../../platform/auth';
import { createServiceClient } from '../../../platform/http-client';
import { uuidv7 } from '../../../platform/ids';
import { openApiDocument } from '../../../platform/openapi';
import { type Reply, startTestService, type TestService } from '../../../tests/support/service';
import type { UserCreationInput } from '../../../workflows/user-creation.api';
import { createIdentityClient, type IdentityClient } from '../client';
import { identityContract } from '../contract';
import { hashToken } from '../secrets';
import { identityService } from '.';

/** What stands in for the saga: the same calls, made by the typed client over HTTP. Each test may put another in its place. */
type Saga = (identity: IdentityClient, input: UserCreationInput) => Promise<void>;

const completes: Saga = async (identity, { userId }) => {
  await identity.createProfile(userId, `user:${userId}/profile`);
  await identity.activateUser(userId, `user:${userId}/activate`);
};
const isUndone: Saga = async (identity, { userId }) => {
  await identity.createProfile(userId, `user:${userId}/profile`);
  await identity.removeProfile(userId, `user:${userId}/profile/undo`);
  await identity.removeUser(userId, `user:${userId}/register/undo`);
};
const takesLong: Saga = async () => undefined;

/** Ids and role only: people read histories. */
const sagaInput = z.strictObject({ userId: z.uuid(), role: z.enum(['student', 'tutor']) });

let service: TestService;
let identity: IdentityClient;
let saga: Saga = completes;
let starting: () => Promise<void> = async () => undefined;
const started: { type: string; workflowId: string; input: unknown }[] = [];
const running: Promise<void>[] = [];

const off = { RATE_LIMIT_LOGIN: 'off', RATE_LIMIT_LOGIN_ADDRESS: 'off', RATE_LIMIT_REGISTER: 'off' };

async function startService(environment: Record<string, string>): Promise<TestService> {
  return startTestService(identityService, {
    environment,
    sagas: {
      start: async (type, input) => {
        await starting();
        started.push({ type: type.workflowType, workflowId: type.workflowId(input), input });
        running.push(saga(identity, sagaInput.parse(input)));
      },
    },
  });
}

function clientOf(of: TestService): IdentityClient {
  return createIdentityClient(createServiceClient(of.url, serviceTokens(of.config.SERVICE_TOKEN_SECRET)));
}

beforeAll(async () => {
  service = await startService(off);
  identity = clientOf(service);
});

afterAll(() => service.close());

beforeEach(() => {
  saga = completes;
  starting = async () => undefined;
  started.length = 0;
});

afterEach(() => Promise.all(running.splice(0)));

const uniqueEmail = () => `user-${uuidv7()}@example.com`;
const password = 'correct horse battery';
const form = (change: object = {}) => ({
  email: uniqueEmail(),
  password,
  role: 'student',
  firstName: 'Ada',
  lastName: 'Lovelace',
  ...change,
});
const register = (body: object) => service.ask('POST', '/api/auth/register', { body });
const login = (email: string, pass = password) =>
  service.ask('POST', '/api/auth/login', { body: { email, password: pass } });
const refresh = (refreshToken: string) => service.ask('POST', '/api/auth/refresh', { body: { refreshToken } });
const me = (token: string) => service.ask('GET', '/api/auth/me', { token });

async function signUp(change: object = {}) {
  const reply = await register(form(change));
  expect(reply.status).toBe(201);
  const { user, tokens } = reply.body;
  return { user, accessToken: String(tokens.accessToken), refreshToken: String(tokens.refreshToken) };
}

function expectProblem(reply: Reply, status: number, code: string): void {
  expect({ status: reply.status, code: reply.body.code }).toEqual({ status, code });
  expect(String(reply.headers['content-type'])).toContain('application/problem+json');
}

describe('register', () => {
  test('answers 201 with the active user and tokens that work, kept by no cache', async () => {
    const body = form({ role: 'tutor', timeZone: 'Europe/Vienna', locale: 'DE-at', email: ' Ada.L@EXAMPLE.com ' });
    const reply = await register(body);
    expect(reply.status).toBe(201);
    expect(reply.headers['cache-control']).toBe('no-store');
    const { user, tokens } = reply.body;
    expect(user).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      email: 'Ada.L@example.com',
      role: 'tutor',
      status: 'active',
      emailVerified: false,
      profile: { firstName: 'Ada', lastName: 'Lovelace', avatarUrl: null, timeZone: 'Europe/Vienna', locale: 'de-AT' },
      createdAt: expect.stringMatching(/Z$/),
    });
    expect(tokens).toMatchObject({ tokenType: 'Bearer' });
    expect((await me(tokens.accessToken)).body).toEqual(user);
    expect((await refresh(tokens.refreshToken)).status).toBe(200);
    expect(started).toEqual([
      { type: 'userCreation', workflowId: `user:${user.id}`, input: { userId: user.id, role: 'tutor' } },
    ]);
  });

  test('stores no password and no token in the clear, and tells no event of name or address', async () => {
    const body = form({ firstName: 'Rumpel' });
    const { tokens, user } = (await register(body)).body;
    const dump = JSON.stringify([
      await service.database.db.select().from(users).where(eq(users.id, user.id)),
      await service.database.db.select().from(refreshTokens),
    ]);
    expect(dump).toContain('$argon2id$');
    for (const secret of [password, tokens.refreshToken, tokens.accessToken]) expect(dump).not.toContain(secret);
    const told = JSON.stringify(await service.database.db.select().from(events));
    for (const personal of ['Rumpel', body.email, password, tokens.refreshToken]) expect(told).not.toContain(personal);
    const replies = JSON.stringify(await service.database.sql`select key, reply_body from idempotency_keys`);
    for (const secret of [body.email, password, tokens.refreshToken]) expect(replies).not.toContain(secret);
  });

  test('of ten registrations of one address at once one answers 201, the others that it is taken', async () => {
    const body = form();
    const replies = await Promise.all(Array.from({ length: 10 }, () => register(body)));
    expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
    for (const reply of replies) if (reply.status === 409) expectProblem(reply, 409, 'email_taken');
    expect(started).toHaveLength(1);
  });

  test('an address is taken whatever the case of its letters', async () => {
    const body = form();
    await signUp(body);
    expectProblem(await register({ ...body, email: body.email.toUpperCase() }), 409, 'email_taken');
  });

  test('an Idempotency-Key has no effect: tokens are never stored to be repeated', async () => {
    const body = form();
    expect((await service.ask('POST', '/api/auth/register', { body, key: 'k' })).status).toBe(201);
    expectProblem(await service.ask('POST', '/api/auth/register', { body, key: 'k' }), 409, 'email_taken');
  });

  test('a sign-up over ten seconds answers 202 with the pending user and no tokens; login waits for it', async () => {
    saga = takesLong;
    const body = form();
    const before = Date.now();
    const reply = await register(body);
    expect(Date.now() - before).toBeLessThan(11_500);
    expect(reply.status).toBe(202);
    expect(Object.keys(reply.body)).toEqual(['user']);
    expect(reply.body.user).toMatchObject({ status: 'pending', profile: { firstName: 'Ada' } });
    expectProblem(await login(body.email), 403, 'account_pending');
    expectProblem(await login(body.email, 'wrong password'), 401, 'invalid_credentials');
    expectProblem(await register(body), 409, 'email_taken');
    await completes(identity, { userId: reply.body.user.id, role: 'student' });
    expect((await login(body.email)).status).toBe(200);
  }, 20_000);

  test('a sign-up that was undone answers 503 with Retry-After, and the address registers again at once', async () => {
    saga = isUndone;
    const body = form();
    const reply = await register(body);
    expectProblem(reply, 503, 'upstream_unavailable');
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expectProblem(await login(body.email), 401, 'invalid_credentials');
    saga = completes;
    expect((await register(body)).status).toBe(201);
  });

  test('a saga engine that is down answers 503, and nothing keeps the next try from working: same id, new data', async () => {
    starting = async () => {
      throw new ProblemError('upstream_unavailable', 'down', { retryAfterSeconds: 2 });
    };
    const body = form();
    const reply = await register(body);
    expectProblem(reply, 503, 'upstream_unavailable');
    expect(reply.headers['retry-after']).toBe('2');
    const pending = await service.database.db.select({ id: users.id }).from(users).where(eq(users.email, body.email));
    starting = async () => undefined;
    const again = await register({ ...body, firstName: 'Grace', password: 'another password' });
    expect(again.status).toBe(201);
    expect(again.body.user).toMatchObject({ id: pending[0]?.id, profile: { firstName: 'Grace' } });
    expect((await login(body.email, 'another password')).status).toBe(200);
    expectProblem(await login(body.email), 401, 'invalid_credentials');
  });

  test('when the doubtful start of a taken-over user had happened after all, the saga makes what was registered last', async () => {
    const first = form({ role: 'student' });
    starting = async () => {
      throw new ProblemError('upstream_unavailable', 'answer lost');
    };
    await register(first);
    starting = async () => undefined;
    const roles: string[] = [];
    saga = async (client, { userId }) => {
      // The first start's saga: its input still says student.
      roles.push((await client.createProfile(userId, `user:${userId}/profile`)).role);
      await client.activateUser(userId, `user:${userId}/activate`);
    };
    const reply = await register({ ...first, role: 'tutor', firstName: 'Grace' });
    expect(reply.body.user).toMatchObject({ role: 'tutor', profile: { firstName: 'Grace' } });
    expect(roles).toEqual(['tutor']);
  });

  test('a registration that is taken over while its saga starts answers 503 and opens no session', async () => {
    const body = form();
    let other: Reply | undefined;
    starting = async () => {
      starting = async () => undefined;
      // Its lease has run out, as that of a process that hung would.
      await service.database
        .sql`update users set attempt_until = now() - interval '1 minute' where email = ${body.email}`;
      other = await register({ ...body, firstName: 'Grace' });
    };
    expectProblem(await register(body), 503, 'upstream_unavailable');
    expect(other?.body).toMatchObject({ user: { status: 'active', profile: { firstName: 'Grace' } }, tokens: {} });
  });

  test.each<[string, object, string]>([
    ['an unknown role', { role: 'admin' }, 'role'],
    ['a field that is not for clients to set', { status: 'active' }, 'status'],
    ['a short password', { password: 'too short' }, 'password'],
    ['a long password', { password: 'x'.repeat(129) }, 'password'],
    ['no e-mail address', { email: 'ada' }, 'email'],
    ['NUL in a name', { firstName: 'A\u0000' }, 'firstName'],
    ['half a character in a name', { lastName: '\ud800' }, 'lastName'],
    ['a zone that does not exist', { timeZone: 'Moon/Crater' }, 'timeZone'],
    ['a number for a name', { firstName: 42 }, 'firstName'],
  ])('refuses %s and says where', async (_, change, path) => {
    const reply = await register(form(change));
    expectProblem(reply, 422, 'validation_failed');
    expect(reply.body.errors.map((error: { path: string }) => error.path)).toEqual([path]);
    expect(JSON.stringify(reply.body)).not.toContain(password);
  });

  test('takes names of any script and passwords of emoji', async () => {
    const change = {
      firstName: '\u{1f469}\u200d\u{1f3eb} 山田',
      lastName: '<b>O’Neil</b>',
      password: '\u{1f511}'.repeat(10),
    };
    const { user } = await signUp(change);
    expect(user.profile).toMatchObject({ firstName: change.firstName, lastName: change.lastName });
    expect((await login(user.email, change.password)).status).toBe(200);
    expectProblem(await login(user.email, '\u{1f511}'.repeat(9)), 401, 'invalid_credentials');
  });
});

describe('login', () => {
  test('answers 200 with user and tokens of a new session', async () => {
    const { user } = await signUp();
    const reply = await login(user.email.toUpperCase());
    expect(reply.status).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.body.user).toEqual(user);
    expect((await me(reply.body.tokens.accessToken)).status).toBe(200);
    const { sid } = decodeJwt(reply.body.tokens.accessToken);
    const told = await service.database.db
      .select()
      .from(events)
      .where(eq(events.streamId, String(sid)))
      .orderBy(asc(events.version));
    expect(told).toMatchObject([{ type: 'UserLoggedIn', data: { userId: user.id, by: 'password' } }]);
  });

  test('an unknown address and a wrong password are refused with the same words', async () => {
    const { user } = await signUp();
    const wrong = await login(user.email, 'wrong password');
    const unknown = await login(uniqueEmail());
    const { requestId: _, ...first } = wrong.body;
    const { requestId: __, ...second } = unknown.body;
    expectProblem(wrong, 401, 'invalid_credentials');
    expect(second).toEqual(first);
  });

  test.each(['no address', 'a\u0000@example.com', '\u{1f600}', "' or 1=1 --", 'x'.repeat(1_024)])(
    'whatever is typed for an address is refused like an unknown one: %j',
    async (email) => {
      expectProblem(await login(email), 401, 'invalid_credentials');
    },
  );

  test('a password typed with combining accents is the same password', async () => {
    const { user } = await signUp({ password: 'caf\u00e9 caf\u00e9 caf\u00e9' });
    expect((await login(user.email, 'cafe\u0301 cafe\u0301 cafe\u0301')).status).toBe(200);
  });

  test('a password is neither trimmed nor cut', async () => {
    const { user } = await signUp({ password: `${' '.repeat(4)}secret${'x'.repeat(100)}` });
    expect((await login(user.email, `secret${'x'.repeat(100)}`)).status).toBe(401);
    expect((await login(user.email, `${' '.repeat(4)}secret${'x'.repeat(99)}`)).status).toBe(401);
  });
});

describe('refresh and logout', () => {
  test('a refresh answers tokens of the same session', async () => {
    const { refreshToken, accessToken } = await signUp();
    const reply = await refresh(refreshToken);
    expect(reply.status).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(decodeJwt(reply.body.tokens.accessToken).sid).toBe(decodeJwt(accessToken).sid);
    expect((await me(reply.body.tokens.accessToken)).status).toBe(200);
  });

  test('of ten refreshes at once with one token one answers 200, and the session lives', async () => {
    const { refreshToken, accessToken } = await signUp();
    const replies = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)]);
    for (const reply of replies) if (reply.status === 401) expectProblem(reply, 401, 'invalid_refresh_token');
    expect((await me(accessToken)).status).toBe(200);
  });

  test('reuse after the grace period ends the session: newest refresh token and access token are refused', async () => {
    const { refreshToken } = await signUp();
    const next = (await refresh(refreshToken)).body.tokens;
    await service.database.db
      .update(refreshTokens)
      .set({ usedAt: new Date(Date.now() - 11_000) })
      .where(eq(refreshTokens.tokenHash, hashToken(refreshToken)));
    expectProblem(await refresh(refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await refresh(next.refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await me(next.accessToken), 401, 'unauthenticated');
  });

  test('a token that never was is refused', async () => {
    expectProblem(await refresh('x'), 401, 'invalid_refresh_token');
    expectProblem(await refresh('\u0000'), 401, 'invalid_refresh_token');
  });

  test('after logout identity refuses refresh and access token at once; logging out again is harmless', async () => {
    const { refreshToken, accessToken } = await signUp();
    const logout = () => service.ask('POST', '/api/auth/logout', { body: { refreshToken } });
    expect(await logout()).toMatchObject({ status: 204, body: '' });
    expectProblem(await me(accessToken), 401, 'unauthenticated');
    expectProblem(await refresh(refreshToken), 401, 'invalid_refresh_token');
    expect((await logout()).status).toBe(204);
  });
});

describe('access tokens', () => {
  const claims = () => ({ role: 'student', sid: uuidv7() });
  const jws = (header: object, payload: object, signature: Buffer) =>
    [Buffer.from(JSON.stringify(header)), Buffer.from(JSON.stringify(payload)), signature]
      .map((part) => part.toString('base64url'))
      .join('.');

  test('other services verify them by the published keys', async () => {
    const { accessToken, user } = await signUp();
    expect(await userVerifier(service.url)(accessToken)).toMatchObject({ id: user.id, role: 'student' });
    const jwks = await service.ask('GET', '/api/auth/.well-known/jwks.json');
    expect(jwks.headers['cache-control']).toBe('public, max-age=300');
    expect(jwks.body.keys).toMatchObject([{ kid: decodeProtectedHeader(accessToken).kid, alg: 'ES256', use: 'sig' }]);
    expect(JSON.stringify(jwks.body)).not.toContain('"d"');
  });

  test('none, a foreign key, a borrowed key id, another algorithm and a changed payload are refused', async () => {
    const { accessToken, user } = await signUp();
    const [header = '', payload = '', signature = ''] = accessToken.split('.');
    const real = decodeJwt(accessToken);
    const kid = decodeProtectedHeader(accessToken).kid;
    const foreign = await generateKeyPair(TOKEN_ALGORITHM);
    const signed = (head: { alg: string; kid?: string | undefined; jwk?: object; jku?: string }) =>
      new SignJWT(real).setProtectedHeader(head).sign(foreign.privateKey);
    const promoted = Buffer.from(JSON.stringify({ ...real, role: 'admin' })).toString('base64url');
    const published = (await service.ask('GET', '/api/auth/.well-known/jwks.json')).body.keys[0];
    const attempts = [
      jws({ alg: 'none', kid }, real, Buffer.alloc(0)),
      jws({ alg: 'NONE' }, real, Buffer.alloc(0)),
      await signed({ alg: TOKEN_ALGORITHM, kid }),
      await signed({ alg: TOKEN_ALGORITHM, kid: 'unknown' }),
      await signed({ alg: TOKEN_ALGORITHM }),
      await signed({ alg: TOKEN_ALGORITHM, jwk: await exportJWK(foreign.publicKey) }),
      await signed({ alg: TOKEN_ALGORITHM, kid, jku: 'https://evil.example/jwks.json' }),
      await new SignJWT(real)
        .setProtectedHeader({ alg: 'HS256', kid: String(kid) })
        .sign(Buffer.from(JSON.stringify(published))),
      `${header}.${promoted}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      'x',
    ];
    for (const token of attempts) expectProblem(await me(token), 401, 'unauthenticated');
    expect((await me(accessToken)).body.id).toBe(user.id);
  });

  test('expired, for another audience, by another issuer, without expiry or with claims of no use: refused', async () => {
    const { accessToken, user } = await signUp();
    const { sid } = decodeJwt(accessToken);
    const { kid, key } = await ownKey();
    const make = (change: (token: SignJWT) => SignJWT, own: object = { role: 'student', sid }) =>
      change(
        new SignJWT({ ...own })
          .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid })
          .setSubject(user.id)
          .setIssuer(TOKEN_ISSUER)
          .setAudience(TOKEN_AUDIENCE)
          .setExpirationTime('15m'),
      ).sign(key);
    expect((await me(await make((token) => token))).status).toBe(200); // the key itself is good
    const attempts = [
      make((token) => token.setExpirationTime(Math.floor(Date.now() / 1_000) - 1)),
      make((token) => token.setAudience('tutorconnect-internal')),
      make((token) => token.setIssuer('someone')),
      make((token) => token.setNotBefore('1h')),
      make((token) => token.setSubject('1')),
      make((token) => token.setSubject(uuidv7())),
      make((token) => token, { role: 'root', sid }),
      make((token) => token, { role: 'student' }),
      make((token) => token, claims()),
      new SignJWT({ role: 'student', sid })
        .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid })
        .setSubject(user.id)
        .setIssuer(TOKEN_ISSUER)
        .setAudience(TOKEN_AUDIENCE)
        .sign(key),
    ];
    for (const token of attempts) expectProblem(await me(await token), 401, 'unauthenticated');
  });

  test('no token, a service token and another scheme are refused', async () => {
    expectProblem(await service.ask('GET', '/api/auth/me'), 401, 'unauthenticated');
    expectProblem(await service.internal('GET', '/api/auth/me'), 401, 'unauthenticated');
    const { accessToken } = await signUp();
    const basic = await service.ask('GET', '/api/auth/me', { headers: { authorization: `Basic ${accessToken}` } });
    expectProblem(basic, 401, 'unauthenticated');
  });

  /** Plants a key pair of the test's own among the published ones, to sign what identity never would. */
  async function ownKey(): Promise<{ kid: string; key: KeyObject }> {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x, y } = publicKey.export({ format: 'jwk' });
    const kid = `test-${uuidv7()}`;
    await service.database.db.insert(signingKeys).values({
      kid,
      publicJwk: { kty: 'EC', crv: 'P-256', x: String(x), y: String(y) },
      privateJwk: { iv: '', ciphertext: '', tag: '' },
    });
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 61_000);
    try {
      await me('a.b.c'); // has the keys read again, as after a minute
    } finally {
      clock.mockRestore();
    }
    return { kid, key: privateKey };
  }
});

describe('sessions', () => {
  test('are listed with the current one marked, and ending one refuses its tokens at once', async () => {
    const { user, accessToken } = await signUp();
    const elsewhere = (await login(user.email)).body.tokens;
    const list = await service.ask('GET', '/api/auth/sessions', { token: accessToken });
    expect(list.status).toBe(200);
    expect(list.body.items.map(({ current }: { current: boolean }) => current)).toEqual([false, true]);
    const id = list.body.items[0].id;
    expect((await service.ask('DELETE', `/api/auth/sessions/${id}`, { token: accessToken })).status).toBe(204);
    expectProblem(await me(elsewhere.accessToken), 401, 'unauthenticated');
    expectProblem(await refresh(elsewhere.refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await service.ask('DELETE', `/api/auth/sessions/${id}`, { token: accessToken }), 404, 'not_found');
    expect((await me(accessToken)).status).toBe(200);
  });

  test('of another person are not found, and go on', async () => {
    const [ada, eve] = [await signUp(), await signUp()];
    const sid = String(decodeJwt(ada.accessToken).sid);
    for (const id of [sid, uuidv7(), 'no-uuid']) {
      expectProblem(
        await service.ask('DELETE', `/api/auth/sessions/${id}`, { token: eve.accessToken }),
        404,
        'not_found',
      );
    }
    expect((await me(ada.accessToken)).status).toBe(200);
  });

  test('come page by page; a cursor that is none is 422', async () => {
    const { user, accessToken } = await signUp();
    await login(user.email);
    const ask = (query: string) => service.ask('GET', `/api/auth/sessions?${query}`, { token: accessToken });
    const first = await ask('limit=1');
    expect(first.body.items).toHaveLength(1);
    const second = await ask(`limit=1&cursor=${first.body.nextCursor}`);
    expect(second.body).toMatchObject({ items: [{ current: true }], nextCursor: null });
    expectProblem(await ask('cursor=x'), 422, 'validation_failed');
    expectProblem(await ask('limit=101'), 422, 'validation_failed');
  });
});

describe('the own profile', () => {
  const patch = (id: string, token: string, body: object, key?: string) =>
    service.ask('PATCH', `/api/users/${id}`, { token, body, ...(key && { key }) });

  test('changes by the fields that are sent, normalised', async () => {
    const { user, accessToken } = await signUp();
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
    const { user, accessToken } = await signUp();
    const first = await patch(user.id, accessToken, { firstName: 'Augusta' }, 'change-1');
    await patch(user.id, accessToken, { firstName: 'Grace' });
    expect((await patch(user.id, accessToken, { firstName: 'Augusta' }, 'change-1')).body).toEqual(first.body);
    expectProblem(await patch(user.id, accessToken, { firstName: 'Eve' }, 'change-1'), 422, 'idempotency_key_reused');
    expect((await me(accessToken)).body.profile.firstName).toBe('Grace');
  });

  test("another person's is not found, whoever asks", async () => {
    const [ada, eve] = [await signUp(), await signUp({ role: 'tutor' })];
    for (const id of [ada.user.id, uuidv7(), 'x']) {
      expectProblem(await patch(id, eve.accessToken, { firstName: 'Eve' }), 404, 'not_found');
    }
    expect((await me(ada.accessToken)).body.profile.firstName).toBe('Ada');
  });

  test('holds no field by which one could raise oneself', async () => {
    const { user, accessToken } = await signUp();
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

describe('what activities call', () => {
  test('needs a service token: neither anonymous people nor users get in', async () => {
    const { user, accessToken } = await signUp();
    expectProblem(await service.ask('GET', `/internal/users/${user.id}`), 401, 'unauthenticated');
    expectProblem(
      await service.ask('GET', `/internal/users/${user.id}`, { token: accessToken }),
      401,
      'unauthenticated',
    );
  });

  test('both people of a booking are read in one call', async () => {
    const [one, two] = [await signUp(), await signUp()];
    const { first, second } = await identity.getPair(one.user.id, two.user.id);
    expect([first.id, second.email]).toEqual([one.user.id, two.user.email]);
    await expect(identity.getPair(one.user.id, uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a user is read with name and address, before and after activation; an unknown one is 404', async () => {
    saga = async (client, { userId }) => {
      expect(await client.getUser(userId)).toMatchObject({ status: 'pending', firstName: 'Ada', timeZone: 'UTC' });
      await completes(client, { userId, role: 'student' });
    };
    const { user } = await signUp();
    expect(await identity.getUser(user.id)).toEqual({
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
    await expect(identity.getUser(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a verification token proves the address once, and its reply is stored nowhere', async () => {
    const { user, accessToken } = await signUp();
    const { token } = await identity.issueEmailVerification(user.id, `user:${user.id}/verify`);
    expect(JSON.stringify(await service.database.sql`select * from idempotency_keys`)).not.toContain(token);
    expect(JSON.stringify(await service.database.db.select().from(emailVerifications))).not.toContain(token);
    const verify = () => service.ask('POST', '/api/auth/verify-email', { body: { token } });
    expect((await verify()).status).toBe(204);
    expect((await me(accessToken)).body.emailVerified).toBe(true);
    expectProblem(await verify(), 400, 'invalid_token');
  });

  test('an undo whose key is not that of an undo is refused', async () => {
    const { user } = await signUp();
    await expect(identity.removeUser(user.id, `user:${user.id}/register`)).rejects.toMatchObject({
      code: 'validation_failed',
    });
    await expect(identity.removeUser(user.id, `user:${user.id}/register/undo`)).rejects.toMatchObject({
      code: 'invalid_state',
    });
    await expect(identity.removeProfile(user.id, `user:${user.id}/profile/undo`)).rejects.toMatchObject({
      code: 'invalid_state',
    });
  });
});

describe('the page that the welcome mail links to', () => {
  const page = '/api/auth/confirm-email';
  const open = (token: string) => service.ask('GET', `${page}?token=${token}`);
  const click = (token: string) =>
    service.ask('POST', page, {
      raw: new URLSearchParams({ token }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });

  async function unproven() {
    const { user, accessToken } = await signUp();
    const { token } = await identity.issueEmailVerification(user.id, `user:${user.id}/welcome/token`);
    return { token, isProven: async () => (await me(accessToken)).body.emailVerified };
  }

  test('opening the link proves nothing, however often; the click does, once', async () => {
    const { token, isProven } = await unproven();
    for (let n = 0; n < 3; n++) {
      const reply = await open(token);
      expect(reply.status).toBe(200);
      expect(reply.body).toContain(`<input type="hidden" name="token" value="${token}">`);
      expect(reply.body).toContain('<form method="post" action="?">');
    }
    expect((await service.ask('HEAD', `${page}?token=${token}`)).status).toBe(200);
    expect(await isProven()).toBe(false);

    const clicked = await click(token);
    expect(clicked).toMatchObject({ status: 200, body: expect.stringContaining('is confirmed') });
    expect(await isProven()).toBe(true);
    expect(await click(token)).toMatchObject({ status: 400, body: expect.stringContaining('does not work any more') });
    expect(await open(token)).toMatchObject({ status: 200 });
  });

  test('its pages run no script, are framed by nobody, are kept by nobody and give the address away to nobody', async () => {
    const { token } = await unproven();
    for (const reply of [await open(token), await open(''), await click(token), await click(token)]) {
      expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
      const policy = String(reply.headers['content-security-policy']);
      expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self';/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(reply.headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
    }
  });

  test.each([
    ['no token', ''],
    ['markup', encodeURIComponent('"><script>alert(1)</script>')],
    ['several tokens', 'a&token=b'],
    ['more than a token holds', 'x'.repeat(513)],
  ])('a link with %s is no link', async (_, token) => {
    const reply = await open(token);
    expect(reply.status).toBe(400);
    expect(reply.body).toContain('not complete');
    expect(reply.body).not.toContain('<script');
    expect(reply.body).not.toContain('<form');
  });

  test('a form without a token, and one that is none, are answered with a page', async () => {
    expect(await click('')).toMatchObject({ status: 400, body: expect.stringContaining('not complete') });
    expect(await service.ask('POST', page, { body: { token: 'x' } })).toMatchObject({ status: 400 });
    expect(await click('a'.repeat(43))).toMatchObject({ status: 400, body: expect.stringContaining('any more') });
  });
});

describe('limits', () => {
  let limited: TestService;

  beforeAll(async () => {
    limited = await startService({ RATE_LIMIT_LOGIN: '3', RATE_LIMIT_LOGIN_ADDRESS: '8', RATE_LIMIT_REGISTER: '2' });
  });

  afterAll(() => limited.close());

  const from = (address: string) => ({ 'x-forwarded-for': address });

  test('registering from one address is limited and says so in every reply', async () => {
    const before = identity;
    identity = clientOf(limited);
    try {
      const ask = () => limited.ask('POST', '/api/auth/register', { body: form(), headers: from('198.51.100.1') });
      const first = await ask();
      expect(first.status).toBe(201);
      expect(first.headers['ratelimit-policy']).toBe('"register";q=2;w=60');
      expect(first.headers.ratelimit).toMatch(/^"register";r=1;t=\d+$/);
      const taken = await limited.ask('POST', '/api/auth/register', {
        body: form({ email: first.body.user.email }),
        headers: from('198.51.100.1'),
      });
      expectProblem(taken, 409, 'email_taken');
      expect(taken.headers.ratelimit).toMatch(/^"register";r=0;t=\d+$/);
      const refused = await ask();
      expectProblem(refused, 429, 'rate_limited');
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      await Promise.all(running.splice(0));
    } finally {
      identity = before;
    }
  });

  test('guessing at one account is stopped from wherever it comes, known or not', async () => {
    const email = uniqueEmail();
    const ask = (n: number) =>
      limited.ask('POST', '/api/auth/login', { body: { email, password }, headers: from(`198.51.100.${n}`) });
    for (let n = 10; n < 13; n++) {
      const refused = await ask(n);
      expectProblem(refused, 401, 'invalid_credentials');
      expect(refused.headers['ratelimit-policy']).toBe('"login";q=3;w=60');
      expect(refused.headers.ratelimit).toMatch(new RegExp(`^"login";r=${12 - n};t=\\d+$`));
    }
    expectProblem(await ask(13), 429, 'rate_limited');
  });

  test('guessing from one address is stopped whatever the account', async () => {
    const ask = () =>
      limited.ask('POST', '/api/auth/login', {
        body: { email: uniqueEmail(), password },
        headers: from('198.51.100.99'),
      });
    for (let n = 0; n < 8; n++) expectProblem(await ask(), 401, 'invalid_credentials');
    expectProblem(await ask(), 429, 'rate_limited');
  });
});

test('every operation is served, and the document of them is complete', async () => {
  const document = openApiDocument('identity', identityContract, true);
  const served = await service.ask('GET', '/openapi.json');
  expect(served.status).toBe(200);
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const method of Object.keys(methods)) {
      const reply = await service.ask(method.toUpperCase(), path.replace('{id}', uuidv7()));
      expect([200, 401, 422, 415, 400]).toContain(reply.status);
    }
  }
  expect(JSON.stringify(served.body)).not.toContain('/internal/');
});
