import { sql } from 'drizzle-orm';
import { type Transaction, theOnly } from '../../../../db/client';
import { paymentGuards } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import type { Subject } from '../../../../kernel/payment-subject';

// Guards: whoever makes the payment of a subject, or settles the subject to zero, holds its guard until the transaction ends.

const { subjectKind, subjectId, settledAt } = paymentGuards;
const target = [subjectKind, subjectId];

/** Takes the guard of a subject for making its payment. @throws ProblemError undone after a settlement */
export async function takeGuard(tx: Transaction, { kind, id }: Subject): Promise<void> {
  // A guard that is there keeps its values. The update is for the lock, which the insert of a new guard takes as well.
  const guards = await tx
    .insert(paymentGuards)
    .values({ subjectKind: kind, subjectId: id })
    .onConflictDoUpdate({ target, set: { settledAt: sql`${settledAt}` } })
    .returning();
  if (theOnly(guards).settledAt) throw new ProblemError('undone');
}

/** Takes the guard of a subject and marks it as settled to zero: from then on `takeGuard` refuses. The first time stays. */
export async function settleGuard(tx: Transaction, { kind, id }: Subject): Promise<void> {
  await tx
    .insert(paymentGuards)
    .values({ subjectKind: kind, subjectId: id, settledAt: sql`now()` })
    .onConflictDoUpdate({ target, set: { settledAt: sql`coalesce(${settledAt}, now())` } });
}
