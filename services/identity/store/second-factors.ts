import { and, eq, gt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { loginChallenges, passkeys, recoveryCodes, totpFactors, userSessions } from '../../../db/schema/identity';
import { notValid, ProblemError } from '../../../kernel/errors';
import { appendEvent } from '../../../platform/outbox';
import { identityEvents } from '../events';
import { RECOVERY_CODES, typedCode } from '../rules';
import { hashToken, recoveryCode } from '../secrets';
import { newTotpSecret, otpauthUri } from '../totp';
import { endSessions } from './sessions';
import { type GivenCode, hasSecondFactor, sealSecret, takeCode, takeTotp } from './totp';
import { lockUser } from './users';

// Second factors that are set up and given up. Each change holds the user's lock.

/** The authenticator of a person, shown to them once. */
export interface Authenticator {
  /** In Base32, for who cannot scan. */
  secret: string;
  otpauthUri: string;
}

/**
 * Gives a person the secret of an authenticator, in place of one that they never confirmed. `passwordHash` is what they proved right before.
 * @throws ProblemError not_found; invalid_state when they have a second factor; validation_failed when the password was replaced meanwhile
 */
export async function startTotp(
  db: Database,
  userId: string,
  { passwordHash, key }: { passwordHash: string; key: Buffer },
): Promise<Authenticator> {
  return db.transaction(async (tx) => {
    const user = await lockedBy(tx, userId, passwordHash);
    if (await hasSecondFactor(tx, userId)) throw new ProblemError('invalid_state', 'There is a second factor already');
    const secret = newTotpSecret();
    await tx.delete(totpFactors).where(eq(totpFactors.userId, userId));
    await tx.insert(totpFactors).values({ userId, sealedSecret: sealSecret(key, userId, secret) });
    return { secret, otpauthUri: otpauthUri(secret, user.email) };
  });
}

/** The user, locked by who proved `passwordHash`. @throws ProblemError not_found; validation_failed when their password is another one by now */
export async function lockedBy(tx: Transaction, userId: string, passwordHash: string) {
  const user = await lockUser(tx, userId);
  if (!user) throw new ProblemError('not_found');
  if (user.passwordHash !== passwordHash)
    throw notValid([{ path: 'password', message: 'was replaced in this moment' }]);
  return user;
}

const wrongCode = () => notValid([{ path: 'code', message: 'is wrong, or was used already' }]);

/**
 * Asks the person for their authenticator from now on, of which they give the first code. The session in which they do has shown the second
 * factor by that; their others, which have not, end. @returns the recovery codes, which nobody can be told again
 * @throws ProblemError invalid_state when there is nothing to confirm; validation_failed for a wrong code
 */
export async function confirmTotp(
  db: Database,
  userId: string,
  { sessionId, ...given }: GivenCode & { sessionId: string },
): Promise<string[]> {
  return db.transaction(async (tx) => {
    await lockUser(tx, userId);
    const [factor] = await tx.select().from(totpFactors).where(eq(totpFactors.userId, userId));
    if (!factor || factor.confirmedAt) throw new ProblemError('invalid_state', 'There is nothing to confirm');
    if (!(await takeTotp(tx, userId, given))) throw wrongCode();
    await tx.update(userSessions).set({ secondFactor: 'totp' }).where(eq(userSessions.id, sessionId));
    return confirmed(tx, userId, sessionId);
  });
}

/** Makes a second factor count, with new recovery codes; all sessions but one have ended. */
async function confirmed(tx: Transaction, userId: string, exceptSession?: string): Promise<string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, recoveryCode);
  await tx.update(totpFactors).set({ confirmedAt: sql`now()` }).where(eq(totpFactors.userId, userId));
  await tx.insert(recoveryCodes).values(codes.map((code) => ({ userId, codeHash: hashToken(typedCode(code).code) })));
  await endSessions(tx, userId, { except: exceptSession, reason: 'revoked' });
  await tell(tx, userId, 'UserSecondFactorAdded');
  return codes;
}

/** An authenticator that counts already, and what goes with it. */
export interface Enrolment extends Authenticator {
  recoveryCodes: string[];
}

/** Sets a second factor up for somebody who did not ask for it; their sessions have ended. The caller holds the user's lock. */
export async function enrol(tx: Transaction, user: { id: string; email: string }, key: Buffer): Promise<Enrolment> {
  const secret = newTotpSecret();
  await tx.delete(totpFactors).where(eq(totpFactors.userId, user.id));
  await tx.insert(totpFactors).values({ userId: user.id, sealedSecret: sealSecret(key, user.id, secret) });
  const codes = await confirmed(tx, user.id);
  return { secret, otpauthUri: otpauthUri(secret, user.email), recoveryCodes: codes };
}

/**
 * Gives a person's second factor up. Their other sessions end, and that of an administrator too: without a second factor it may do
 * nothing more, and its tokens still say that there is one.
 * @throws ProblemError not_found; invalid_state when there is none; validation_failed for a wrong code, or when the password was replaced meanwhile
 */
export async function removeTotp(
  db: Database,
  userId: string,
  { passwordHash, sessionId, ...given }: GivenCode & { passwordHash: string; sessionId: string },
): Promise<void> {
  await db.transaction(async (tx) => {
    const { role } = await lockedBy(tx, userId, passwordHash);
    if (!(await hasSecondFactor(tx, userId))) throw new ProblemError('invalid_state', 'There is no second factor');
    if (!(await takeCode(tx, userId, given))) throw wrongCode();
    await dropSecondFactors(tx, userId);
    await endSessions(tx, userId, { except: role === 'admin' ? undefined : sessionId, reason: 'revoked' });
    await tx.update(userSessions).set({ secondFactor: null }).where(eq(userSessions.id, sessionId));
  });
}

/** The same of a second factor or passkeys that were set up since. The caller holds the user's lock, and sees to the sessions. */
export async function dropSecondFactorsSince(tx: Transaction, userId: string, since: Date): Promise<void> {
  const young = await tx
    .select({ userId: totpFactors.userId })
    .from(totpFactors)
    .where(and(eq(totpFactors.userId, userId), gt(totpFactors.createdAt, since)));
  if (young.length > 0) return dropSecondFactors(tx, userId);
  const removed = await tx
    .delete(passkeys)
    .where(and(eq(passkeys.userId, userId), gt(passkeys.createdAt, since)))
    .returning({ id: passkeys.id });
  if (removed.length > 0) await tell(tx, userId, 'UserPasskeyRemoved');
}

/**
 * Takes away whatever a person has as a second factor, set up or begun, and the sign-ins that wait for it. The caller holds the user's lock, and
 * sees to the sessions.
 */
export async function dropSecondFactors(tx: Transaction, userId: string): Promise<void> {
  const counted = await hasSecondFactor(tx, userId);
  await tx.delete(totpFactors).where(eq(totpFactors.userId, userId));
  await tx.delete(loginChallenges).where(eq(loginChallenges.userId, userId));
  if (!counted) return;
  await tell(tx, userId, 'UserSecondFactorRemoved');
}

/** Says what has become of a person's second factors. */
export async function tell(
  tx: Transaction,
  userId: string,
  type: 'UserSecondFactorAdded' | 'UserSecondFactorRemoved' | 'UserPasskeyAdded' | 'UserPasskeyRemoved',
): Promise<void> {
  await appendEvent(tx, identityEvents, { streamId: userId, type, data: { userId, participantIds: [userId] } });
}
