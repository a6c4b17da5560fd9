import { ProblemError } from '../../../kernel/errors';
import { isUuid } from '../../../kernel/ids';
import { HOUR } from '../../../kernel/time';
import type { Call, Service } from '../../../platform/http-server';
import type { ServiceDefinition, ServiceDeps } from '../../../platform/service';
import { userCreationSaga } from '../../../workflows/user-creation.api';
import { identityContract as contract, Email, type RegisterRequest, type Tokens } from '../contract';
import { createKeyring, type Keyring } from '../keyring';
import { hashPassword, preparePasswords, verifyPassword } from '../passwords';
import { deviceLabel, rateLimitHeaders, SIGN_UP_WAIT_MS } from '../rules';
import { createLimits, forgetOldLimits } from '../store/limits';
import {
  endSession,
  endSessionOfToken,
  forgetOldSessions,
  isSessionOpen,
  listSessions,
  type NewSession,
  openSession,
  rotateRefreshToken,
} from '../store/sessions';
import { forgetOldSigningKeys } from '../store/signing-keys';
import {
  type Attempt,
  findByEmail,
  forgetOldVerifications,
  markSagaStarted,
  readUser,
  releaseAttempt,
  signUpState,
  storePendingUser,
  updateProfile,
  verifyEmail,
} from '../store/users';
import { serveInternal } from './saga-steps';
import { serveVerificationPage } from './verification-page';

/** Replies that hold tokens are kept by nobody (RFC 6749 §5.1). */
const NO_STORE = { 'Cache-Control': 'no-store' };

export const identityService: ServiceDefinition = {
  name: 'identity',
  contract,
  verifyUser(deps) {
    const keyring = createKeyring(deps);
    return async (token) => {
      const user = await keyring.verify(token);
      if (!(await isSessionOpen(deps.database.db, user.id, user.sessionId))) {
        throw new ProblemError('unauthenticated', 'The session of this access token has ended');
      }
      return user;
    };
  },
  async routes(service, deps) {
    const keyring = createKeyring(deps);
    serveVerificationPage(service, deps);
    serveAccess(service, deps, keyring);
    serveSessions(service, deps);
    serveUsers(service, deps, keyring);
    serveInternal(service, deps);
    await preparePasswords();
    // A database that is down at the start is told by /readyz; the keys are then read at the first need.
    await keyring.ready().catch((error: unknown) => deps.logger.warn({ err: error }, 'no signing keys yet'));
    return keepTidy(deps);
  },
};

function serveAccess(service: Service, deps: ServiceDeps, keyring: Keyring): void {
  const { db } = deps.database;
  const limits = createLimits(deps);
  const signUp = createSignUp(deps);
  const sessionFor = async (
    call: Caller,
    user: { id: string; role: 'student' | 'tutor' | 'admin' },
    by: NewSession['by'],
  ) => {
    const device = { userAgent: deviceLabel(call.headers['user-agent']), address: call.address };
    const { sessionId, ...refresh } = await openSession(db, { userId: user.id, by, ...device });
    return tokens(await keyring.sign({ id: user.id, role: user.role, sessionId }), refresh);
  };

  service.serve(contract.register, async (call) => {
    const limit = rateLimitHeaders(await limits.register(call.address));
    return telling(limit, async () => {
      const headers = { ...NO_STORE, ...limit };
      const userId = await signUp(call.body, call.receivedAt.getTime() + SIGN_UP_WAIT_MS);
      const user = await readUser(db, userId);
      if (user.status === 'pending') return { status: 202 as const, headers, body: { user } };
      return { status: 201 as const, headers, body: { user, tokens: await sessionFor(call, user, 'registration') } };
    });
  });

  service.serve(contract.login, async (call) => {
    const email = Email.safeParse(call.body.email).data;
    const limit = rateLimitHeaders(await limits.login(call.address, email ?? call.body.email));
    return telling(limit, async () => {
      const found = email === undefined ? undefined : await findByEmail(db, email);
      const right = await verifyPassword(found?.passwordHash, call.body.password.normalize('NFC'));
      if (!found || !right) throw new ProblemError('invalid_credentials');
      if (found.status === 'pending') throw new ProblemError('account_pending');
      const body = { user: await readUser(db, found.id), tokens: await sessionFor(call, found, 'password') };
      return { status: 200 as const, headers: { ...NO_STORE, ...limit }, body };
    });
  });

  service.serve(contract.refresh, async (call) => {
    await keyring.ready();
    const { userId, role, sessionId, ...refresh } = await rotateRefreshToken(db, call.body.refreshToken);
    const access = await keyring.sign({ id: userId, role, sessionId });
    return { status: 200 as const, headers: NO_STORE, body: { tokens: tokens(access, refresh) } };
  });

  service.serve(contract.logout, async (call) => {
    await endSessionOfToken(db, call.body.refreshToken);
    return { status: 204 as const, body: undefined };
  });

  service.serve(contract.verifyEmail, async (call) => {
    await verifyEmail(db, call.body.token);
    return { status: 204 as const, body: undefined };
  });
}

