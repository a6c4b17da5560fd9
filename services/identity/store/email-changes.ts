import { and, eq, gt, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { Transaction } from '../../../db/client';
import { type EmailChangeStatus, emailChanges } from '../../../db/schema/identity';
import { announce } from '../../../platform/changes';

/** Notes what has become of a change of address, and wakes whoever waits for that. The caller holds the user's lock. */
export async function setEmailChange(
  tx: Transaction,
  id: string,
  values: { status: EmailChangeStatus; heardStatus?: EmailChangeStatus; revertUntil?: SQL },
): Promise<void> {
  await tx
    .update(emailChanges)
    .set({ ...values, statusAt: sql`now()` })
    .where(eq(emailChanges.id, id));
  await announce(tx, id);
}

/**
 * Makes void what changes of a user's address are not made yet, and those that were made later than the one of `after`, which is taken back. Those
 * that can be taken back remain otherwise: whoever replaces a password may not be who had it. The caller holds the user's lock.
 */
export async function voidEmailChanges(tx: Transaction, userId: string, after?: { createdAt: Date }): Promise<void> {
  const notMade = inArray(emailChanges.status, ['asked', 'confirmed']);
  const later = after && and(eq(emailChanges.status, 'changed'), gt(emailChanges.createdAt, after.createdAt));
  const found = await tx
    .select({ id: emailChanges.id })
    .from(emailChanges)
    .where(and(eq(emailChanges.userId, userId), or(notMade, later)));
  for (const { id } of found) await setEmailChange(tx, id, { status: 'void' });
}
