import { and, eq, isNull, lt, ne, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { loginAddresses, passwordResets, userIdentities, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { appendEvent } from '../../../platform/outbox';
import { identityEvents } from '../events';
import { RESET_TOKEN_MINUTES, setsPassword } from '../rules';
import { emailToken, hashToken } from '../secrets';
import { voidEmailChanges } from './email-changes';
import { markVerified } from './email-verification';
import { dropSecondFactors } from './second-factors';
import { endSessions } from './sessions';
import { lockUser } from './users';

// Passwords that are replaced. A hash takes long to compute, so it is made before the transaction that stores it.

/** The link by which a person sets a new password. */
export interface IssuedReset {
  token: string;
  expiresAt: string;
}

/**
 * Issues a token that sets the user's password and replaces those that were not used. The same `commandKey` derives the same token again, with the
 * time that it had. @throws ProblemError not_found
 */
export async function issueReset(
  db: Database,
  userId: string,
  commandKey: string,
  secretKey: Buffer,
): Promise<IssuedReset> {
  const token = emailToken(secretKey, userId, commandKey);
  const tokenHash = hashToken(token);
  return db.transaction(async (tx) => {
    const user = await lockUser(tx, userId);
    if (!user) throw new ProblemError('not_found');
    const [issued] = await tx
      .insert(passwordResets)
      .values({
        ...{ tokenHash, userId, email: user.email },
        expiresAt: sql`now() + make_interval(mins => ${RESET_TOKEN_MINUTES})`,
      })
      .onConflictDoNothing()
      .returning();
    // A late repetition of an earlier command must not revive its token in place of a newer one.
    const { expiresAt } = issued ?? (await readReset(tx, tokenHash));
    if (issued) await replaceResets(tx, userId, tokenHash);
    return { token, expiresAt: expiresAt.toISOString() };
  });
}

/** Makes void what links for a new password are out, but for the one of `kept`. The caller holds the user's lock. */
export async function replaceResets(tx: Transaction, userId: string, kept = ''): Promise<void> {
  await tx
    .update(passwordResets)
    .set({ replacedAt: sql`now()` })
    .where(
      and(
        eq(passwordResets.userId, userId),
        ne(passwordResets.tokenHash, kept),
        isNull(passwordResets.usedAt),
        isNull(passwordResets.replacedAt),
      ),
    );
}

/** A reset token as stored, the user's address and the time by the database's clock. @throws ProblemError invalid_token when there is none */
async function readReset(db: Database | Transaction, tokenHash: string) {
  const [row] = await db
    .select({
      userId: passwordResets.userId,
      email: passwordResets.email,
      usedAt: passwordResets.usedAt,
      replacedAt: passwordResets.replacedAt,
      expiresAt: passwordResets.expiresAt,
      emailNow: users.email,
      now: sql<Date>`clock_timestamp()`.mapWith(passwordResets.expiresAt),
    })
    .from(passwordResets)
    .innerJoin(users, eq(users.id, passwordResets.userId))
    .where(eq(passwordResets.tokenHash, tokenHash));
  if (!row) throw new ProblemError('invalid_token');
  return row;
}

/** Whose password a token sets, and the time. @throws ProblemError invalid_token when it counts no more, or never did */
async function readUsable(db: Database | Transaction, tokenHash: string) {
  const { emailNow, now, ...token } = await readReset(db, tokenHash);
  if (!setsPassword(token, emailNow, now)) throw new ProblemError('invalid_token');
  return { userId: token.userId, now };
}

/** A look that locks nothing: a token that does not count is worth no hash. @throws ProblemError invalid_token */
export async function checkReset(db: Database, token: string): Promise<void> {
  await readUsable(db, hashToken(token));
}

/**
 * Spends a reset token: the password is the one of `passwordHash`, and every session has ended. The link went to the user's address, so it proves
 * that too; a second factor that was set up since that was proven is still asked for. @throws ProblemError invalid_token when it is unknown, used, replaced, expired, or was sent to an address of before
 */
export async function resetPassword(db: Database, token: string, passwordHash: string): Promise<void> {
  const tokenHash = hashToken(token);
  await db.transaction(async (tx) => {
    const { userId } = await readUsable(tx, tokenHash);
    const user = await lockUser(tx, userId);
    // Read again under the user's lock, which every change of a reset holds.
    const { now } = await readUsable(tx, tokenHash);
    await tx.update(passwordResets).set({ usedAt: now }).where(eq(passwordResets.tokenHash, tokenHash));
    if (!user?.emailVerifiedAt) await takeOverAccount(tx, userId, now);
    await setPassword(tx, userId, { passwordHash, by: 'reset' });
  });
}

/**
 * The first proof of an address: until now anybody may have held the account, who typed the address of somebody else. So what they set is taken
 * away. Password and sessions go with every reset, and are its caller's; here go the sign-ins at providers, from where they signed in, and a second
 * factor, which would keep the owner of the address out. The caller holds the user's lock.
 */
export async function takeOverAccount(tx: Transaction, userId: string, now: Date): Promise<void> {
  await tx.delete(loginAddresses).where(eq(loginAddresses.userId, userId));
  await tx.delete(userIdentities).where(eq(userIdentities.userId, userId));
  await dropSecondFactors(tx, userId);
  await markVerified(tx, userId, now);
}

/** What a change of a password is made with. */
export interface PasswordChange {
  /** The hash that was found right before. */
  currentHash: string;
  passwordHash: string;
  /** The session that asks for it, which goes on. */
  sessionId: string;
}

/**
 * Replaces a password by one that its person chose; their other sessions have ended. False, and nothing is changed, when the current one has been
 * replaced meanwhile.
 */
export async function changePassword(db: Database, userId: string, change: PasswordChange): Promise<boolean> {
  return db.transaction(async (tx) => {
    const user = await lockUser(tx, userId);
    if (user?.passwordHash !== change.currentHash) return false;
    const { passwordHash, sessionId } = change;
    await setPassword(tx, userId, { passwordHash, by: 'change', except: sessionId });
    return true;
  });
}

/**
 * Sets the password, ends sessions and makes void what links are out, those of a change of address that is not made yet too: whoever had the password
 * may have asked for it. The caller holds the user's lock.
 */
async function setPassword(
  tx: Transaction,
  userId: string,
  { passwordHash, by, except }: { passwordHash: string; by: 'reset' | 'change'; except?: string },
): Promise<void> {
  await tx.update(users).set({ passwordHash, updatedAt: sql`now()` }).where(eq(users.id, userId));
  await replaceResets(tx, userId);
  await voidEmailChanges(tx, userId);
  await endSessions(tx, userId, { except, reason: by === 'reset' ? 'password_reset' : 'password_changed' });
  await appendEvent(tx, identityEvents, {
    streamId: userId,
    type: 'UserPasswordChanged',
    data: { userId, participantIds: [userId], by },
  });
}

/** The hash of a user's password; undefined for one who has none. @throws ProblemError not_found */
export async function readPasswordHash(db: Database, userId: string): Promise<string | undefined> {
  const [user] = await db.select({ passwordHash: users.passwordHash }).from(users).where(eq(users.id, userId));
  if (!user) throw new ProblemError('not_found');
  return user.passwordHash ?? undefined;
}

/** Deletes reset tokens that expired a month ago. */
export async function forgetOldResets(db: Database): Promise<void> {
  await db.delete(passwordResets).where(lt(passwordResets.expiresAt, sql`now() - interval '30 days'`));
}
