import { and, desc, eq, or, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../../db/client';
import { payments } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import type { Subject } from '../../../../kernel/payment-subject';
import { announce } from '../../../../platform/changes';
import { codeOf, participants } from '../../../../platform/event-schema';
import { appendEvent } from '../../../../platform/outbox';
import { paymentEvents } from '../../events';
import { bookingIdOf, EVENT_OF, platformFee } from '../rules';

// Payments in the database. Each function of a store is one transaction that locks the payment's row; none is open while
// Stripe is asked.

/** A payment as it is stored. */
export type PaymentRow = typeof payments.$inferSelect;

/** A payment as it is recorded here; undefined when there is none. */
export async function findPayment(db: Database, id: string): Promise<PaymentRow | undefined> {
  const [row] = await db.select().from(payments).where(eq(payments.id, id));
  return row;
}

/** A payment as it is recorded here. @throws ProblemError not_found */
export async function readPayment(db: Database, id: string): Promise<PaymentRow> {
  const row = await findPayment(db, id);
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** Whose payments are listed. */
export interface PaymentsOf {
  /** By them, to them, or both; null: everybody's. */
  user: { id: string; role: 'payer' | 'payee' | undefined } | null;
  bookingId: string | undefined;
}

/** Payments, the newest first. `before`: the payment with which the page before ended. */
export async function listPayments(
  db: Database,
  { user, bookingId, before, limit }: PaymentsOf & { before: string | undefined; limit: number },
): Promise<PaymentRow[]> {
  const { id, createdAt, payerId, payeeId } = payments;
  const last = before === undefined ? undefined : db.select({ createdAt, id }).from(payments).where(eq(id, before));
  const isTheirs =
    user &&
    { payer: eq(payerId, user.id), payee: eq(payeeId, user.id), both: or(eq(payerId, user.id), eq(payeeId, user.id)) }[
      user.role ?? 'both'
    ];
  return db
    .select()
    .from(payments)
    .where(
      and(
        isTheirs ?? undefined,
        bookingId === undefined ? undefined : isFor({ kind: 'booking', id: bookingId }),
        last && sql`(${createdAt}, ${id}) < (${last})`,
      ),
    )
    .orderBy(desc(createdAt), desc(id))
    .limit(limit);
}

/** Locks a payment until the transaction ends. @throws ProblemError not_found */
export async function lockPayment(tx: Transaction, id: string): Promise<PaymentRow> {
  const [row] = await tx.select().from(payments).where(eq(payments.id, id)).for('update');
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** The payment of a subject, as a condition: one row, or none. */
export function isFor({ kind, id }: Subject) {
  return and(eq(payments.subjectKind, kind), eq(payments.subjectId, id));
}

/** A payment that is to be stored. */
type NewPayment = Omit<typeof payments.$inferInsert, 'fee' | 'status' | 'subjectKind' | 'subjectId' | 'bookingId'> & {
  subject: Subject;
};

/**
 * Stores a new payment with the platform's fee on it. `feePercent` is the platform's share of new payments.
 * @returns undefined when the subject has a payment already
 */
export async function insertPayment(
  tx: Transaction,
  { subject, ...values }: NewPayment,
  feePercent: number,
): Promise<PaymentRow | undefined> {
  const fee = platformFee(values, feePercent);
  const [row] = await tx
    .insert(payments)
    .values({ ...values, subjectKind: subject.kind, subjectId: subject.id, fee, status: 'pending' })
    .onConflictDoNothing({ target: [payments.subjectKind, payments.subjectId] })
    .returning();
  if (row) await tellPayment(tx, EVENT_OF.pending, row);
  return row;
}

/** What a change of a payment may set. */
export type PaymentPatch = Partial<Omit<PaymentRow, 'id' | 'version' | 'createdAt' | 'updatedAt'>>;

/**
 * Changes a locked payment: a higher version, an event, and a word to those who wait for it.
 * Nobody waits for the payment of anything but itself: of a booking they wait for the booking.
 */
export async function changePayment(tx: Transaction, row: PaymentRow, patch: PaymentPatch): Promise<PaymentRow> {
  const updated = await tx
    .update(payments)
    .set({ ...patch, version: row.version + 1, updatedAt: sql`now()` })
    .where(eq(payments.id, row.id))
    .returning();
  const changed = theOnly(updated);
  // From the capture on only refunds move it, even back to captured.
  const event = changed.status !== row.status && row.captured === 0 ? EVENT_OF[changed.status] : null;
  await tellPayment(tx, event ?? 'PaymentChanged', changed);
  if (row.subjectKind === 'direct') await announce(tx, row.id);
  return changed;
}

/** What every event of a payment tells. */
export function paymentFacts(row: PaymentRow) {
  const { currency } = row;
  return {
    paymentId: row.id,
    bookingId: bookingIdOf(row),
    payerId: row.payerId,
    payeeId: row.payeeId,
    participantIds: participants(row.payerId, row.payeeId),
    status: row.status,
    paymentVersion: row.version,
    amount: { amount: row.amount, currency },
    captured: { amount: row.captured, currency },
    refunded: { amount: row.refunded, currency },
  };
}

/** What an event of a payment alone tells beside that. */
export function paymentState(row: PaymentRow) {
  const { subjectKind, subjectId, capture, refusal, declineCode, currency } = row;
  const { captureBefore, settledAt, earningsDueAt } = row;
  const money = (amount: number) => ({ amount, currency });
  return {
    ...{ subjectKind, subjectId, capture, refusal, declineCode: declineCode && codeOf(declineCode) },
    ...{ fee: money(row.fee), refundPending: money(row.refundPending) },
    ...{ disputed: money(row.disputed), chargedBack: money(row.chargedBack) },
    captureBefore: captureBefore?.toISOString() ?? null,
    settledAt: settledAt?.toISOString() ?? null,
    earningsDueAt: earningsDueAt?.toISOString() ?? null,
  };
}

type Told = NonNullable<(typeof EVENT_OF)[PaymentRow['status']]> | 'PaymentChanged';

/** Tells of a payment. */
export async function tellPayment(tx: Transaction, type: Told, row: PaymentRow): Promise<void> {
  const state = paymentState(row);
  const decline = type === 'PaymentFailed' ? { declineCode: state.declineCode } : {};
  await appendEvent(tx, paymentEvents, { streamId: row.id, type, data: { ...paymentFacts(row), state, ...decline } });
}
