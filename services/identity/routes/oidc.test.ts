import { eq } from 'drizzle-orm';
import { decodeJwt } from 'jose';
import { events, oidcTransactions } from '../../../db/schema/identity';
import { expectProblem, password, takesLong } from '../../../tests/support/accounts';
import { CALLBACK, newcomer, PHONE, somebodyAt, startForeignSignIn } from '../../../tests/support/foreign-sign-in';
import { startOidcProvider, type TestProvider } from '../../../tests/support/oidc-provider';
import { enrolled, nextCode } from '../../../tests/support/second-factor';
import { uniqueEmail } from '../../../tests/support/users';
import { forgetOldTransactions } from '../oidc/store/transactions';

let google: TestProvider;
let campus: TestProvider;
let at: Awaited<ReturnType<typeof startForeignSignIn>>;

beforeAll(async () => {
  [google, campus] = await Promise.all([
    startOidcProvider(CALLBACK),
    startOidcProvider(CALLBACK, { tells: 'userinfo' }),
  ]);
  at = await startForeignSignIn({
    google: { ...google.settings('google'), OIDC_GOOGLE_NAME: 'Google' },
    campus: campus.settings('campus'),
  });
});
afterEach(() => at.accounts.settle());
afterAll(async () => {
  await at.accounts.close();
  await Promise.all([google.close(), campus.close()]);
});

const db = () => at.accounts.service.database.db;

/** A whole sign-in of somebody at google. */
async function signIn(subject: string, wishes?: object) {
  const begun = await at.begin('google', wishes);
  return at.finish(begun, await at.visit(google, begun, subject));
}
/** Somebody who has signed in at google for the first time. */
async function newAtGoogle(change: object = {}) {
  const claims = newcomer(change);
  const subject = somebodyAt(google, claims);
  const { status, body } = await signIn(subject);
  expect(status).toBe(201);
  return { subject, claims, user: body.user, token: String(body.tokens.accessToken) };
}
/** Links a sign-in at a provider to the account of `token`. */
async function link(provider: TestProvider, token: string, claims: object = newcomer()) {
  const name = provider === google ? 'google' : 'campus';
  const begun = await at.beginLink(name, token);
  return at.finishLink(begun, await at.visit(provider, begun, somebodyAt(provider, claims)), token);
}
const typesOf = async (id: string) =>
  (await db().select().from(events).where(eq(events.streamId, id)).orderBy(events.version)).map(({ type }) => type);
/** Takes the proof of an address as its mail's link does. */
const prove = async (id: string) =>
  at.post('/api/auth/verify-email', {
    token: (await at.accounts.identity.issueEmailVerification(id, `t/${id}`)).token,
  });

