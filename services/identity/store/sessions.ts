import { and, asc, desc, eq, gt, inArray, isNotNull, isNull, lt, ne, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { refreshTokens, type SessionEnd, userSessions, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { listCursor } from '../../../platform/cursor';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent, appendEvents } from '../../../platform/outbox';
import { Uuid } from '../../../platform/schemas';
import type { Session } from '../contract';
import { identityEvents } from '../events';
import { decideRefresh, refreshTokenExpiry, SESSION_IDLE_DAYS, sessionExpiry } from '../rules';
import { hashToken, randomToken } from '../secrets';

/** Who opens a session, and from where. */
export interface NewSession {
  userId: string;
  /** By what the person proved who they are. */
  by: 'registration' | 'password';
  /** The hash of the password that they gave, as it was when it was verified. */
  passwordHash: string;
  userAgent: string | null;
  address: string;
}

export interface RefreshToken {
  refreshToken: string;
  refreshTokenExpiresAt: string;
}

/**
 * Opens a session with its first refresh token. The session is an aggregate of its own: its events are in its own stream. None is opened by a
 * password that was replaced since it was verified: whoever replaces it has ended the sessions there were, and would not see this one.
 * @throws ProblemError invalid_credentials
 */
export async function openSession(db: Database, input: NewSession): Promise<RefreshToken & { sessionId: string }> {
  const { by, passwordHash, ...values } = input;
  const id = uuidv7();
  const now = new Date();
  const expiresAt = sessionExpiry(now);
  return db.transaction(async (tx) => {
    const { userId } = input;
    // Logins go on beside each other; whoever replaces the password waits for them, or they for it.
    const [user] = await tx
      .select({ passwordHash: users.passwordHash })
      .from(users)
      .where(eq(users.id, userId))
      .for('share');
    if (user?.passwordHash !== passwordHash) throw new ProblemError('invalid_credentials');
    await tx.insert(userSessions).values({ id, ...values, expiresAt });
    await appendEvent(tx, identityEvents, {
      streamId: id,
      type: 'UserLoggedIn',
      data: { userId, participantIds: [userId], sessionId: id, by },
    });
    return { sessionId: id, ...(await issueRefreshToken(tx, id, refreshTokenExpiry(now, expiresAt))) };
  });
}

async function issueRefreshToken(tx: Transaction, sessionId: string, expiresAt: Date): Promise<RefreshToken> {
  const refreshToken = randomToken();
  await tx.insert(refreshTokens).values({ tokenHash: hashToken(refreshToken), sessionId, expiresAt });
  return { refreshToken, refreshTokenExpiresAt: expiresAt.toISOString() };
}

export interface Refreshed extends RefreshToken {
  userId: string;
  role: 'student' | 'tutor' | 'admin';
  sessionId: string;
}

/**
 * Spends a refresh token for its successor; of parallel uses one gets it. A token that was spent before is refused,
 * and ends its session when the grace period is over. @throws ProblemError invalid_refresh_token
 */
export async function rotateRefreshToken(db: Database, refreshToken: string): Promise<Refreshed> {
  const tokenHash = hashToken(refreshToken);
  // The end of a session must be committed although the token is refused: so the refusal is returned, then thrown.
  const refreshed = await db.transaction(async (tx): Promise<Refreshed | undefined> => {
    const found = await lockSessionOf(tx, tokenHash);
    if (!found) return undefined;
    const decision = decideRefresh(found, found.now);
    if (decision === 'end_session') await markEnded(tx, found, 'token_reuse');
    if (decision !== 'rotate') return undefined;
    await tx.update(refreshTokens).set({ usedAt: found.now }).where(eq(refreshTokens.tokenHash, tokenHash));
    await tx.update(userSessions).set({ lastUsedAt: found.now }).where(eq(userSessions.id, found.sessionId));
    const { userId, role, sessionId } = found;
    const expiresAt = refreshTokenExpiry(found.now, found.sessionExpiresAt);
    return { userId, role, sessionId, ...(await issueRefreshToken(tx, sessionId, expiresAt)) };
  });
  if (!refreshed) throw new ProblemError('invalid_refresh_token');
  return refreshed;
}

/** Ends the session of a refresh token, spent or not; harmless when there is none. */
export async function endSessionOfToken(db: Database, refreshToken: string): Promise<void> {
  await db.transaction(async (tx) => {
    const found = await lockSessionOf(tx, hashToken(refreshToken));
    if (found && !found.sessionEndedAt) await markEnded(tx, found, 'logout');
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
    await markEnded(tx, { sessionId, userId }, 'revoked');
  });
}

/**
 * Ends the open sessions of a user, all or all but one, each with an event of its own. The caller holds the user's lock where none may be opened
 * meanwhile. Sessions are locked in the order of their ids, so that two who end several never wait for each other.
 */
export async function endSessions(
  tx: Transaction,
  userId: string,
  { except, reason }: { except?: string | undefined; reason: SessionEnd },
): Promise<void> {
  const open = await tx
    .select({ id: userSessions.id })
    .from(userSessions)
    .where(and(eq(userSessions.userId, userId), isOpen, except === undefined ? undefined : ne(userSessions.id, except)))
    .orderBy(asc(userSessions.id))
    .for('update');
  if (open.length === 0) return;
  const ids = open.map(({ id }) => id);
  await tx.update(userSessions).set({ endedAt: sql`now()`, endReason: reason }).where(inArray(userSessions.id, ids));
  await appendEvents(
    tx,
    identityEvents,
    ids.map((sessionId) => loggedOut(userId, sessionId, reason)),
  );
}

async function markEnded(
  tx: Transaction,
  { sessionId, userId }: { sessionId: string; userId: string },
  reason: SessionEnd,
): Promise<void> {
  await tx.update(userSessions).set({ endedAt: sql`now()`, endReason: reason }).where(eq(userSessions.id, sessionId));
  await appendEvent(tx, identityEvents, loggedOut(userId, sessionId, reason));
}

function loggedOut(userId: string, sessionId: string, reason: SessionEnd) {
  return {
    streamId: sessionId,
    type: 'UserLoggedOut' as const,
    data: { userId, participantIds: [userId], sessionId, reason },
  };
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
      usedAt: refreshTokens.usedAt,
      tokenExpiresAt: refreshTokens.expiresAt,
      sessionExpiresAt: userSessions.expiresAt,
      sessionEndedAt: userSessions.endedAt,
      now: sql<Date>`clock_timestamp()`.mapWith(userSessions.createdAt),
    })
    .from(refreshTokens)
    .innerJoin(userSessions, eq(userSessions.id, refreshTokens.sessionId))
    .innerJoin(users, eq(users.id, userSessions.userId))
    .where(eq(refreshTokens.tokenHash, tokenHash));
  return found;
}

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

/** Deletes sessions that ended a month ago, and spent tokens that would be refused for their age anyway. */
export async function forgetOldSessions(db: Database): Promise<void> {
  const monthAgo = sql`now() - interval '30 days'`;
  await db.delete(userSessions).where(or(lt(userSessions.expiresAt, monthAgo), lt(userSessions.endedAt, monthAgo)));
  await db.delete(refreshTokens).where(and(isNotNull(refreshTokens.usedAt), lt(refreshTokens.expiresAt, sql`now()`)));
}
