import { and, asc, eq, isNull, lte, type SQL, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { earningHolds, payees, payments } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import { type KeyedRequest, once } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import { ok } from '../../../platform/replies';
import { bookingIdOf } from '../charges/rules';
import { lockPayment, type PaymentRow, readPayment, tellPayment } from '../charges/store/payments';
import type { EarningsReleased } from '../contract';
import { paymentEvents } from '../events';
import { releaseEntries, tutorPayable } from '../ledger/rules';
import { entriesOf, type PaymentPosting, post, standingOf } from '../ledger/store';
import { postOwed } from '../refunds/store/owed';
import type { Till } from '../till';

// When a tutor's share of a payment becomes payable: once what was paid for is over and can no longer be objected to, Stripe has the money
// and nobody holds it. Until then a stolen card and a tutor's account of one's own would be enough to be paid.

/** Whether a payment's share may move now; by the database's clock, which the rows of all replicas share. */
const isDue = and(
  isNull(payments.releasedAt),
  lte(payments.earningsDueAt, sql`now()`),
  sql`not exists (select from ${earningHolds} where ${earningHolds.paymentId} = ${payments.id} and ${earningHolds.closedAt} is null)`,
);

/**
 * Notes when a payment's tutor may be paid their share, once, and makes it payable if that is now. `notBefore` is null for a direct
 * payment, whose days are counted from here.
 * @throws ProblemError not_found, invalid_state, and those of `once`
 */
export async function releaseEarnings(
  { db, earningsHoldDays }: Pick<Till, 'db' | 'earningsHoldDays'>,
  request: KeyedRequest,
  id: string,
  notBefore: string | null,
): Promise<EarningsReleased> {
  const { payeeId } = await readPayment(db, id);
  const reply = await once(db, request, async (tx) => {
    await lockPayee(tx, payeeId);
    const row = await lockPayment(tx, id);
    if (row.captured === 0) throw new ProblemError('invalid_state', 'No money has been taken yet');
    const dueAt = notBefore ? new Date(notBefore) : sql<Date>`now() + make_interval(days => ${earningsHoldDays})`;
    const updated = await tx
      .update(payments)
      .set({ earningsDueAt: row.earningsDueAt ?? dueAt })
      .where(eq(payments.id, id))
      .returning();
    const noted = theOnly(updated);
    if (!row.earningsDueAt) await tellPayment(tx, 'PaymentChanged', noted);
    await release(tx, noted);
    return ok({
      paymentId: id,
      released: { amount: await releasedOf(tx, noted), currency: noted.currency },
    });
  });
  return reply.body;
}

/** A payment whose share is due. */
export type Due = Pick<PaymentRow, 'id' | 'payeeId'>;

/** Payments whose share is due and whose money Stripe has, those first that have been due for the longest time. */
export async function dueEarnings(db: Database, limit: number): Promise<Due[]> {
  return due(db, lte(payments.availableOn, sql`now()`), limit);
}

/** The same, of those of which nobody knows when Stripe has the money. */
export async function unknownEarnings(db: Database, limit: number): Promise<Due[]> {
  return due(db, isNull(payments.availableOn), limit);
}

async function due(db: Database, condition: SQL, limit: number): Promise<Due[]> {
  const { id, payeeId, earningsDueAt } = payments;
  return db
    .select({ id, payeeId })
    .from(payments)
    .where(and(isDue, condition))
    .orderBy(asc(earningsDueAt))
    .limit(limit);
}

/** Makes a payment's share payable if it is due. @returns whether it did */
export async function releaseDue(db: Database, { id, payeeId }: Due): Promise<boolean> {
  return db.transaction(async (tx) => {
    await lockPayee(tx, payeeId);
    return release(tx, await lockPayment(tx, id));
  });
}

/** Makes payable all that is due of a locked payee, of whose money it is known that Stripe has it. */
export async function releaseAllDue(tx: Transaction, payeeId: string): Promise<void> {
  const found = await tx
    .select({ id: payments.id })
    .from(payments)
    .where(and(eq(payments.payeeId, payeeId), isDue, lte(payments.availableOn, sql`now()`)))
    .orderBy(asc(payments.id));
  for (const { id } of found) await release(tx, await lockPayment(tx, id));
}

/** Locks a payee until the transaction ends; before any payment of theirs. */
export async function lockPayee(tx: Transaction, userId: string): Promise<{ frozenBy: string | null }> {
  await tx.insert(payees).values({ userId }).onConflictDoNothing();
  return theOnly(await tx.select().from(payees).where(eq(payees.userId, userId)).for('update'));
}

/** Makes a locked payment's share payable if it is due. */
async function release(tx: Transaction, row: PaymentRow): Promise<boolean> {
  const { id, payeeId, currency } = row;
  const moved = await tx
    .update(payments)
    .set({ releasedAt: sql`now()` })
    .where(and(eq(payments.id, id), isDue, lte(payments.availableOn, sql`now()`)))
    .returning({ id: payments.id });
  if (moved.length === 0) return false;
  await postOwed(tx, row, id);
  const { pending } = await standingOf(tx, id, payeeId);
  await post(tx, row, { ...postingOf(row), entries: releaseEntries(pending, payeeId) });
  const released = { amount: pending, currency };
  await appendEvent(tx, paymentEvents, {
    streamId: id,
    type: 'EarningsReleased',
    data: { paymentId: id, bookingId: bookingIdOf(row), payeeId, participantIds: [payeeId], released },
  });
  return true;
}

const postingOf = ({ id, currency }: PaymentRow): Omit<PaymentPosting, 'entries'> => ({
  ...{ paymentId: id, kind: 'release', reference: id, currency },
});

async function releasedOf(tx: Transaction, row: PaymentRow): Promise<number> {
  const entries = await entriesOf(tx, postingOf(row));
  return Math.abs(entries.find(({ account }) => account === tutorPayable(row.payeeId))?.amount ?? 0);
}
