import { eq, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { emailVerifications, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { appendEvent } from '../../../platform/outbox';
import { identityEvents } from '../events';
import { provesEmail } from '../rules';
import { hashToken } from '../secrets';
import { lockUser } from './users';

/** Spends a verification token. @throws ProblemError invalid_token when it is unknown, used, replaced or expired */
export async function verifyEmail(db: Database, token: string): Promise<void> {
  const tokenHash = hashToken(token);
  await db.transaction(async (tx) => {
    const stored = await readVerification(tx, tokenHash);
    const user = await lockUser(tx, stored.userId);
    // Read again under the user's lock, which every change of a verification holds.
    const { now, ...current } = await readVerification(tx, tokenHash);
    if (!user || !provesEmail(current, now)) throw new ProblemError('invalid_token');
    await tx.update(emailVerifications).set({ usedAt: now }).where(eq(emailVerifications.tokenHash, tokenHash));
    if (!user.emailVerifiedAt) await markVerified(tx, user.id, now);
  });
}

/** Notes that a person has shown for the first time that their address is theirs. The caller holds the user's lock. */
export async function markVerified(tx: Transaction, userId: string, now: Date): Promise<void> {
  await tx.update(users).set({ emailVerifiedAt: now, updatedAt: now }).where(eq(users.id, userId));
  await appendEvent(tx, identityEvents, {
    streamId: userId,
    type: 'UserEmailVerified',
    data: { userId, participantIds: [userId] },
  });
}

/** A verification token as stored, and the time by the database's clock. @throws ProblemError invalid_token when there is none */
export async function readVerification(tx: Transaction, tokenHash: string) {
  const [row] = await tx
    .select({
      userId: emailVerifications.userId,
      usedAt: emailVerifications.usedAt,
      replacedAt: emailVerifications.replacedAt,
      expiresAt: emailVerifications.expiresAt,
      now: sql<Date>`clock_timestamp()`.mapWith(emailVerifications.expiresAt),
    })
    .from(emailVerifications)
    .where(eq(emailVerifications.tokenHash, tokenHash));
  if (!row) throw new ProblemError('invalid_token');
  return row;
}

/** Deletes verification tokens that expired a month ago. */
export async function forgetOldVerifications(db: Database): Promise<void> {
  await db.delete(emailVerifications).where(lt(emailVerifications.expiresAt, sql`now() - interval '30 days'`));
}
