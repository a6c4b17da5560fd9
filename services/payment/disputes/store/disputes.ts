import { and, desc, eq, inArray, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { disputeEvidence, disputes, payments } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import type { PaymentRow } from '../../charges/store/payments';

// Disputes in the database. What Stripe says of one is recorded under its payee's lock, then its payment's.

/** A dispute as it is stored. */
export type DisputeRow = typeof disputes.$inferSelect;

/** A dispute with its payment, and what its payee says. */
export interface DisputeView {
  dispute: DisputeRow;
  payment: PaymentRow;
  statement: string | null;
}

const view = { dispute: disputes, payment: payments, statement: disputeEvidence.text };

const ofStatement = and(eq(disputeEvidence.disputeId, disputes.id), eq(disputeEvidence.field, 'statement'));

/** @throws ProblemError not_found */
export async function readDispute(db: Database | Transaction, id: string): Promise<DisputeView> {
  const [found] = await db
    .select(view)
    .from(disputes)
    .innerJoin(payments, eq(payments.id, disputes.paymentId))
    .leftJoin(disputeEvidence, ofStatement)
    .where(eq(disputes.id, id));
  if (!found) throw new ProblemError('not_found');
  return found;
}

/** The newest first: those of payments to `payeeId`, or all. `before`: the dispute with which the page before ended. */
export async function listDisputes(
  db: Database,
  {
    payeeId,
    open,
    before,
    limit,
  }: { payeeId: string | null; open: 'true' | 'false' | undefined; before: string | undefined; limit: number },
): Promise<DisputeView[]> {
  const { openedAt, id, decidedAt } = disputes;
  const last = before === undefined ? undefined : db.select({ openedAt, id }).from(disputes).where(eq(id, before));
  const isWanted = open && { true: isNull(decidedAt), false: isNotNull(decidedAt) }[open];
  return db
    .select(view)
    .from(disputes)
    .innerJoin(payments, eq(payments.id, disputes.paymentId))
    .leftJoin(disputeEvidence, ofStatement)
    .where(
      and(
        isWanted,
        payeeId === null ? undefined : eq(payments.payeeId, payeeId),
        last && sql`(${openedAt}, ${id}) < (${last})`,
      ),
    )
    .orderBy(desc(openedAt), desc(id))
    .limit(limit);
}

/** The latest dispute of each of these payments; those that have none are left out. */
export async function latestDisputes(
  db: Database,
  paymentIds: readonly string[],
): Promise<ReadonlyMap<string, DisputeRow>> {
  const rows = await db
    .selectDistinctOn([disputes.paymentId])
    .from(disputes)
    .where(inArray(disputes.paymentId, [...paymentIds]))
    .orderBy(disputes.paymentId, desc(disputes.openedAt), desc(disputes.id));
  return new Map(rows.map((row) => [row.paymentId, row]));
}

/** The disputes of a payment that are not decided, or whose end no saga has shown. */
export async function unseenDisputes(db: Database, paymentId: string): Promise<DisputeRow[]> {
  return db
    .select()
    .from(disputes)
    .where(and(eq(disputes.paymentId, paymentId), isUnseen));
}

/** What a saga has to show: what is not over, and what has changed since one has ended. */
const isUnseen = sql`(${disputes.decidedAt} is null or ${disputes.closedVersion} is distinct from ${disputes.version})`;

/** What is known of disputes, by their names at Stripe; those that are not known are left out. */
export async function knownDisputes(
  db: Database,
  stripeIds: readonly string[],
): Promise<ReadonlyMap<string, DisputeRow>> {
  const rows = await db
    .select()
    .from(disputes)
    .where(inArray(disputes.stripeDisputeId, [...stripeIds]));
  return new Map(rows.map((row) => [row.stripeDisputeId, row]));
}

/** Locks a dispute until the transaction ends. @throws ProblemError not_found */
export async function lockDispute(tx: Transaction, id: string): Promise<DisputeRow> {
  const [row] = await tx.select().from(disputes).where(eq(disputes.id, id)).for('update');
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** Notes that its saga has ended with the dispute as it was in `version`; left out when it has changed meanwhile. @throws ProblemError not_found */
export async function closeDispute(db: Database, id: string, version: number): Promise<DisputeView> {
  await db
    .update(disputes)
    .set({ closedVersion: version })
    .where(and(eq(disputes.id, id), eq(disputes.version, version), isNotNull(disputes.decidedAt)));
  return readDispute(db, id);
}
