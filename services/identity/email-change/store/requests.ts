import { and, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { emailAddresses, emailChanges } from '../../../../db/schema/identity';
import { notValid, ProblemError } from '../../../../kernel/errors';
import { uuidv7 } from '../../../../platform/ids';
import { setEmailChange } from '../../store/email-changes';
import { lockUser } from '../../store/users';

/** What a person asks for who wants another address. */
export interface EmailChangeRequest {
  email: string;
  /** The hash that their password was found right by. */
  currentHash: string;
  /** The session that asks for it, which goes on when the address is changed. */
  sessionId: string;
}

/**
 * Stores a request for another address; one that was not confirmed yet is replaced by it.
 * @returns its id and those that it replaces; undefined, and nothing is stored, when the password has been replaced meanwhile
 * @throws ProblemError not_found; validation_failed for the address that the account has; email_taken; conflict while another change is being made
 */
export async function storeEmailChange(
  db: Database,
  userId: string,
  { email, currentHash, sessionId }: EmailChangeRequest,
): Promise<{ requestId: string; replaced: string[] } | undefined> {
  return db.transaction(async (tx) => {
    const user = await lockUser(tx, userId);
    if (!user) throw new ProblemError('not_found');
    if (user.passwordHash !== currentHash) return undefined;
    if (user.email.toLowerCase() === email.toLowerCase())
      throw notValid([{ path: 'email', message: 'is the address that you have' }]);
    if (await isTaken(tx, email, userId)) throw new ProblemError('email_taken');
    const open = await openChanges(tx, userId);
    if (open.some(({ status }) => status !== 'asked'))
      throw new ProblemError('conflict', 'Your address is being changed in this moment');
    const replaced = open.map(({ id }) => id);
    for (const id of replaced) await setEmailChange(tx, id, { status: 'replaced' });
    const requestId = uuidv7();
    await tx
      .insert(emailChanges)
      .values({ id: requestId, userId, fromEmail: user.email, toEmail: email, status: 'asked', sessionId });
    return { requestId, replaced };
  });
}

/** The changes of a user that something is still to be done of. */
export async function openChanges(tx: Transaction, userId: string) {
  return tx
    .select({ id: emailChanges.id, status: emailChanges.status })
    .from(emailChanges)
    .where(and(eq(emailChanges.userId, userId), inArray(emailChanges.status, ['asked', 'confirmed', 'reverting'])));
}

/** Whether an address is somebody else's, or kept for them. It may be a moment later: only taking it tells for good. */
async function isTaken(tx: Transaction, email: string, userId: string): Promise<boolean> {
  const rows = await tx
    .select({ userId: emailAddresses.userId })
    .from(emailAddresses)
    .where(and(eq(emailAddresses.address, sql`lower(${email}::text)`), ne(emailAddresses.userId, userId)));
  return rows.length > 0;
}
