import { and, desc, eq, isNotNull, isNull, lt, ne, or, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../../db/client';
import { payments, refunds } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import { announce } from '../../../../platform/changes';
import { codeOf } from '../../../../platform/event-schema';
import { differencesOf, toldOf } from '../../../../platform/fold';
import { appendEvents } from '../../../../platform/outbox';
import { LEASE_SECONDS } from '../../../../platform/saga-request';
import { bookingIdOf, statusOfCaptured } from '../../charges/rules';
import { changePayment, lockPayment, type PaymentRow, paymentFacts } from '../../charges/store/payments';
import { paymentEvents } from '../../events';
import { REFUND_COLUMNS } from '../../folds/rules/refunds';
import { REFUNDED_OTHERWISE } from '../rules';
import { countRefunds, postOwed } from './owed';

// Refunds in the database. Each function of a store is one transaction that locks the payment first, then the refund.

/** A refund as it is stored. */
export type RefundRow = typeof refunds.$inferSelect;

/** A refund, and its payment as the refund left it. */
export interface RefundAndPayment {
  refund: RefundRow;
  payment: PaymentRow;
}

/** A refund as it is recorded here. @throws ProblemError not_found */
export async function readRefund(db: Database, id: string): Promise<RefundRow> {
  const [row] = await db.select().from(refunds).where(eq(refunds.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** The refunds of a payment, the newest first. */
export async function listRefunds(db: Database, paymentId: string): Promise<RefundRow[]> {
  return db.select().from(refunds).where(eq(refunds.paymentId, paymentId)).orderBy(desc(refunds.id));
}

/** The refunds of a payment whose state at Stripe nobody has seen to yet: each needs a saga. */
export async function unseenRefunds(db: Database, paymentId: string): Promise<RefundRow[]> {
  return db.select().from(refunds).where(isUnseen(paymentId));
}

/** What `unseenRefunds` finds, as a condition. A refund that Stripe has not got yet is still its first saga's. */
export function isUnseen(paymentId: string) {
  return and(
    eq(refunds.paymentId, paymentId),
    or(isNull(refunds.closedAs), ne(refunds.closedAs, refunds.status)),
    or(isNotNull(refunds.stripeRefundId), eq(refunds.status, 'failed')),
  );
}

/** The unseen refunds that no saga can know of: found beside something else, or replaced by one that was. */
export async function unattendedRefunds(db: Database, paymentId: string): Promise<RefundRow[]> {
  const isUnattended = or(isNull(refunds.sagaStartedAt), eq(refunds.failureCode, REFUNDED_OTHERWISE));
  return db
    .select()
    .from(refunds)
    .where(and(isUnseen(paymentId), isUnattended));
}

/** Notes that a refund's saga has begun, or was handed to Temporal for good: the sweep does not look at it again. */
export async function markStarted(db: Database | Transaction, id: string): Promise<void> {
  await db
    .update(refunds)
    .set({ sagaStartedAt: sql`now()` })
    .where(and(eq(refunds.id, id), isNull(refunds.sagaStartedAt)));
}

/** Refunds that a person asked for and that no saga has begun with, though the request that was to start it is over. */
export async function unstartedRefunds(
  db: Database,
  atMost: number,
): Promise<{ refundId: string; paymentId: string; bookingId: string | null }[]> {
  const { subjectKind, subjectId } = payments;
  const rows = await db
    .select({ refundId: refunds.id, paymentId: refunds.paymentId, subjectKind, subjectId })
    .from(refunds)
    .innerJoin(payments, eq(payments.id, refunds.paymentId))
    .where(
      and(
        isNull(refunds.sagaStartedAt),
        eq(refunds.status, 'pending'),
        isNotNull(refunds.requestedBy),
        lt(refunds.createdAt, sql`now() - make_interval(secs => ${LEASE_SECONDS})`),
      ),
    )
    .orderBy(refunds.createdAt)
    .limit(atMost);
  return rows.map(({ refundId, paymentId, ...payment }) => ({ refundId, paymentId, bookingId: bookingIdOf(payment) }));
}

/** Locks a refund's payment, then the refund, until the transaction ends. @throws ProblemError not_found */
export async function lockRefund(tx: Transaction, id: string): Promise<RefundAndPayment> {
  const [known] = await tx.select({ paymentId: refunds.paymentId }).from(refunds).where(eq(refunds.id, id));
  if (!known) throw new ProblemError('not_found');
  const payment = await lockPayment(tx, known.paymentId);
  const locked = await tx.select().from(refunds).where(eq(refunds.id, id)).for('update');
  return { refund: theOnly(locked), payment };
}

/** A refund that is to be stored. `closedAs`: its success is seen to already, so that no saga is woken for it. */
type NewRefund = Pick<RefundRow, 'id' | 'origin' | 'amount' | 'reason' | 'requestedBy'> & {
  closedAs?: 'succeeded';
  stripeRefundId?: string;
};

/** Stores a refund of a locked payment and reserves its amount: the payer is owed it from then on. */
export async function insertRefund(tx: Transaction, payment: PaymentRow, wanted: NewRefund): Promise<RefundAndPayment> {
  const stored = await storeRefund(tx, payment, wanted);
  await postOwed(tx, stored.payment, stored.refund.id);
  return stored;
}

/** Stores a refund of a locked payment. What is owed for it is the caller's to post. */
export async function storeRefund(tx: Transaction, payment: PaymentRow, wanted: NewRefund): Promise<RefundAndPayment> {
  const { id: paymentId, currency } = payment;
  const stored = await tx
    .insert(refunds)
    .values({ ...wanted, paymentId, currency, status: 'pending' })
    .returning();
  const refund = theOnly(stored);
  const changed = await changePayment(tx, payment, await countRefunds(tx, payment));
  await tellRefunds(tx, REFUND_EVENT.pending, [refund], changed);
  return { refund, payment: changed };
}

type RefundPatch = Partial<Omit<RefundRow, 'id' | 'paymentId' | 'currency' | 'createdAt' | 'updatedAt'>>;

/** Changes a locked refund and, with it, what its payment counts as refunded and as promised. */
export async function changeRefund(
  tx: Transaction,
  payment: PaymentRow,
  before: RefundRow,
  patch: RefundPatch,
): Promise<RefundAndPayment> {
  const updated = await tx
    .update(refunds)
    .set({ ...patch, updatedAt: sql`now()` })
    .where(eq(refunds.id, before.id))
    .returning();
  const refund = theOnly(updated);
  const counts = await countRefunds(tx, payment);
  const status = statusOfCaptured(payment.captured, counts.refunded);
  const changed = await changePayment(tx, payment, { ...counts, status });
  if (refund.status !== before.status) await tellRefunds(tx, REFUND_EVENT[refund.status], [refund], changed);
  else if (isToldOtherwise(before, refund)) await tellRefunds(tx, 'RefundChanged', [refund], changed);
  await announce(tx, refund.id);
  return { refund, payment: changed };
}

const REFUND_EVENT = { pending: 'RefundRequested', succeeded: 'RefundProcessed', failed: 'RefundFailed' } as const;

/** Whether events tell of the two otherwise. */
export const isToldOtherwise = (before: RefundRow, refund: RefundRow) =>
  differencesOf(toldOf(REFUND_COLUMNS, before), toldOf(REFUND_COLUMNS, refund)).length > 0;

type Told = (typeof REFUND_EVENT)[RefundRow['status']] | 'RefundChanged';

/** Tells of refunds of one payment. */
export async function tellRefunds(
  tx: Transaction,
  type: Told,
  changed: readonly RefundRow[],
  payment: PaymentRow,
): Promise<void> {
  await appendEvents(
    tx,
    paymentEvents,
    changed.map((refund) => ({ streamId: refund.id, type, data: refundFacts(refund, payment) })),
  );
}

/** What every event of a refund tells. */
export function refundFacts(refund: RefundRow, payment: PaymentRow) {
  const { origin, requestedBy, tries, closedAs, currency } = refund;
  const { status: paymentStatus, amount: paymentAmount, ...facts } = paymentFacts(payment);
  return {
    ...facts,
    refundId: refund.id,
    status: refund.status,
    amount: { amount: refund.amount, currency },
    paymentStatus,
    paymentAmount,
    ...(refund.failureCode && { failureCode: codeOf(refund.failureCode) }),
    state: { origin, requestedBy, tries, closedAs },
  };
}
