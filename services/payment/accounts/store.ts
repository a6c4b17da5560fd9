import { and, eq, isNull, or, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { stripeAccounts } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import { appendEvent } from '../../../platform/outbox';
import { paymentEvents } from '../events';
import { type Attempt, closeAttempt, doubtfulAttempts, openAttempt } from '../stripe/store';

// Who users are at Stripe. A removed user's row stays as the mark by which a late step is refused.

/** Who a user is at Stripe, as it is stored. */
export type AccountRow = typeof stripeAccounts.$inferSelect;
export type AccountRole = 'student' | 'tutor';

/** An account that is to be made. `accountId`: beside what the user has, by what it is made for. */
export interface NewAccount {
  accountId?: string | undefined;
  userId: string;
  role: AccountRole;
}

/** Whose account it is, and under which id it was made, where that is not its user's. */
export function idsOf({ userId, ownerId }: AccountRow): { userId: string; accountId?: string } {
  return ownerId === null ? { userId } : { userId: ownerId, accountId: userId };
}

/**
 * Begins making a user's account. @returns the attempt to send, null when the account exists.
 * @throws ProblemError undone; conflict when the role is another, or the user has such an account beside already
 */
export async function beginAccount(
  db: Database,
  stepKey: string,
  { userId, accountId = userId, role }: NewAccount,
): Promise<Attempt | null> {
  return db.transaction(async (tx) => {
    const ownerId = accountId === userId ? null : userId;
    await tx.insert(stripeAccounts).values({ userId: accountId, ownerId, role }).onConflictDoNothing();
    const [account] = await lockAccounts(tx, accountId);
    if (!account) throw new ProblemError('conflict', 'The user has such an account already');
    if (account.removedAt) throw new ProblemError('undone');
    if (account.role !== role) throw new ProblemError('conflict', 'The user has an account of another kind');
    if (account.stripeId) return null;
    return openAttempt(tx, { stepKey, kind: 'create_account', subject: accountId });
  });
}

/** Records the account that Stripe made. @throws ProblemError undone when a removal came in between: it has deleted the account, or deletes it by this id */
export async function recordAccountMade(
  db: Database,
  accountId: string,
  attempt: Attempt,
  stripeId: string,
): Promise<void> {
  const removed = await db.transaction(async (tx) => {
    const account = await lockAccount(tx, accountId);
    const { userId } = idsOf(account);
    const isFirst = await closeAttempt(tx, attempt, 'done');
    if (isFirst) {
      await tx.update(stripeAccounts).set({ stripeId }).where(eq(stripeAccounts.userId, accountId));
      await appendEvent(tx, paymentEvents, {
        streamId: userId,
        type: 'StripeAccountOpened',
        data: { userId, participantIds: [userId], role: account.role },
      });
    }
    return account.removedAt !== null;
  });
  if (removed) throw new ProblemError('undone');
}

/** Marks an account as removed. @returns what may still be at Stripe */
export async function markAccountRemoved(db: Database, accountId: string) {
  return db.transaction(async (tx) => {
    await tx
      .insert(stripeAccounts)
      .values({ userId: accountId, removedAt: sql`now()` })
      .onConflictDoUpdate({
        target: stripeAccounts.userId,
        set: { removedAt: sql`coalesce(${stripeAccounts.removedAt}, now())` },
      });
    const account = await lockAccount(tx, accountId);
    return { account, attempts: await doubtfulAttempts(tx, accountId, 'create_account') };
  });
}

/** Whether an account is a connected one, and neither removed nor being removed. */
const isConnected = and(eq(stripeAccounts.role, 'tutor'), isNull(stripeAccounts.removedAt));

/** Whether it is this user's, made when they signed up or later: each by its index. */
const isOf = (userId: string) => or(eq(stripeAccounts.userId, userId), eq(stripeAccounts.ownerId, userId));

/** The customer that a user is at Stripe. @returns null for who is none (yet), or was removed */
export async function customerOf(db: Database | Transaction, userId: string): Promise<string | null> {
  const [customer] = await db
    .select({ id: stripeAccounts.stripeId })
    .from(stripeAccounts)
    .where(
      and(eq(stripeAccounts.userId, userId), eq(stripeAccounts.role, 'student'), isNull(stripeAccounts.removedAt)),
    );
  return customer?.id ?? null;
}

/** Whose connected account this is. @returns undefined for one that is none of ours, or was removed */
export async function ownerOfConnected(db: Database, stripeId: string): Promise<string | undefined> {
  const [account] = await db
    .select()
    .from(stripeAccounts)
    .where(and(eq(stripeAccounts.stripeId, stripeId), isConnected));
  return account && idsOf(account).userId;
}

/** The connected account of a user. @returns null for who has none, or whose was removed */
export async function connectedAccountOf(db: Database | Transaction, userId: string): Promise<string | null> {
  const [account] = await db
    .select({ stripeId: stripeAccounts.stripeId })
    .from(stripeAccounts)
    .where(and(isOf(userId), isConnected));
  return account?.stripeId ?? null;
}

/** Notes whether Stripe pays a user's account out, as it has just said. */
export async function recordEnabled(db: Database, userId: string, payoutsEnabled: boolean): Promise<void> {
  await db
    .update(stripeAccounts)
    .set({ payoutsEnabled })
    .where(and(isOf(userId), isConnected));
}

/** Whether Stripe pays a user's account out, as it said when it was last asked; null: it was not, or there is none. */
export async function isPaidOut(db: Database, userId: string): Promise<boolean | null> {
  const [account] = await db
    .select({ enabled: stripeAccounts.payoutsEnabled })
    .from(stripeAccounts)
    .where(and(isOf(userId), isConnected));
  return account?.enabled ?? null;
}

/** Records that all of an account is gone at Stripe. */
export async function recordAccountRemoved(db: Database, accountId: string, attempts: Attempt[]): Promise<void> {
  await db.transaction(async (tx) => {
    const account = await lockAccount(tx, accountId);
    const { userId } = idsOf(account);
    for (const attempt of attempts) await closeAttempt(tx, attempt, 'nothing');
    if (!account.stripeId) return;
    await tx.update(stripeAccounts).set({ stripeId: null }).where(eq(stripeAccounts.userId, accountId));
    await appendEvent(tx, paymentEvents, {
      streamId: userId,
      type: 'StripeAccountRemoved',
      data: { userId, participantIds: [userId], role: account.role },
    });
  });
}

const lockAccounts = (tx: Transaction, accountId: string) =>
  tx.select().from(stripeAccounts).where(eq(stripeAccounts.userId, accountId)).for('update');

async function lockAccount(tx: Transaction, accountId: string): Promise<AccountRow> {
  return theOnly(await lockAccounts(tx, accountId));
}