/** Has a refusal tell of the limit as well: who guesses passwords is to see what is left. */
async function telling<Reply>(headers: Record<string, string>, answer: () => Promise<Reply>): Promise<Reply> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const { code, detail, more } = error;
    throw new ProblemError(code, detail, { ...more, headers: { ...headers, ...more.headers } });
  }
}

type Caller = Pick<Call<typeof contract.login>, 'address' | 'headers'>;

function tokens(
  access: Pick<Tokens, 'accessToken' | 'accessTokenExpiresAt'>,
  refresh: Pick<Tokens, 'refreshToken' | 'refreshTokenExpiresAt'>,
): Tokens {
  return { tokenType: 'Bearer', ...access, ...refresh };
}

/**
 * Registers: stores the pending user, starts the saga that makes an account of it and waits for how that ends, until
 * `deadline`. Returns the user's id, active or still pending.
 */
function createSignUp(deps: ServiceDeps) {
  const { db } = deps.database;
  const failed = () =>
    new ProblemError('upstream_unavailable', 'The account could not be set up; register again', {
      retryAfterSeconds: 5,
    });

  async function startSaga(attempt: Attempt, role: RegisterRequest['role']): Promise<void> {
    await deps.sagas.start(userCreationSaga, { userId: attempt.userId, role }).catch(async (error: unknown) => {
      await releaseAttempt(db, attempt);
      throw error;
    });
    if (!(await markSagaStarted(db, attempt))) throw failed();
  }

  return async ({ email, password, role, ...registration }: RegisterRequest, deadline: number): Promise<string> => {
    const passwordHash = await hashPassword(password);
    const attempt = await storePendingUser(db, { email, passwordHash, role, registration });
    await startSaga(attempt, role);
    const { userId } = attempt;
    const state = await deps.changes.until(
      userId,
      deadline,
      () => signUpState(db, userId),
      (read) => read !== 'pending',
    );
    if (state === 'removed') throw failed();
    return userId;
  };
}

function serveSessions(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.listSessions, async ({ user, query }) => {
    if (query.cursor !== undefined && !isUuid(query.cursor)) {
      const errors = [{ path: 'query.cursor', message: 'is not a cursor of this list' }];
      throw new ProblemError('validation_failed', 'Some fields are not valid', { errors });
    }
    const page = { after: query.cursor, limit: query.limit };
    return { status: 200 as const, body: await listSessions(db, user.id, user.sessionId, page) };
  });

  service.serve(contract.endSession, async ({ user, params }) => {
    await endSession(db, user.id, params.id);
    return { status: 204 as const, body: undefined };
  });
}

function serveUsers(service: Service, { database: { db } }: ServiceDeps, keyring: Keyring): void {
  service.serve(contract.me, async ({ user }) => ({ status: 200 as const, body: await readUser(db, user.id) }));

  service.serve(contract.updateUser, async ({ user, params, body, idempotencyKey, fingerprint }) => {
    if (params.id !== user.id) throw new ProblemError('not_found');
    const request = idempotencyKey === undefined ? undefined : { owner: user.id, key: idempotencyKey, fingerprint };
    const reply = await updateProfile(db, request, user.id, body);
    return { status: 200 as const, body: reply.body };
  });

  service.serve(contract.jwks, async () => ({
    status: 200 as const,
    headers: { 'Cache-Control': 'public, max-age=300' },
    body: { keys: await keyring.published() },
  }));
}

/** Forgets, at the start and once an hour, what nobody asks for any more. */
function keepTidy({ database: { db }, logger }: ServiceDeps) {
  const tidy = async () => {
    await forgetOldLimits(db);
    await forgetOldSessions(db);
    await forgetOldVerifications(db);
    await forgetOldSigningKeys(db);
  };
  const tidyOrTell = () =>
    tidy().catch((error: unknown) => logger.warn({ err: error }, 'tidying up failed; tried again in an hour'));
  void tidyOrTell(); // a service that is restarted every day would otherwise never come to it
  const timer = setInterval(tidyOrTell, HOUR);
  timer.unref();
  return { close: async () => clearInterval(timer) };
}
