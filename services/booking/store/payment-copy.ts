import { eq, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { bookingSnapshots, payments, refunds } from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import { type KeyedRequest, onceWith } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import { done } from '../../../platform/replies';
import type { PaymentProjection } from '../contract';
import { bookingEvents } from '../events';
import { statusOfCancelled } from '../rules/life';
import { type BookingRow, become, lockBooking, toldOf, update, waiting } from './row';

// Booking's copy of its payment: payment says what is true, and a higher version is newer.

/** Takes over payment's state of the booking's payment. @throws ProblemError not_found; conflict for another payment's state */
export async function recordPayment(
  db: Database,
  key: KeyedRequest,
  id: string,
  payment: PaymentProjection,
  awaitingUntil: string | null,
): Promise<void> {
  await onceWith(db, key, done, async (tx) => {
    const booking = await lockBooking(tx, id);
    await project(tx, booking, payment, waitOf(booking, payment, awaitingUntil));
  });
}

/** Takes over the payment's state after a refund. @throws as recordPayment */
export async function recordRefund(
  db: Database,
  key: KeyedRequest,
  id: string,
  payment: PaymentProjection,
): Promise<void> {
  await onceWith(db, key, done, async (tx) => {
    const booking = await lockBooking(tx, id);
    await project(tx, booking, payment);
  });
}

type Wait = ReturnType<typeof waiting>;
type NoChange = Record<never, never>;

/** What a pending booking waits for after this news of its payment. */
function waitOf(booking: BookingRow, payment: PaymentProjection, awaitingUntil: string | null): Wait | NoChange {
  if (booking.status !== 'pending') return {};
  if (payment.status === 'requires_action') return waiting('awaiting_payment', awaitingUntil);
  return booking.statusReason === 'awaiting_payment' ? waiting(null, null) : {};
}

/** What a booking waits for after this change; undefined where it is the same as before. */
function waitingAfter(booking: BookingRow, change: Wait | NoChange) {
  if (!('statusReason' in change)) return undefined;
  const { statusReason: reason, waitingUntil } = change;
  const isSame = reason === booking.statusReason && waitingUntil?.getTime() === booking.waitingUntil?.getTime();
  return isSame ? undefined : { reason, until: waitingUntil?.toISOString() ?? null };
}

/** What was taken and given back so far, in minor units; zero before there is a payment. The booking is one that there is. */
export async function paidFor(tx: Transaction, bookingId: string) {
  const [payment] = await tx.select().from(payments).where(eq(payments.bookingId, bookingId));
  if (payment) return payment;
  const snapshots = await tx.select().from(bookingSnapshots).where(eq(bookingSnapshots.bookingId, bookingId));
  return { captured: 0, refunded: 0, currency: theOnly(snapshots).currency };
}

/**
 * A booking that came to nothing is shown as refunded when everything came back that was taken, and as cancelled when it did not: a refund
 * may have come before the cancel or after it, and may fail after it had succeeded.
 */
export async function showRefunded(
  tx: Transaction,
  booking: Pick<BookingRow, 'id' | 'studentId' | 'tutorId' | 'status'>,
  paid: { captured: number; refunded: number },
): Promise<void> {
  if (booking.status !== 'cancelled' && booking.status !== 'refunded') return;
  const status = statusOfCancelled(paid);
  if (status === booking.status) return;
  await become(tx, booking, status);
  const type = status === 'refunded' ? 'BookingRefunded' : 'BookingRefundReversed';
  await appendEvent(tx, bookingEvents, { streamId: booking.id, type, data: toldOf(booking, 'system') });
}

/** Writes the payment's state, and `change` of the booking with it, unless a version at least as new is known. */
async function project(
  tx: Transaction,
  booking: BookingRow,
  payment: PaymentProjection,
  change: Wait | NoChange = {},
): Promise<void> {
  const [known] = await tx.select().from(payments).where(eq(payments.bookingId, booking.id));
  if (known && known.id !== payment.id) throw new ProblemError('conflict', 'The booking has another payment');
  if (known && known.version >= payment.version) return;

  const { id, version, status, amount, captured, refunded, declineCode = null } = payment;
  // Of no use to anybody once the bank has answered.
  const clientSecret = status === 'requires_action' ? payment.clientSecret : null;
  const { currency } = amount;
  const state = {
    version,
    status,
    amount: amount.amount,
    captured: captured.amount,
    refunded: refunded.amount,
    currency,
  };
  await tx
    .insert(payments)
    .values({ id, bookingId: booking.id, ...state, clientSecret, declineCode })
    .onConflictDoUpdate({ target: payments.id, set: { ...state, clientSecret, declineCode, updatedAt: sql`now()` } });
  await update(tx, booking.id, change);
  const { studentId, tutorId } = booking;
  const told = { ...toldOf(booking, 'system'), studentId, tutorId, paymentId: id };
  const waits = waitingAfter(booking, change);
  if (known?.status !== status || waits)
    await appendEvent(tx, bookingEvents, {
      streamId: booking.id,
      type: 'PaymentProcessed',
      data: { ...told, status, amount, captured, refunded, ...(waits && { waiting: waits }) },
    });

  const moved = refunded.amount - (known?.refunded ?? 0);
  if (moved !== 0) {
    await tx
      .insert(refunds)
      .values({ id: uuidv7(), bookingId: booking.id, paymentId: id, version, amount: moved, currency });
    const type = moved > 0 ? 'RefundIssued' : 'RefundReversed';
    const refund = { amount: Math.abs(moved), currency };
    await appendEvent(tx, bookingEvents, { streamId: booking.id, type, data: { ...told, refund } });
  }
  await showRefunded(tx, booking, { captured: captured.amount, refunded: refunded.amount });
}
