import { and, asc, desc, eq, gt, inArray, isNotNull, isNull, lt, lte, or, type SQL, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../../db/client';
import { ledgerEntries, ledgerTransactions, payments, payouts, stripeAttempts } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import type { PayoutStatus } from '../../../../kernel/statuses';
import { codeOf } from '../../../../platform/event-schema';
import { appendEvent } from '../../../../platform/outbox';
import { LEASE_SECONDS } from '../../../../platform/saga-request';
import { bookingIdOf } from '../../charges/rules';
import type { PayoutDetails } from '../../contract';
import { lockPayee } from '../../earnings/store';
import { paymentEvents } from '../../events';
import { tutorPayable } from '../../ledger/rules';
import { failureText, payoutStateOf, payoutText } from '../rules';

// Payouts in the database. Each function of a store is one transaction that locks the payee first, then the payout.

/** A payout as it is stored. */
export type PayoutRow = typeof payouts.$inferSelect;

/** A payout as it is recorded here. @throws ProblemError not_found */
export async function readPayout(db: Database, id: string): Promise<PayoutRow> {
  const [row] = await db.select().from(payouts).where(eq(payouts.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** One page of a payee's payouts, the newest first. `before`: where the page before ended. */
export async function listPayouts(
  db: Database,
  payeeId: string,
  { limit, before }: { limit: number; before: string | undefined },
): Promise<PayoutRow[]> {
  const { createdAt, id } = payouts;
  // By the row itself: what JavaScript knows of an instant are milliseconds, and ids of a week's payouts do not sort by time.
  const last = before === undefined ? undefined : db.select({ createdAt, id }).from(payouts).where(eq(id, before));
  return db
    .select()
    .from(payouts)
    .where(and(eq(payouts.payeeId, payeeId), last && sql`(${createdAt}, ${id}) < (${last})`))
    .orderBy(desc(createdAt), desc(id))
    .limit(limit);
}

/** Lines that a mail has room for; what is more is told as one sum. */
const MOST_LINES = 50;

/** A payout with what each payment brought to it. @throws ProblemError not_found */
export async function readPayoutDetails(db: Database, id: string): Promise<PayoutDetails> {
  const row = await readPayout(db, id);
  const { payeeId, currency, periodFrom, periodTo } = row;
  const { paymentId, postedAt } = ledgerTransactions;
  const amount = sql<number>`-sum(${ledgerEntries.amount})`.mapWith(Number);
  const found = await db
    .select({ paymentId: payments.id, subjectKind: payments.subjectKind, subjectId: payments.subjectId, amount })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerTransactions.id, ledgerEntries.transactionId))
    .innerJoin(payments, eq(payments.id, paymentId))
    .where(
      and(
        eq(ledgerEntries.account, tutorPayable(payeeId)),
        eq(ledgerEntries.currency, currency),
        lte(postedAt, periodTo),
        periodFrom ? gt(postedAt, periodFrom) : undefined,
      ),
    )
    .groupBy(payments.id)
    .orderBy(asc(payments.id))
    .limit(MOST_LINES);
  const lines = found.map((line) => ({
    ...{ paymentId: line.paymentId, bookingId: bookingIdOf(line), amount: line.amount },
  }));
  const others = lines.reduce((left, line) => left - line.amount, row.amount);
  const reasons = { text: payoutText(row), failureText: row.failureCode && failureText(row.failureCode) };
  return { payout: payoutStateOf(row), ...reasons, lines, others };
}

/** Payouts that no saga has begun with, though the request that was to start it is over. */
export async function unstartedPayouts(db: Database, atMost: number): Promise<PayoutRow[]> {
  return waiting(
    db,
    and(isNull(payouts.sagaStartedAt), lt(payouts.createdAt, sql`now() - make_interval(secs => ${LEASE_SECONDS})`)),
    atMost,
  );
}

/** Payouts that wait for our funds. */
export async function payoutsAwaitingFunds(db: Database, atMost: number): Promise<PayoutRow[]> {
  return waiting(db, eq(payouts.statusReason, 'awaiting_funds'), atMost);
}

/** Payouts of a payee that wait for something. */
export async function payoutsAwaiting(db: Database, payeeId: string): Promise<PayoutRow[]> {
  return waiting(db, eq(payouts.payeeId, payeeId), MOST_LINES);
}

async function waiting(db: Database, condition: SQL | undefined, atMost: number): Promise<PayoutRow[]> {
  return db
    .select()
    .from(payouts)
    .where(and(eq(payouts.status, 'pending'), condition))
    .orderBy(asc(payouts.createdAt))
    .limit(atMost);
}

/** A bank has sent money back within so many days after "paid", if it does. Stripe says five business days "typically". */
const RETURNED_WITHIN_DAYS = 30;
/** Five business days are never more: for so long a saga watches. */
const WATCHED_DAYS = 7;

/**
 * Payouts that arrived and that no saga watches any more, those first that have waited the longest for Stripe to be asked about them. They
 * are found again a day later, whatever becomes of the question. So are those that came back, until their money is payable again.
 */
export async function takeUnwatched(db: Database, atMost: number): Promise<string[]> {
  const { id, status, arrivedAt, sweptAt, returnedAt, closedAs } = payouts;
  const days = (count: number) => sql`make_interval(days => ${count})`;
  const found = db.$with('found').as(
    db
      .select({ id })
      .from(payouts)
      .where(
        and(
          gt(arrivedAt, sql`now() - ${days(RETURNED_WITHIN_DAYS)}`),
          lt(arrivedAt, sql`now() - ${days(WATCHED_DAYS)}`),
          inArray(status, ['completed', 'failed']),
          isNull(returnedAt),
          isNull(closedAs),
          or(isNull(sweptAt), lt(sweptAt, sql`now() - ${days(1)}`)),
        ),
      )
      .orderBy(sql`${sweptAt} nulls first`, asc(arrivedAt))
      .limit(atMost)
      .for('update', { skipLocked: true }),
  );
  const taken = await db
    .with(found)
    .update(payouts)
    .set({ sweptAt: sql`now()` })
    .from(found)
    .where(eq(id, found.id))
    .returning({ id });
  return taken.map((row) => row.id);
}

/** Payouts that an operator has settled while nobody knew what became of a request for them. */
export async function settledInDoubt(db: Database, atMost: number): Promise<string[]> {
  const { subject, kind, outcome } = stripeAttempts;
  const isOfIt = and(eq(subject, sql`${payouts.id}::text`), inArray(kind, ['transfer', 'reverse_transfer']));
  const found = await db
    .selectDistinct({ id: payouts.id })
    .from(stripeAttempts)
    .innerJoin(payouts, isOfIt)
    .where(and(isNull(outcome), isNotNull(payouts.closedAs)))
    .limit(atMost);
  return found.map(({ id }) => id);
}

/** The payout that a payout at Stripe is; undefined when it is none of ours. */
export async function findByStripeId(db: Database, stripePayoutId: string): Promise<PayoutRow | undefined> {
  const [row] = await db.select().from(payouts).where(eq(payouts.stripePayoutId, stripePayoutId));
  return row;
}

/** Notes that a payout's saga has begun. @throws ProblemError not_found; undone when it was called off before */
export async function startPayout(db: Database, id: string): Promise<PayoutRow> {
  await markStarted(db, id);
  const row = await readPayout(db, id);
  if (row.status === 'cancelled') throw new ProblemError('undone');
  return row;
}

/** Notes that a payout has a saga, or was handed to Temporal for good: the sweep does not look at it again. */
export async function markStarted(db: Database, id: string): Promise<void> {
  await db
    .update(payouts)
    .set({ sagaStartedAt: sql`now()` })
    .where(and(eq(payouts.id, id), isNull(payouts.sagaStartedAt)));
}

/** Locks a payout's payee, then the payout, until the transaction ends. @throws ProblemError not_found */
export async function lockPayout(tx: Transaction, id: string): Promise<PayoutRow> {
  const [known] = await tx.select({ payeeId: payouts.payeeId }).from(payouts).where(eq(payouts.id, id));
  if (!known) throw new ProblemError('not_found');
  await lockPayee(tx, known.payeeId);
  return theOnly(await tx.select().from(payouts).where(eq(payouts.id, id)).for('update'));
}

type PayoutPatch = Partial<
  Omit<PayoutRow, 'id' | 'payeeId' | 'currency' | 'amount' | 'version' | 'createdAt' | 'updatedAt'>
> & { now?: readonly ('transferredAt' | 'reversedAt' | 'arrivedAt' | 'stoppedAt' | 'returnedAt' | 'sagaStartedAt')[] };

/** Changes a locked payout: a higher version, and an event. `now`: what happens at this moment, unless it has before. */
export async function changePayout(
  tx: Transaction,
  row: PayoutRow,
  { now = [], ...patch }: PayoutPatch,
): Promise<PayoutRow> {
  const moments = Object.fromEntries(now.map((name) => [name, sql`coalesce(${payouts[name]}, now())`]));
  const updated = await tx
    .update(payouts)
    .set({ ...patch, ...moments, version: row.version + 1, updatedAt: sql`now()` })
    .where(eq(payouts.id, row.id))
    .returning();
  const changed = theOnly(updated);
  await appendPayoutEvent(tx, changed.status === row.status ? 'PayoutChanged' : EVENT_OF[changed.status], changed);
  return changed;
}

const EVENT_OF = {
  pending: 'PayoutInitiated',
  processing: 'PayoutTransferred',
  completed: 'PayoutCompleted',
  failed: 'PayoutFailed',
  cancelled: 'PayoutCancelled',
} as const satisfies Record<PayoutStatus, string>;

type PayoutEvent = (typeof EVENT_OF)[PayoutStatus] | 'PayoutChanged';

/** Tells of a payout. */
export async function appendPayoutEvent(tx: Transaction, type: PayoutEvent, row: PayoutRow): Promise<void> {
  await appendEvent(tx, paymentEvents, { streamId: row.id, type, data: payoutFacts(row) });
}

/** What every event of a payout tells. */
export function payoutFacts(row: PayoutRow) {
  const { id: payoutId, payeeId, status, statusReason, amount, currency, failureCode } = row;
  const { origin, closedAs, version, periodFrom, periodTo, transferredAt, reversedAt } = row;
  const { expectedAt, arrivedAt, stoppedAt, returnedAt } = row;
  const at = (moment: Date | null) => moment?.toISOString() ?? null;
  return {
    ...{ payoutId, payeeId, participantIds: [payeeId], status, statusReason, amount: { amount, currency } },
    ...(failureCode && { failureCode: codeOf(failureCode) }),
    state: {
      ...{ origin, closedAs, version, periodFrom: at(periodFrom), periodTo: periodTo.toISOString() },
      ...{ transferredAt: at(transferredAt), reversedAt: at(reversedAt), expectedAt: at(expectedAt) },
      ...{ arrivedAt: at(arrivedAt), stoppedAt: at(stoppedAt), returnedAt: at(returnedAt) },
    },
  };
}
