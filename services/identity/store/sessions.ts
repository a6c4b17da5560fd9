import { and, desc, eq, gt, inArray, isNotNull, isNull, lt, ne, or, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Database, Transaction } from '../../../db/client';
import {
  refreshTokens,
  type Sealed,
  type SecondFactor,
  type SessionEnd,
  type UserRole,
  userIdentities,
  userSessions,
  users,
} from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { listCursor } from '../../../platform/cursor';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent, appendEvents } from '../../../platform/outbox';
import { Uuid } from '../../../platform/schemas';
import { seal, unseal } from '../../../platform/sealing';
import type { Session } from '../contract';
import { identityEvents } from '../events';
import {
  decideRefresh,
  methodAt,
  REPEAT_SECONDS,
  refreshTokenExpiry,
  SESSION_IDLE_DAYS,
  sessionExpiry,
} from '../rules';
import { hashToken, randomToken } from '../secrets';
import { hasSecondFactor } from './totp';

/** By what a person has shown who they are, as it was when it was looked at: the hash of the password that they gave, or their sign-in at a provider. */
export type SignInProof = { passwordHash: string } | { identityId: string };

/** Who opens a session, and from where. */
export interface NewSession {
  userId: string;
  /** Whether it is the first of an account that was made just now. */
  isFirst: boolean;
  proof: SignInProof;
  /** What they showed besides. */
  secondFactor?: SecondFactor;
  userAgent: string | null;
  address: string;
}

export interface RefreshToken {
  refreshToken: string;
  refreshTokenExpiresAt: string;
}

/** A session that is open, whose, how it began, and in which role. */
export interface OpenSession extends RefreshToken {
  userId: string;
  role: UserRole;
  sessionId: string;
  method: string;
  secondFactor: SecondFactor | null;
}

/**
 * Opens a session with its first refresh token. The session is an aggregate of its own: its events are in its own stream. None is opened by a
 * password that was replaced since it was verified, or a sign-in that was unlinked: whoever did that has ended the sessions there were, and would
 * not see this one. Nor is one opened without the second factor of a person who has one.
 * @returns also the role that the person has while it is opened, which may be another than when they showed who they are
 * @throws ProblemError invalid_credentials; account_suspended
 */
export async function openSession(db: Database | Transaction, input: NewSession): Promise<OpenSession> {
  const { isFirst, proof, ...values } = input;
  const id = uuidv7();
  const now = new Date();
  const expiresAt = sessionExpiry(now);
  return db.transaction(async (tx) => {
    const { userId } = input;
    // Logins go on beside each other; whoever takes away a way to sign in, changes the role or suspends waits for them, or they for it.
    const [user] = await tx
      .select({ passwordHash: users.passwordHash, role: users.role, status: users.status })
      .from(users)
      .where(eq(users.id, userId))
      .for('share');
    const method = user && (await methodOf(tx, userId, user.passwordHash, proof));
    if (!user || method === undefined) throw new ProblemError('invalid_credentials');
    if (user.status === 'suspended') throw new ProblemError('account_suspended');
    if (!input.secondFactor && (await hasSecondFactor(tx, userId))) throw new ProblemError('invalid_credentials');
    await tx.insert(userSessions).values({ id, ...values, method, expiresAt });
    const by = method === 'password' ? 'password' : 'provider';
    await appendEvent(tx, identityEvents, {
      streamId: id,
      type: 'UserLoggedIn',
      data: { userId, participantIds: [userId], sessionId: id, by: isFirst ? 'registration' : by },
    });
    const token = { sessionId: id, expiresAt: refreshTokenExpiry(now, expiresAt) };
    const { secondFactor = null } = input;
    const refresh = await issueRefreshToken(tx, randomToken(), token);
    return { userId, role: user.role, sessionId: id, method, secondFactor, ...refresh };
  });
}

/** How somebody signs in who has this to show; undefined where it counts no more. */
async function methodOf(
  tx: Transaction,
  userId: string,
  passwordHash: string | null,
  proof: SignInProof,
): Promise<string | undefined> {
  if ('passwordHash' in proof) return passwordHash === proof.passwordHash ? 'password' : undefined;
  const [identity] = await tx
    .select({ provider: userIdentities.provider })
    .from(userIdentities)
    .where(and(eq(userIdentities.id, proof.identityId), eq(userIdentities.userId, userId)));
  return identity && methodAt(identity.provider);
}

async function issueRefreshToken(
  tx: Transaction,
  refreshToken: string,
  values: { sessionId: string; expiresAt: Date; createdAt?: Date; sealed?: Sealed },
): Promise<RefreshToken> {
  await tx.insert(refreshTokens).values({ tokenHash: hashToken(refreshToken), ...values });
  return { refreshToken, refreshTokenExpiresAt: values.expiresAt.toISOString() };
}

