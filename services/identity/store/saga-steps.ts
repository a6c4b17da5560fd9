import { and, eq, isNull, ne, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { emailVerifications, userProfiles, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { announce } from '../../../platform/changes';
import { type KeyedRequest, once, type StoredReply, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import type { CreatedProfile, EmailVerification } from '../contract';
import { identityEvents } from '../events';
import { displayName, EMAIL_TOKEN_HOURS } from '../rules';
import { emailToken, hashToken } from '../secrets';
import { readVerification } from './email-verification';
import { publishPerson } from './people';
import { lockUser, readUser } from './users';

/** Saga step: makes the profile from what was registered. @throws ProblemError not_found, undone */
export async function createProfile(
  db: Database,
  request: KeyedRequest,
  id: string,
): Promise<StoredReply<CreatedProfile>> {
  return once(db, request, async (tx) => {
    const user = await lockUser(tx, id);
    if (!user) throw new ProblemError('not_found');
    if (user.registration) {
      await tx
        .insert(userProfiles)
        .values({ userId: id, ...user.registration })
        .onConflictDoNothing();
    }
    // The saga is running, whatever became of the registration that started it: nobody takes the row over from here on.
    await tx
      .update(users)
      .set({ sagaStartedAt: sql`coalesce(${users.sagaStartedAt}, now())` })
      .where(eq(users.id, id));
    const { profile, role } = await readUser(tx, id);
    return {
      status: 200,
      body: { displayName: displayName(profile), timeZone: profile.timeZone, locale: profile.locale, role },
    };
  });
}

/** Undo of createProfile. @throws ProblemError invalid_state for an active user */
export async function removeProfile(db: Database, request: UndoRequest, id: string): Promise<StoredReply<undefined>> {
  return undoOnce(db, request, async (tx) => {
    refuseActive(await lockUser(tx, id));
    await tx.delete(userProfiles).where(eq(userProfiles.userId, id));
    return { status: 204, body: undefined };
  });
}

/**
 * Saga step, the pivot: from now on the person can log in. Other contexts learn of a user here and not at registration,
 * so that they never hear of one that is undone. @throws ProblemError not_found, undone; invalid_state without a profile
 */
export async function activateUser(
  db: Database,
  request: KeyedRequest,
  id: string,
): Promise<StoredReply<{ status: 'active' }>> {
  return once(db, request, async (tx) => {
    const user = await lockUser(tx, id);
    if (!user) throw new ProblemError('not_found');
    if (user.status === 'pending') {
      const [profile] = await tx.select().from(userProfiles).where(eq(userProfiles.userId, id));
      if (!profile) throw new ProblemError('invalid_state', 'The user has no profile yet');
      await tx
        .update(users)
        .set({ status: 'active', registration: null, updatedAt: sql`now()` })
        .where(eq(users.id, id));
      await appendEvent(tx, identityEvents, {
        streamId: id,
        type: 'UserRegistered',
        data: { userId: id, participantIds: [id], role: user.role },
      });
      // Told now: of a user who is pending others hear nothing.
      if (user.emailVerifiedAt)
        await appendEvent(tx, identityEvents, {
          streamId: id,
          type: 'UserEmailVerified',
          data: { userId: id, participantIds: [id] },
        });
      await publishPerson(tx, id);
      await announce(tx, id);
    }
    return { status: 200, body: { status: 'active' } };
  });
}

/**
 * Undo of registering: nothing of the pending user remains, and the address can register again.
 * @throws ProblemError invalid_state for an active user
 */
export async function removeUser(db: Database, request: UndoRequest, id: string): Promise<StoredReply<undefined>> {
  return undoOnce(db, request, async (tx) => {
    refuseActive(await lockUser(tx, id));
    await tx.delete(users).where(eq(users.id, id));
    await announce(tx, id);
    return { status: 204, body: undefined };
  });
}

function refuseActive(user: { status: string } | undefined): void {
  if (user && user.status !== 'pending') throw new ProblemError('invalid_state', 'An active user is not undone');
}

/**
 * Issues a token that proves the user's e-mail address and replaces those that were not used. The reply is stored
 * nowhere: the same `commandKey` derives the same token again. @throws ProblemError not_found
 */
export async function issueEmailVerification(
  db: Database,
  id: string,
  commandKey: string,
  secretKey: Buffer,
): Promise<EmailVerification> {
  const token = emailToken(secretKey, id, commandKey);
  const tokenHash = hashToken(token);
  return db.transaction(async (tx) => {
    if (!(await lockUser(tx, id))) throw new ProblemError('not_found');
    const [issued] = await tx
      .insert(emailVerifications)
      .values({ tokenHash, userId: id, expiresAt: sql`now() + make_interval(hours => ${EMAIL_TOKEN_HOURS})` })
      .onConflictDoNothing()
      .returning();
    // A late repetition of an earlier command must not revive its token in place of a newer one.
    if (!issued) return { token, expiresAt: (await readVerification(tx, tokenHash)).expiresAt.toISOString() };
    await tx
      .update(emailVerifications)
      .set({ replacedAt: sql`now()` })
      .where(
        and(
          eq(emailVerifications.userId, id),
          ne(emailVerifications.tokenHash, tokenHash),
          isNull(emailVerifications.usedAt),
          isNull(emailVerifications.replacedAt),
        ),
      );
    return { token, expiresAt: issued.expiresAt.toISOString() };
  });
}