describe('a first sign-in', () => {
  test('makes an account, and the next one finds it, whatever address the person has there by then', async () => {
    const { subject, claims, user } = await newAtGoogle();
    expect(user).toMatchObject({ email: claims.email, emailVerified: true, role: 'student', status: 'active' });
    expect(user.profile).toMatchObject({ firstName: 'Grace', lastName: 'Hopper', timeZone: 'UTC', locale: 'en' });
    google.people.set(subject, newcomer());
    const again = await signIn(subject);
    expect(again).toMatchObject({ status: 200, body: { user: { id: user.id, email: claims.email } } });
    expect(await typesOf(user.id)).toEqual(['UserRegistered', 'UserEmailVerified']);
    const { accessToken } = again.body.tokens;
    const sessions = await at.accounts.service.ask('GET', '/api/auth/sessions', { token: accessToken });
    expect(sessions.body.items).toMatchObject([{ method: 'oidc:google', current: true }, { method: 'oidc:google' }]);
    // Nobody signs in by a password that there is not.
    expectProblem(await at.accounts.login(claims.email, ''.padEnd(12, 'x')), 401, 'invalid_credentials');
  });

  test('a provider that tells only when it is asked once more is asked', async () => {
    const claims = newcomer();
    const begun = await at.begin('campus', { role: 'tutor', timeZone: 'Europe/Vienna', locale: 'de' });
    const reply = await at.finish(begun, await at.visit(campus, begun, somebodyAt(campus, claims)));
    expect(reply).toMatchObject({ status: 201, body: { user: { email: claims.email, role: 'tutor' } } });
    expect(reply.body.user.profile).toMatchObject({ timeZone: 'Europe/Vienna', locale: 'de' });
  });

  test('what the provider does not say is asked of the person, who says it once', async () => {
    const subject = somebodyAt(google, { given_name: 'Grace', family_name: 7, email: 'no address' });
    const begun = await at.begin('google', {});
    const asked = await at.finish(begun, await at.visit(google, begun, subject));
    expect(asked).toMatchObject({ status: 202, body: { needs: ['role', 'email', 'lastName'] } });
    const said = { role: 'tutor', email: uniqueEmail(), lastName: 'Hopper' };
    const refused = await at.complete(begun, { ...said, firstName: 'Ada' });
    expectProblem(refused, 422, 'validation_failed');
    expect(refused.body.errors).toEqual([{ path: 'body.firstName', message: 'was said already' }]);
    const part = await at.complete(begun, { role: 'tutor' });
    expect(part.body.errors.map(({ path }: { path: string }) => path)).toEqual(['body.email', 'body.lastName']);
    expectProblem(await at.complete({ ...begun, verifier: 'x'.repeat(43) }, said), 400, 'invalid_token');
    const done = await at.complete(begun, said);
    expect(done).toMatchObject({
      status: 201,
      body: { user: { email: said.email, role: 'tutor', emailVerified: false } },
    });
    expectProblem(await at.complete(begun, said), 400, 'invalid_token');
    expect(await signIn(subject)).toMatchObject({ status: 200, body: { user: { id: done.body.user.id } } });
  });

  test('while the account is being set up the person is told, also when they come back', async () => {
    at.accounts.sagas.saga = takesLong;
    const subject = somebodyAt(google);
    const first = await signIn(subject);
    expect(first).toMatchObject({ status: 202, body: { user: { status: 'pending' } } });
    expect(await signIn(subject)).toEqual(expect.objectContaining({ status: 202, body: first.body }));
  }, 30_000);

  test('of two at the same moment both find one account', async () => {
    const subject = somebodyAt(google);
    const begun = [await at.begin('google'), await at.begin('google')];
    const calls = await Promise.all(begun.map((one) => at.visit(google, one, subject)));
    const replies = await Promise.all(begun.map((one, index) => at.finish(one, calls[index] ?? '')));
    expect(replies.every(({ status }) => status < 300)).toBe(true);
    expect(new Set(replies.map(({ body }) => body.user.id)).size).toBe(1);
  });

  test('a sign-up that was undone leaves nothing, and the person begins again', async () => {
    at.accounts.sagas.saga = async (identity, { userId }) => {
      await identity.removeUser(userId, `user:${userId}/register/undo`);
    };
    const subject = somebodyAt(google);
    expectProblem(await signIn(subject), 503, 'upstream_unavailable');
    await at.accounts.settle();
    expect(await signIn(subject)).toMatchObject({ status: 201 });
  });
});

describe('an address that has an account', () => {
  const passworded = async () => {
    const { user, accessToken } = await at.accounts.signUp();
    return { ...user, accessToken };
  };

  test('is linked where both have proven it', async () => {
    const user = await passworded();
    await prove(user.id);
    const reply = await signIn(somebodyAt(google, newcomer({ email: user.email.toUpperCase() })));
    expect(reply).toMatchObject({ status: 200, body: { user: { id: user.id } } });
    expect(await typesOf(user.id)).toEqual(['UserRegistered', 'UserEmailVerified', 'IdentityLinked']);
    expect(await at.identitiesOf(user.accessToken)).toMatchObject([{ provider: 'google' }]);
  });

  test.each([
    ['the account has not proven it', true, false],
    ['the provider says that it is not proven', false, true],
    ['the provider says so as a text', 'true', true],
    ['the provider says "false"', 'false', true],
    ['the provider says 1', 1, true],
    ['the provider says nothing of it', undefined, true],
  ])('is not opened where %s', async (_, email_verified, isProven) => {
    const user = await passworded();
    if (isProven) await prove(user.id);
    const reply = await signIn(somebodyAt(google, newcomer({ email: user.email, email_verified })));
    expectProblem(reply, 409, 'link_required');
    expect(reply.body.provider).toBe('google');
    expect(await at.identitiesOf(user.accessToken)).toEqual([]);
    expect((await at.accounts.me(user.accessToken)).status).toBe(200);
  });

  test('is not opened by somebody else who has it there now', async () => {
    const { claims, user } = await newAtGoogle();
    expectProblem(await signIn(somebodyAt(google, claims)), 409, 'link_required');
    const other = await at.begin('campus');
    const reply = await at.finish(other, await at.visit(campus, other, somebodyAt(campus, claims)));
    expect(reply).toMatchObject({ status: 200, body: { user: { id: user.id } } });
  });

  test('is not taken by whoever types it', async () => {
    const user = await passworded();
    await prove(user.id);
    const begun = await at.begin('google', { role: 'student' });
    await at.finish(begun, await at.visit(google, begun, somebodyAt(google, newcomer({ email: undefined }))));
    expectProblem(await at.complete(begun, { email: user.email }), 409, 'link_required');
    expect(await at.complete(begun, { email: uniqueEmail() })).toMatchObject({ status: 201 });
  });
});

