import { ProblemError } from '../../../kernel/errors';
import { listActs } from '../../../platform/audit';
import { Email } from '../../../platform/email';
import type { Service } from '../../../platform/http-server';
import { byUser } from '../../../platform/idempotency';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { identityContract as contract } from '../contract';
import { identityKey, type Keyring } from '../keyring';
import { relyingParty } from '../passkeys';
import { hashPassword, verifyPassword } from '../passwords';
import { rateLimitHeaders } from '../rules';
import { challenged, meetChallenge } from '../store/challenges';
import { verifyEmail } from '../store/email-verification';
import { createLimits } from '../store/limits';
import { isKnownAddress, rememberAddress } from '../store/login-addresses';
import { askTutorAccount, changeRole } from '../store/roles';
import { endSession, endSessionOfToken, endSessions, listSessions, rotateRefreshToken } from '../store/sessions';
import { findByEmail, listUsers, readUser, updateProfile } from '../store/users';
import { telling } from './limit-headers';
import { servePasswords } from './passwords';
import { serveSecondFactor } from './second-factor';
import { createSignIn, deviceOf, NO_STORE, tokensOf } from './sign-in';
import { createSignUp } from './sign-up';
import { serveSuspensions } from './suspensions';
import { createTutorAccounts } from './tutor-accounts';

/** What people call: sign-up, sign-in and their tokens, their sessions and their account. */
export function servePeople(service: Service, deps: ServiceDeps, keyring: Keyring): void {
  serveAccess(service, deps, keyring);
  servePasswords(service, deps);
  serveSecondFactor(service, deps);
  serveSessions(service, deps);
  serveUsers(service, deps, keyring);
  serveSuspensions(service, deps);
}

function serveAccess(service: Service, deps: ServiceDeps, keyring: Keyring): void {
  const { db } = deps.database;
  const limits = createLimits(deps);
  const addressKey = identityKey(deps.config, 'login-addresses');
  const repeatKey = identityKey(deps.config, 'refresh-repeats');
  const totpKey = identityKey(deps.config, 'totp');
  const party = relyingParty(deps.config.PUBLIC_URL);
  const signUp = createSignUp(deps);
  const signIn = createSignIn(deps, keyring);

  service.serve(contract.register, async (call) => {
    const limit = rateLimitHeaders(await limits.register(call.address));
    return telling(limit, async () => {
      const headers = { ...NO_STORE, ...limit };
      const { email, password, role, ...registration } = call.body;
      const passwordHash = await hashPassword(password);
      const user = await signUp({ email, passwordHash, role, registration }, call.receivedAt);
      if (user.status === 'pending') return { status: 202 as const, headers, body: { user } };
      const tokens = await signIn.first(call, user, { passwordHash });
      return { ...created({ user, tokens }), headers };
    });
  });

  service.serve(contract.login, async (call) => {
    const email = Email.safeParse(call.body.email).data;
    const account = email ?? call.body.email;
    const isKnown = () => isKnownAddress(db, addressKey, account, call.address);
    const limit = rateLimitHeaders(await limits.login(call.address, account, isKnown));
    return telling(limit, async () => {
      const found = email === undefined ? undefined : await findByEmail(db, email);
      const passwordHash = found?.passwordHash ?? undefined;
      const right = await verifyPassword(passwordHash, call.body.password.normalize('NFC'));
      if (!found || passwordHash === undefined || !right) throw new ProblemError('invalid_credentials');
      await limits.succeeded(account);
      if (found.status === 'pending') throw new ProblemError('account_pending');
      const headers = { ...NO_STORE, ...limit };
      const entered = await signIn.enter(call, found, { passwordHash });
      if ('challenge' in entered) return { status: 202 as const, headers, body: entered };
      return { ...ok({ user: await readUser(db, found.id), ...entered }), headers };
    });
  });

  service.serve(contract.meetChallenge, async (call) => {
    await keyring.ready();
    const userId = await challenged(db, call.body.challengeId);
    const limit = rateLimitHeaders(await limits.codeOf(userId));
    return telling(limit, async () => {
      const answer = { ...call.body, at: call.receivedAt, key: totpKey, party, ...deviceOf(call) };
      const session = await meetChallenge(db, answer);
      await limits.codeWasRight(userId);
      await rememberAddress(db, addressKey, userId, call.address);
      const tokens = await tokensOf(keyring, session);
      return { ...ok({ user: await readUser(db, userId), tokens }), headers: { ...NO_STORE, ...limit } };
    });
  });

  service.serve(contract.refresh, async (call) => {
    await keyring.ready();
    const { refreshToken, refreshId } = call.body;
    const repeatable = refreshId === undefined ? undefined : { refreshId, key: repeatKey };
    const session = await rotateRefreshToken(db, refreshToken, repeatable);
    return { ...ok({ tokens: await tokensOf(keyring, session) }), headers: NO_STORE };
  });

  service.serve(contract.logout, async (call) => {
    await endSessionOfToken(db, call.body.refreshToken);
    return done;
  });

  service.serve(contract.verifyEmail, async (call) => {
    await verifyEmail(db, call.body.token);
    return done;
  });
}

function serveSessions(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.listSessions, async ({ user, query }) =>
    ok(await listSessions(db, user.id, user.sessionId, query)),
  );

  service.serve(contract.endOtherSessions, async ({ user }) => {
    await db.transaction((tx) => endSessions(tx, user.id, { except: user.sessionId, reason: 'revoked' }));
    return done;
  });

  service.serve(contract.endSession, async ({ user, params }) => {
    await endSession(db, user.id, params.id);
    return done;
  });
}

function serveUsers(service: Service, deps: ServiceDeps, keyring: Keyring): void {
  const { db } = deps.database;
  const openTutorAccount = createTutorAccounts(deps);

  service.serve(contract.listActs, async ({ query }) => ok(await listActs(db, query)));

  service.serve(contract.me, async ({ user }) => ok(await readUser(db, user.id)));

  service.serve(contract.listUsers, async ({ query }) => ok(await listUsers(db, query)));

  service.serve(contract.changeRole, async ({ user, params, body, receivedAt }) => {
    const asked = await changeRole(db, { ...body, userId: params.id, adminId: user.id });
    return openTutorAccount(asked, params.id, receivedAt);
  });

  service.serve(contract.openTutorAccount, async ({ user, params, receivedAt }) => {
    if (params.id !== user.id) throw new ProblemError('not_found');
    return openTutorAccount(await askTutorAccount(db, user.id), user.id, receivedAt);
  });

  service.serve(contract.updateUser, async (call) => {
    const { user, params, body } = call;
    if (params.id !== user.id) throw new ProblemError('not_found');
    const reply = await updateProfile(db, byUser(call), user.id, body);
    return ok(reply.body);
  });

  service.serve(contract.jwks, async () => ({
    ...ok({ keys: await keyring.published() }),
    headers: { 'Cache-Control': 'public, max-age=300' },
  }));
}
