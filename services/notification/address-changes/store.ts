import { and, eq, gte, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { addressChanges, contacts } from '../../../db/schema/notification';
import { ProblemError } from '../../../kernel/errors';
import { type KeyedRequest, once, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import type { ProposedAddress, RestoredAddress } from './contract';

// Which of two addresses a person is reached by while one takes the other's place. Every step locks the contact first.

const nothing = { status: 204, body: null };

/** The addresses of a change; undefined once it is settled or was given up. */
export async function readAddressChange(db: Database | Transaction, requestId: string) {
  const [row] = await db
    .select({
      userId: addressChanges.userId,
      before: addressChanges.emailBefore,
      proposed: addressChanges.email,
      verifiedBefore: addressChanges.verifiedBefore,
      createdAt: addressChanges.createdAt,
    })
    .from(addressChanges)
    .where(eq(addressChanges.requestId, requestId));
  return row;
}

/** Keeps both addresses of a change. The person goes on to be reached as before. @throws ProblemError undone */
export async function proposeAddress(
  db: Database,
  request: KeyedRequest,
  requestId: string,
  proposed: ProposedAddress,
): Promise<void> {
  await once(db, request, async (tx) => {
    await tx.insert(addressChanges).values({ requestId, ...proposed });
    return nothing;
  });
}

/** Undo of proposeAddress. Harmless when there is nothing. */
export async function dropAddress(db: Database, request: UndoRequest, requestId: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    await tx.delete(addressChanges).where(eq(addressChanges.requestId, requestId));
    return nothing;
  });
}

/**
 * From now on the person is reached by the proposed address, which is known to be theirs. Until the change is settled nobody but changes replaces it.
 * @throws ProblemError undone; invalid_state when it is not proposed, or not any more because an earlier change was taken back
 */
export async function switchAddress(db: Database, request: KeyedRequest, requestId: string): Promise<void> {
  await once(db, request, async (tx) => {
    const found = await readAddressChange(tx, requestId);
    const contact = found && (await lockContact(tx, found.userId));
    const change = await readAddressChange(tx, requestId);
    if (!change) throw new ProblemError('invalid_state', 'This address is not proposed');
    const { userId, proposed } = change;
    await tx
      .update(addressChanges)
      .set({ verifiedBefore: contact?.emailVerified ?? false })
      .where(eq(addressChanges.requestId, requestId));
    await setAddress(tx, userId, { email: proposed, emailVerified: true, changedBy: requestId });
    return nothing;
  });
}

/** Undo of switchAddress: where this change is the one that the address is of, it is the one of before again. */
export async function switchAddressBack(db: Database, request: UndoRequest, requestId: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    const change = await readAddressChange(tx, requestId);
    if (!change) return nothing;
    const { userId, before: email, verifiedBefore: emailVerified } = change;
    const contact = await lockContact(tx, userId);
    if (contact?.changedBy === requestId) await setAddress(tx, userId, { email, emailVerified, changedBy: null });
    return nothing;
  });
}

/**
 * The person is reached by the address of before the change again. What was proposed after it is dropped: a step of it that comes late finds
 * nothing to switch to.
 */
export async function restoreAddress(
  db: Database,
  request: KeyedRequest,
  requestId: string,
  { userId, email }: RestoredAddress,
): Promise<void> {
  await once(db, request, async (tx) => {
    await lockContact(tx, userId);
    const change = await readAddressChange(tx, requestId);
    if (change)
      await tx
        .delete(addressChanges)
        .where(and(eq(addressChanges.userId, userId), gte(addressChanges.createdAt, change.createdAt)));
    await setAddress(tx, userId, { email, emailVerified: true, changedBy: requestId });
    return nothing;
  });
}

/** Keeps nothing more of a change that is settled: what identity says of the address counts again. Harmless when there is nothing. */
export async function forgetAddress(
  db: Database,
  request: KeyedRequest,
  requestId: string,
  userId: string,
): Promise<void> {
  await once(db, request, async (tx) => {
    await tx
      .update(contacts)
      .set({ changedBy: null })
      .where(and(eq(contacts.userId, userId), eq(contacts.changedBy, requestId)));
    await tx.delete(addressChanges).where(eq(addressChanges.requestId, requestId));
    return nothing;
  });
}

async function lockContact(tx: Transaction, userId: string) {
  const [contact] = await tx
    .select({ changedBy: contacts.changedBy, emailVerified: contacts.emailVerified })
    .from(contacts)
    .where(eq(contacts.userId, userId))
    .for('update');
  return contact;
}

async function setAddress(
  tx: Transaction,
  userId: string,
  address: { email: string; emailVerified: boolean; changedBy: string | null },
): Promise<void> {
  await tx
    .update(contacts)
    .set({ ...address, updatedAt: sql`now()` })
    .where(eq(contacts.userId, userId));
}