describe('a transaction', () => {
  test('is finished once, within its time, by whoever began it', async () => {
    const subject = somebodyAt(google);
    const begun = await at.begin('google');
    const back = await at.visit(google, begun, subject);
    // Another app, or another browser, has no verifier; another place of the same app is none that was asked for.
    expectProblem(await at.finish({ ...begun, verifier: 'y'.repeat(43) }, back), 400, 'invalid_token');
    expectProblem(await at.finish({ ...begun, provider: 'campus' }, back), 400, 'invalid_token');
    expectProblem(await at.finish(begun, back.replace('/back', '/other')), 400, 'invalid_token');
    expectProblem(await at.finish(begun, back.replace('https://app.example/back', PHONE)), 400, 'invalid_token');
    expect(await at.finish(begun, back)).toMatchObject({ status: 201 });
    expectProblem(await at.finish(begun, back), 400, 'invalid_token');
    const late = await at.begin('google');
    const called = await at.visit(google, late, subject);
    await db()
      .update(oidcTransactions)
      .set({ expiresAt: new Date() })
      .where(eq(oidcTransactions.id, late.transactionId));
    expectProblem(await at.finish(late, called), 400, 'invalid_token');
    await forgetOldTransactions(db());
    expect(await db().select().from(oidcTransactions).where(eq(oidcTransactions.id, late.transactionId))).toEqual([]);
  });

  test('does not take the answer of another one', async () => {
    const [mine, theirs] = [await at.begin('google'), await at.begin('google')];
    const back = await at.visit(google, theirs, somebodyAt(google));
    expectProblem(await at.finish(mine, back), 400, 'invalid_token');
    expect(await at.finish(theirs, back)).toMatchObject({ status: 201 });
  });

  test('does not take the answer of another issuer', async () => {
    const [mine, other] = [await at.begin('google'), await at.begin('campus')];
    const ours = new URL(await at.visit(google, mine, somebodyAt(google)));
    const theirs = new URL(await at.visit(campus, other, somebodyAt(campus)));
    theirs.searchParams.set('state', String(ours.searchParams.get('state')));
    expectProblem(await at.finish(mine, theirs.href), 400, 'invalid_token');
  });

  test('whose person refuses is over', async () => {
    const begun = await at.begin('google');
    const state = String(new URL(begun.authorizationUrl).searchParams.get('state'));
    const answer = new URLSearchParams({ state, error: 'access_denied', iss: google.issuer, error_description: '<b>' });
    const { headers } = await at.accounts.service.ask('GET', `/api/auth/oidc/callback?${answer}`);
    expect(String(headers.location)).not.toContain('error_description');
    expectProblem(await at.finish(begun, String(headers.location)), 400, 'invalid_token');
  });

  test('is begun for an app that the settings name, exactly, at a provider that there is', async () => {
    const start = (redirectUri: string, provider = 'google') =>
      at.post(`/api/auth/oidc/${provider}/start`, { redirectUri, verifierHash: 'x'.repeat(43) });
    for (const elsewhere of ['https://app.example/back/', 'https://evil.example/back', 'https://app.example/back?a=b'])
      expectProblem(await start(elsewhere), 422, 'validation_failed');
    expect(await start(PHONE)).toMatchObject({ status: 200 });
    expectProblem(await start(PHONE, 'nobody'), 404, 'not_found');
    expectProblem(await at.finish({ ...(await at.begin('google')), provider: 'nobody' }, PHONE), 404, 'not_found');
    expectProblem(await at.finish(await at.begin('google'), 'nowhere'), 422, 'validation_failed');
    expectProblem(await at.complete({ ...(await at.begin('google')), provider: 'nobody' }, {}), 404, 'not_found');
  });

  test('goes back to a telephone by its own scheme', async () => {
    const begun = await at.begin('google', { role: 'student', redirectUri: PHONE });
    const back = await at.visit(google, begun, somebodyAt(google));
    expect(back.startsWith(`${PHONE}?code=`)).toBe(true);
    expect(await at.finish(begun, back)).toMatchObject({ status: 201 });
  });

  test.each(['', '?state=unknown', '?state=a&state=b'])('there is none of %s: the page says so', async (query) => {
    const { status, body } = await at.accounts.service.ask('GET', `/api/auth/oidc/callback${query}`);
    expect({ status, isTold: body.includes('does not work any more') }).toEqual({ status: 400, isTold: true });
  });
});