/** What makes a refresh repeatable. */
export interface Repeatable {
  /** What its client calls it. */
  refreshId: string;
  /** Seals the successor for a repeat. */
  key: Buffer;
}

/**
 * Spends a refresh token for its successor; of parallel uses one gets it, and those that are repeats under one id get the same. A token that was
 * spent otherwise is refused and may end its session, as `decideRefresh` says. @throws ProblemError invalid_refresh_token
 */
export async function rotateRefreshToken(
  db: Database,
  refreshToken: string,
  repeatable?: Repeatable,
): Promise<OpenSession> {
  const tokenHash = hashToken(refreshToken);
  // The end of a session must be committed although the token is refused: so the refusal is returned, then thrown.
  const refreshed = await db.transaction(async (tx): Promise<OpenSession | undefined> => {
    const found = await lockSessionOf(tx, tokenHash);
    if (!found) return undefined;
    const decision = decideRefresh(found, repeatable?.refreshId, found.now);
    if (decision === 'end_session') await markEnded(tx, [found], 'token_reuse');
    if (decision === 'end_session' || decision === 'refuse') return undefined;
    const given =
      decision === 'rotate' ? await rotate(tx, tokenHash, found, repeatable) : givenBefore(found, repeatable);
    const { userId, role, sessionId, method, secondFactor } = found;
    return given && { userId, role, sessionId, method, secondFactor, ...given };
  });
  if (!refreshed) throw new ProblemError('invalid_refresh_token');
  return refreshed;
}

/** Exchanges a token. Its first use is also where it need not be given again. */
async function rotate(tx: Transaction, tokenHash: string, found: Found, repeatable: Repeatable | undefined) {
  const successor = randomToken();
  const successorHash = hashToken(successor);
  const { sessionId, now } = found;
  await tx
    .update(refreshTokens)
    .set({ usedAt: now, successorHash, refreshId: repeatable?.refreshId ?? null, sealed: null })
    .where(eq(refreshTokens.tokenHash, tokenHash));
  await tx.update(userSessions).set({ lastUsedAt: now }).where(eq(userSessions.id, sessionId));
  return issueRefreshToken(tx, successor, {
    sessionId,
    expiresAt: refreshTokenExpiry(now, found.sessionExpiresAt),
    createdAt: now,
    ...(repeatable && { sealed: seal(repeatable.key, successorHash, successor) }),
  });
}

/** The successor as it was given. Undefined when it cannot be opened, because the secret was changed. */
function givenBefore({ successor }: Found, repeatable: Repeatable | undefined): RefreshToken | undefined {
  if (!repeatable || !successor?.sealed) return undefined;
  const refreshToken = unseal(repeatable.key, successor.tokenHash, successor.sealed);
  return refreshToken === undefined
    ? undefined
    : { refreshToken, refreshTokenExpiresAt: successor.expiresAt.toISOString() };
}

/** Ends the session of a refresh token, spent or not; harmless when there is none. */
export async function endSessionOfToken(db: Database, refreshToken: string): Promise<void> {
  await db.transaction(async (tx) => {
    const found = await lockSessionOf(tx, hashToken(refreshToken));
    if (found && !found.sessionEndedAt) await markEnded(tx, [found], 'logout');
  });
}

/** Ends one of the user's open sessions. @throws ProblemError not_found, also for a stranger's */
export async function endSession(db: Database, userId: string, sessionId: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [session] = await tx
      .select({ id: userSessions.id })
      .from(userSessions)
      .where(and(eq(userSessions.id, sessionId), eq(userSessions.userId, userId), isOpen))
      .for('update');
    if (!session) throw new ProblemError('not_found');
    await markEnded(tx, [{ sessionId, userId }], 'revoked');
  });
}

/**
 * Ends the open sessions of a user, all or all but one, or those that began by one `method`, each with an event of its own. The caller holds the user's lock where none may be opened
 * meanwhile. Sessions are locked in the order of their ids, so that two who end several never wait for each other.
 */
export async function endSessions(
  tx: Transaction,
  userId: string,
  { except, method, reason }: { except?: string | undefined; method?: string; reason: SessionEnd },
): Promise<void> {
  const ended = await tx
    .select({ sessionId: userSessions.id, userId: userSessions.userId })
    .from(userSessions)
    .where(
      and(
        ...[eq(userSessions.userId, userId), isOpen],
        except === undefined ? undefined : ne(userSessions.id, except),
        method === undefined ? undefined : eq(userSessions.method, method),
      ),
    )
    .orderBy(userSessions.id)
    .for('update');
  await markEnded(tx, ended, reason);
}

async function markEnded(
  tx: Transaction,
  ended: readonly { sessionId: string; userId: string }[],
  reason: SessionEnd,
): Promise<void> {
  const ids = ended.map(({ sessionId }) => sessionId);
  await tx.update(userSessions).set({ endedAt: sql`now()`, endReason: reason }).where(inArray(userSessions.id, ids));
  await appendEvents(
    tx,
    identityEvents,
    ended.map(({ sessionId, userId }) => ({
      streamId: sessionId,
      type: 'UserLoggedOut' as const,
      data: { userId, participantIds: [userId], sessionId, reason },
    })),
  );
}

