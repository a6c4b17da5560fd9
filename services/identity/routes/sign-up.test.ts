import { eq } from 'drizzle-orm';
import { events, refreshTokens, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import {
  type Accounts,
  completes,
  expectProblem,
  form,
  isUndone,
  password,
  startAccounts,
  takesLong,
} from '../../../tests/support/accounts';
import type { Reply } from '../../../tests/support/service';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

describe('register', () => {
  test('answers 201 with the active user and tokens that work, kept by no cache', async () => {
    const body = form({ role: 'tutor', timeZone: 'Europe/Vienna', locale: 'DE-at', email: ' Ada.L@EXAMPLE.com ' });
    const reply = await accounts.register(body);
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
    expect((await accounts.me(tokens.accessToken)).body).toEqual(user);
    expect((await accounts.refresh(tokens.refreshToken)).status).toBe(200);
    expect(accounts.sagas.started).toEqual([
      { type: 'userCreation', workflowId: `user:${user.id}`, input: { userId: user.id, role: 'tutor' } },
    ]);
  });

  test('stores no password and no token in the clear, and tells no event of name or address', async () => {
    const body = form({ firstName: 'Rumpel' });
    const { tokens, user } = (await accounts.register(body)).body;
    const dump = JSON.stringify([
      await accounts.service.database.db.select().from(users).where(eq(users.id, user.id)),
      await accounts.service.database.db.select().from(refreshTokens),
    ]);
    expect(dump).toContain('$argon2id$');
    for (const secret of [password, tokens.refreshToken, tokens.accessToken]) expect(dump).not.toContain(secret);
    const told = JSON.stringify(await accounts.service.database.db.select().from(events));
    for (const personal of ['Rumpel', body.email, password, tokens.refreshToken]) expect(told).not.toContain(personal);
    const replies = JSON.stringify(await accounts.service.database.sql`select key, reply_body from idempotency_keys`);
    for (const secret of [body.email, password, tokens.refreshToken]) expect(replies).not.toContain(secret);
  });

  test('of ten registrations of one address at once one answers 201, the others that it is taken', async () => {
    const body = form();
    const replies = await Promise.all(Array.from({ length: 10 }, () => accounts.register(body)));
    expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)]);
    for (const reply of replies) if (reply.status === 409) expectProblem(reply, 409, 'email_taken');
    expect(accounts.sagas.started).toHaveLength(1);
  });

  test('an address is taken whatever the case of its letters', async () => {
    const body = form();
    await accounts.signUp(body);
    expectProblem(await accounts.register({ ...body, email: body.email.toUpperCase() }), 409, 'email_taken');
  });

  test('an Idempotency-Key has no effect: tokens are never stored to be repeated', async () => {
    const body = form();
    expect((await accounts.service.ask('POST', '/api/auth/register', { body, key: 'k' })).status).toBe(201);
    expectProblem(await accounts.service.ask('POST', '/api/auth/register', { body, key: 'k' }), 409, 'email_taken');
  });

  test('a sign-up over ten seconds answers 202 with the pending user and no tokens; login waits for it', async () => {
    accounts.sagas.saga = takesLong;
    const body = form();
    const before = Date.now();
    const reply = await accounts.register(body);
    expect(Date.now() - before).toBeLessThan(11_500);
    expect(reply.status).toBe(202);
    expect(Object.keys(reply.body)).toEqual(['user']);
    expect(reply.body.user).toMatchObject({ status: 'pending', profile: { firstName: 'Ada' } });
    expectProblem(await accounts.login(body.email), 403, 'account_pending');
    expectProblem(await accounts.login(body.email, 'wrong password'), 401, 'invalid_credentials');
    expectProblem(await accounts.register(body), 409, 'email_taken');
    await completes(accounts.identity, { userId: reply.body.user.id, role: 'student' });
    expect((await accounts.login(body.email)).status).toBe(200);
  }, 20_000);

  test('a sign-up that was undone answers 503 with Retry-After, and the address registers again at once', async () => {
    accounts.sagas.saga = isUndone;
    const body = form();
    const reply = await accounts.register(body);
    expectProblem(reply, 503, 'upstream_unavailable');
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expectProblem(await accounts.login(body.email), 401, 'invalid_credentials');
    accounts.sagas.saga = completes;
    expect((await accounts.register(body)).status).toBe(201);
  });

  test('a saga engine that is down answers 503, and nothing keeps the next try from working: same id, new data', async () => {
    accounts.sagas.starting = async () => {
      throw new ProblemError('upstream_unavailable', 'down', { retryAfterSeconds: 2 });
    };
    const body = form();
    const reply = await accounts.register(body);
    expectProblem(reply, 503, 'upstream_unavailable');
    expect(reply.headers['retry-after']).toBe('2');
    const pending = await accounts.service.database.db
      .select({ id: users.id })
      .from(users)
      .where(eq(users.email, body.email));
    accounts.sagas.starting = async () => undefined;
    const again = await accounts.register({ ...body, firstName: 'Grace', password: 'another password' });
    expect(again.status).toBe(201);
    expect(again.body.user).toMatchObject({ id: pending[0]?.id, profile: { firstName: 'Grace' } });
    expect((await accounts.login(body.email, 'another password')).status).toBe(200);
    expectProblem(await accounts.login(body.email), 401, 'invalid_credentials');
  });

  test('when the doubtful start of a taken-over user had happened after all, the saga makes what was registered last', async () => {
    const first = form({ role: 'student' });
    accounts.sagas.starting = async () => {
      throw new ProblemError('upstream_unavailable', 'answer lost');
    };
    await accounts.register(first);
    accounts.sagas.starting = async () => undefined;
    const roles: string[] = [];
    accounts.sagas.saga = async (client, { userId }) => {
      // The first start's saga: its input still says student.
      roles.push((await client.createProfile(userId, `user:${userId}/profile`)).role);
      await client.activateUser(userId, `user:${userId}/activate`);
    };
    const reply = await accounts.register({ ...first, role: 'tutor', firstName: 'Grace' });
    expect(reply.body.user).toMatchObject({ role: 'tutor', profile: { firstName: 'Grace' } });
    expect(roles).toEqual(['tutor']);
  });

  test('a registration that is taken over while its saga starts answers 503 and opens no session', async () => {
    const body = form();
    let other: Reply | undefined;
    accounts.sagas.starting = async () => {
      accounts.sagas.starting = async () => undefined;
      // Its lease has run out, as that of a process that hung would.
      await accounts.service.database
        .sql`update users set attempt_until = now() - interval '1 minute' where email = ${body.email}`;
      other = await accounts.register({ ...body, firstName: 'Grace' });
    };
    expectProblem(await accounts.register(body), 503, 'upstream_unavailable');
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
    const reply = await accounts.register(form(change));
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
    const { user } = await accounts.signUp(change);
    expect(user.profile).toMatchObject({ firstName: change.firstName, lastName: change.lastName });
    expect((await accounts.login(user.email, change.password)).status).toBe(200);
    expectProblem(await accounts.login(user.email, '\u{1f511}'.repeat(9)), 401, 'invalid_credentials');
  });
});