describe('linking', () => {
  test('adds a way to sign in, of which each account has one of a provider, and each sign-in one account', async () => {
    const { user, accessToken: token } = await at.accounts.signUp();
    const claims = newcomer();
    const linked = await link(google, token, claims);
    expect(linked).toMatchObject({ status: 200, body: { provider: 'google', email: claims.email } });
    expectProblem(await link(google, token), 409, 'conflict');
    const [subject = ''] = [...google.people].at(-2) ?? [];
    expect(await signIn(subject)).toMatchObject({ status: 200, body: { user: { id: user.id } } });
    const stranger = await at.accounts.signUp();
    const begun = await at.beginLink('google', stranger.accessToken);
    const back = await at.visit(google, begun, subject);
    // A transaction of somebody else's is nobody else's, and no sign-in.
    expectProblem(await at.finishLink(begun, back, token), 400, 'invalid_token');
    expectProblem(await at.finish(begun, back), 400, 'invalid_token');
    expectProblem(await at.finishLink(begun, back, stranger.accessToken), 409, 'conflict');
    expect(await at.identitiesOf(stranger.accessToken)).toEqual([]);
  });

  test('once more is no error', async () => {
    const { token, subject } = await newAtGoogle();
    const begun = await at.beginLink('google', token);
    const again = await at.finishLink(begun, await at.visit(google, begun, subject), token);
    expect(again).toMatchObject({ status: 200, body: { provider: 'google' } });
  });

  test('the first proof of an address takes away what was set before it', async () => {
    const { user, accessToken: token } = await at.accounts.signUp();
    await link(campus, token);
    const elsewhere = await at.accounts.login(user.email);
    expect(await link(google, token, newcomer({ email: user.email }))).toMatchObject({ status: 200 });
    expect(await at.identitiesOf(token)).toMatchObject([{ provider: 'google' }]);
    expectProblem(await at.accounts.me(elsewhere.body.tokens.accessToken), 401, 'unauthenticated');
    expectProblem(await at.accounts.login(user.email), 401, 'invalid_credentials');
    expect((await at.accounts.me(token)).body).toMatchObject({ id: user.id, emailVerified: true });
  });

  test('an address that was proven before loses nothing', async () => {
    const { user, accessToken: token } = await at.accounts.signUp();
    await prove(user.id);
    await link(google, token, newcomer({ email: user.email }));
    expect(await at.accounts.login(user.email)).toMatchObject({ status: 200 });
  });
});

describe('unlinking', () => {
  test('takes a way to sign in and the sessions that it began, and never the last way', async () => {
    const { user, subject, token } = await newAtGoogle();
    const [only] = await at.identitiesOf(token);
    expectProblem(await at.unlink(String(only?.id), token), 409, 'last_sign_in_method');
    await link(campus, token);
    const elsewhere = await signIn(subject);
    const stranger = await at.accounts.signUp();
    expectProblem(await at.unlink(String(only?.id), stranger.accessToken), 404, 'not_found');
    expect(await at.unlink(String(only?.id), token)).toMatchObject({ status: 204 });
    expectProblem(await at.accounts.me(elsewhere.body.tokens.accessToken), 401, 'unauthenticated');
    expect((await at.accounts.me(token)).body.id).toBe(user.id);
    expect((await typesOf(user.id)).slice(-2)).toEqual(['IdentityLinked', 'IdentityUnlinked']);
    // The address is still proven on both sides, so that the next sign-in there links it anew.
    expect(await signIn(subject)).toMatchObject({ status: 200, body: { user: { id: user.id } } });
  });

  test('of two at once who unlink the last two, one stays', async () => {
    const { token } = await newAtGoogle();
    await link(campus, token);
    const identities = await at.identitiesOf(token);
    const replies = await Promise.all(identities.map(({ id }) => at.unlink(id, token)));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([204, 409]);
    expect(await at.identitiesOf(token)).toHaveLength(1);
  });

  test('whoever has a password may unlink all', async () => {
    const { accessToken: token } = await at.accounts.signUp();
    const { body } = await link(google, token);
    expect(await at.unlink(body.id, token)).toMatchObject({ status: 204 });
  });
});