/**
 * The session of a token, locked, and the token as it is under that lock: a row that was joined to a locked one may be
 * as old as the statement, so it is read after the lock is held.
 */
async function lockSessionOf(tx: Transaction, tokenHash: string) {
  const [token] = await tx
    .select({ sessionId: refreshTokens.sessionId })
    .from(refreshTokens)
    .where(eq(refreshTokens.tokenHash, tokenHash));
  if (!token) return undefined;
  await tx.select({ id: userSessions.id }).from(userSessions).where(eq(userSessions.id, token.sessionId)).for('update');
  const [found] = await tx
    .select({
      sessionId: userSessions.id,
      userId: users.id,
      role: users.role,
      method: userSessions.method,
      secondFactor: userSessions.secondFactor,
      usedAt: refreshTokens.usedAt,
      refreshId: refreshTokens.refreshId,
      successor: successors,
      successorUsedAt: successors.usedAt,
      tokenExpiresAt: refreshTokens.expiresAt,
      sessionExpiresAt: userSessions.expiresAt,
      sessionEndedAt: userSessions.endedAt,
      now: sql<Date>`clock_timestamp()`.mapWith(userSessions.createdAt),
    })
    .from(refreshTokens)
    .innerJoin(userSessions, eq(userSessions.id, refreshTokens.sessionId))
    .innerJoin(users, eq(users.id, userSessions.userId))
    .leftJoin(successors, eq(successors.tokenHash, refreshTokens.successorHash))
    .where(eq(refreshTokens.tokenHash, tokenHash));
  return found;
}

type Found = NonNullable<Awaited<ReturnType<typeof lockSessionOf>>>;

const successors = alias(refreshTokens, 'successors');

const isOpen = and(isNull(userSessions.endedAt), gt(userSessions.expiresAt, sql`now()`));
// A session whose last refresh token has expired can do nothing more.
const isUsable = and(isOpen, gt(userSessions.lastUsedAt, sql`now() - make_interval(days => ${SESSION_IDLE_DAYS})`));

/** Whether an access token of this session is still honoured. */
export async function isSessionOpen(db: Database, userId: string, sessionId: string): Promise<boolean> {
  const rows = await db
    .select({ id: userSessions.id })
    .from(userSessions)
    .where(and(eq(userSessions.id, sessionId), eq(userSessions.userId, userId), isOpen));
  return rows.length > 0;
}

/** The same of a session whose user its token says. */
export async function isOpenSession(db: Database, sessionId: string): Promise<boolean> {
  const rows = await db
    .select({ id: userSessions.id })
    .from(userSessions)
    .where(and(eq(userSessions.id, sessionId), isOpen));
  return rows.length > 0;
}

/** Where a page of sessions ends: at the id of its last one. Ids of sessions are in the order of their creation. */
const afterSession = listCursor(Uuid);

/** The user's usable sessions, newest first, from where `page.cursor` points. @throws ProblemError validation_failed */
export async function listSessions(
  db: Database,
  userId: string,
  currentId: string,
  page: { cursor?: string | undefined; limit: number },
): Promise<{ items: Session[]; nextCursor: string | null }> {
  const rows = await db
    .select()
    .from(userSessions)
    .where(
      and(
        eq(userSessions.userId, userId),
        isUsable,
        page.cursor === undefined ? undefined : lt(userSessions.id, afterSession.read(page.cursor)),
      ),
    )
    .orderBy(desc(userSessions.id))
    .limit(page.limit + 1);
  const items = rows.slice(0, page.limit).map((row) => ({
    id: row.id,
    current: row.id === currentId,
    method: row.method,
    userAgent: row.userAgent,
    address: row.address,
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
  }));
  // The last of the page, where there is more behind it.
  const [last] = rows.slice(page.limit - 1, -1);
  return { items, nextCursor: last ? afterSession.write(last.id) : null };
}

/** Deletes sessions that ended a month ago, spent tokens that would be refused for their age anyway, and sealed tokens that nobody is given again. */
export async function forgetOldSessions(db: Database): Promise<void> {
  const monthAgo = sql`now() - interval '30 days'`;
  await db.delete(userSessions).where(or(lt(userSessions.expiresAt, monthAgo), lt(userSessions.endedAt, monthAgo)));
  await db.delete(refreshTokens).where(and(isNotNull(refreshTokens.usedAt), lt(refreshTokens.expiresAt, sql`now()`)));
  const cannotRepeat = lt(refreshTokens.createdAt, sql`now() - make_interval(secs => ${REPEAT_SECONDS})`);
  await db
    .update(refreshTokens)
    .set({ sealed: null })
    .where(and(isNotNull(refreshTokens.sealed), cannotRepeat));
}