describe('who has a second factor', () => {
  test('shows it at a provider as well, once, and is refused when the sign-in was unlinked meanwhile', async () => {
    const { user, accessToken } = await at.accounts.signUp();
    const { body } = await link(google, accessToken);
    const [subject = ''] = [...google.people].at(-1) ?? [];
    const { secret } = await enrolled(at.accounts.service, { email: user.email, password });
    const asked = await signIn(subject);
    expect(asked).toMatchObject({ status: 202, body: { challenge: { methods: ['totp', 'recovery_code'] } } });
    const meet = (challengeId: string, code: string) => at.post('/api/auth/login/challenge', { challengeId, code });
    const met = await meet(asked.body.challenge.id, nextCode(secret));
    expect(met).toMatchObject({ status: 200, body: { user: { id: user.id } } });
    const token = met.body.tokens.accessToken;
    const sessions = await at.accounts.service.ask('GET', '/api/auth/sessions', { token });
    expect(sessions.body.items[0]).toMatchObject({ method: 'oidc:google', current: true });
    expect(decodeJwt(token).amr).toEqual(['otp', 'mfa']);
    const late = await signIn(subject);
    expect(await at.unlink(body.id, token)).toMatchObject({ status: 204 });
    expectProblem(await meet(late.body.challenge.id, '000000'), 401, 'invalid_credentials');
  });

  test('cannot be given one without a password', async () => {
    const { token } = await newAtGoogle();
    expectProblem(await at.post('/api/auth/totp', { password: 'whatever' }, token), 422, 'validation_failed');
  });
});

test('who signs in at a provider alone is told so when they forget their password, and can have one', async () => {
  const { user, token } = await newAtGoogle();
  await at.post('/api/auth/forgot-password', { email: user.email });
  const { input } = at.accounts.sagas.started.at(-1) ?? {};
  const { requestId } = input as { requestId: string };
  const { link: sent } = await at.accounts.identity.issueLink(requestId, `account-mail:${requestId}/mail/link`);
  expect(sent).toMatchObject({ purpose: 'password_reset', providers: ['Google'] });
  const renewed = 'battery horse correct';
  expect(await at.post('/api/auth/reset-password', { token: sent?.token, password: renewed })).toMatchObject({
    status: 204,
  });
  expect(await at.accounts.login(user.email, renewed)).toMatchObject({ status: 200 });
  expectProblem(await at.accounts.me(token), 401, 'unauthenticated');
  const wrong = await at.post(`/api/users/${user.id}/change-password`, { currentPassword: 'x', newPassword: renewed });
  expect(wrong.status).toBe(401);
});

test('whoever has no password cannot change it', async () => {
  const { user, token } = await newAtGoogle();
  const change = { currentPassword: 'whatever it was', newPassword: 'battery horse correct' };
  const reply = await at.post(`/api/users/${user.id}/change-password`, change, token);
  expect(reply.body.errors).toMatchObject([{ path: 'currentPassword' }]);
});

test('what people can sign in with is listed by the names that they read', async () => {
  const { body } = await at.accounts.service.ask('GET', '/api/auth/providers');
  expect(body.items).toEqual([
    { id: 'google', name: 'Google' },
    { id: 'campus', name: 'campus' },
  ]);
});

test('no row holds a secret or an address in clear', async () => {
  const begun = await at.begin('google', {});
  await at.finish(begun, await at.visit(google, begun, somebodyAt(google, { email: 'hidden@example.com' })));
  const rows = JSON.stringify(
    await db().select().from(oidcTransactions).where(eq(oidcTransactions.id, begun.transactionId)),
  );
  const asked = new URL(begun.authorizationUrl).searchParams;
  for (const secret of ['hidden@', begun.verifier, String(asked.get('state')), String(asked.get('nonce'))])
    expect(rows).not.toContain(secret);
});
