import { and, eq, gt, inArray, isNull, lt, ne, notInArray, or, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly, violatedConstraint } from '../../../db/client';
import { bookingRequests, bookingSnapshots, bookings, payments } from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import { MOST_UNPAID, type Party } from '../../../kernel/session';
import type { CancelReason } from '../../../kernel/statuses';
import { endOf } from '../../../kernel/time';
import { isUndo, type KeyedRequest, once, onceWith, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import { done } from '../../../platform/replies';
import type { CancelTerms, Created, Creation, MoveWish, Refusal, StoredRequest } from '../contract';
import { bookingEvents } from '../events';
import { moveRefusal } from '../rules/commands';
import { confirmationMode } from '../rules/life';
import { refusalAfter } from '../rules/request';
import { doubleBooked, requirePrice } from '../rules/session';
import { amountsOf, refundPercent } from '../rules/terms';
import { paidFor, showRefunded } from './payment-copy';
import { asStored } from './reads';
import { lockRequest, settleRefused } from './requests';
import { become, lockBooking, requireStatus, sessionOf, toldOf, update, waiting } from './row';

// What the saga writes. Each command commits with its key and its event, locks the row it changes, and is harmless when
// the row already is as the step wants it.

/** The states of a payment whose money is there, reserved or taken; what was given back since does not count against anybody. */
const PAYMENT_IS_SURE = ['authorized', 'captured', 'partially_refunded', 'refunded'] as const;

type Moved = { previousStart: string; startsAt: string; endsAt: string };

/**
 * What the client asked for. From now on its saga has begun: nobody but the saga refuses it.
 * @throws ProblemError not_found; undone when it was refused before
 */
export async function beginRequest(db: Database, id: string): Promise<StoredRequest> {
  const [request] = await db
    .update(bookingRequests)
    .set({ sagaStartedAt: sql`coalesce(${bookingRequests.sagaStartedAt}, now())` })
    .where(eq(bookingRequests.id, id))
    .returning();
  if (!request) throw new ProblemError('not_found');
  if (request.refusal) throw new ProblemError('undone');
  return asStored(request);
}

/**
 * Makes the booking from its stored request.
 * @throws ProblemError conflict when the student has another live booking then; too_many_pending when three of theirs are without an
 * authorised payment; undone when the request was refused or the undo came first; validation_failed for a price below the least; not_found
 * without a request
 */
export async function createPending(db: Database, key: KeyedRequest, id: string, creation: Creation): Promise<Created> {
  const { student, tutor, subject, price, instantBooking } = creation;
  const reply = await once<Created>(db, key, async (tx) => {
    // Not before: what is repeated has its reply, whatever the price is by now.
    requirePrice(price);
    const [request] = await tx
      .update(bookingRequests)
      .set({ settledAt: sql`now()` })
      .where(and(eq(bookingRequests.id, id), isNull(bookingRequests.settledAt)))
      .returning();
    if (!request) return { status: 200, body: await readCreated(tx, id) };
    const { studentId, tutorId, scheduledAt, durationMinutes } = request;
    const startsAt = scheduledAt.toISOString();
    const endsAt = endOf(startsAt, durationMinutes);
    await lockStudent(tx, studentId);
    await requireFewUnpaid(tx, studentId);
    await tx
      .insert(bookings)
      .values({
        id,
        studentId,
        tutorId,
        status: 'pending',
        subject,
        startsAt: scheduledAt,
        endsAt: new Date(endsAt),
        durationMinutes,
        instantBooking,
      })
      .catch(refuseOverlap);
    await tx.insert(bookingSnapshots).values({
      bookingId: id,
      studentName: student.name,
      studentTimeZone: student.timeZone,
      studentLocale: student.locale,
      tutorName: tutor.name,
      tutorTimeZone: tutor.timeZone,
      tutorLocale: tutor.locale,
      price: price.amount,
      currency: price.currency,
    });
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingRequested',
      data: {
        ...{ ...toldOf(request, 'student'), studentId, tutorId, startsAt, endsAt, price },
        ...{ durationMinutes, instantBooking },
      },
    });
    return { status: 200, body: { bookingId: id, price, startsAt, endsAt, instantBooking } };
  });
  return reply.body;
}

/** Stores why nothing was booked, for the client that waits. The first refusal stays. @throws ProblemError not_found */
export async function refuseRequest(db: Database, key: KeyedRequest, id: string, refusal: Refusal): Promise<void> {
  await onceWith(db, key, done, async (tx) => {
    const request = await lockRequest(tx, id);
    if (!request) throw new ProblemError('not_found');
    await settleRefused(tx, request, refusal);
  });
}

/** The tutor is asked and has until `respondBy`. @throws ProblemError not_found; invalid_state unless pending */
export async function awaitTutor(db: Database, key: KeyedRequest, id: string, respondBy: string): Promise<void> {
  await onceWith(db, key, done, async (tx) => {
    const booking = await lockBooking(tx, id);
    requireStatus(booking, 'pending');
    await update(tx, id, waiting('awaiting_tutor', respondBy));
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingAwaitingTutor',
      data: { ...toldOf(booking, 'system'), respondBy },
    });
  });
}

/** Pending to confirmed. @throws ProblemError not_found; invalid_state */
export async function confirmPending(db: Database, key: KeyedRequest, id: string): Promise<void> {
  await onceWith(db, key, done, async (tx) => {
    const booking = await lockBooking(tx, id);
    if (booking.status === 'confirmed') return;
    await become(tx, booking, 'confirmed', waiting(null, null));
    const actor = confirmationMode(booking.instantBooking) === 'by_tutor' ? 'tutor' : 'system';
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingConfirmed',
      data: { ...toldOf(booking, actor), ...sessionOf(booking) },
    });
  });
}

/**
 * The undo of `createPending`: pending to cancelled, and a request without a booking is refused for good.
 * @throws ProblemError invalid_state for a booking that was confirmed
 */
export async function cancelPending(
  db: Database,
  key: UndoRequest,
  id: string,
  cancel: { reason: CancelReason; noteId: string | null; cancelledBy: Party | null },
): Promise<void> {
  await undoOnce(db, key, async (tx) => {
    const { reason, noteId, cancelledBy } = cancel;
    const [booking] = await tx.select().from(bookings).where(eq(bookings.id, id)).for('update');
    if (!booking) {
      const request = await lockRequest(tx, id);
      const { code, detail } = refusalAfter(reason);
      if (request) await settleRefused(tx, request, { code, detail }, { cancelledBy, noteId });
      return done;
    }
    if (booking.status === 'cancelled' || booking.status === 'refunded') return done;
    requireStatus(booking, 'pending');
    await become(tx, booking, 'cancelled', { statusReason: reason, waitingUntil: null, noteId, cancelledBy });
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingCancelled',
      data: { ...toldOf(booking, cancelledBy ?? 'system'), ...sessionOf(booking), reason },
    });
    await showRefunded(tx, { ...booking, status: 'cancelled' }, await paidFor(tx, id));
    return done;
  });
}

/**
 * Confirmed to cancelled, with the share that the terms give back; a repeated cancel returns what the first one decided. The amounts are
 * for workers of before.
 * @throws ProblemError not_found; invalid_state
 */
export async function cancelConfirmed(
  db: Database,
  key: KeyedRequest,
  id: string,
  cancel: { by: Party; noteId: string | null; requestedAt: string },
): Promise<CancelTerms> {
  const reply = await once(db, key, async (tx) => {
    const booking = await lockBooking(tx, id);
    const { captured, refunded, currency } = await paidFor(tx, id);
    const money = (amount: number) => ({ amount, currency });
    const termsOf = (percent: number): CancelTerms => ({
      percent,
      ...amountsOf(percent, { captured: money(captured), refunded: money(refunded) }),
    });
    if (booking.refundPercent !== null) return { status: 200, body: termsOf(booking.refundPercent) };
    requireStatus(booking, 'confirmed');
    const { by, noteId, requestedAt } = cancel;
    const percent = refundPercent({
      by,
      requestedAt,
      startsAt: booking.startsAt.toISOString(),
      askedAt: await askedAt(tx, id),
      movedByTutorAt: booking.movedByTutorAt?.toISOString() ?? null,
    });
    const reason = `cancelled_by_${by}` as const;
    await become(tx, booking, 'cancelled', { statusReason: reason, cancelledBy: by, noteId, refundPercent: percent });
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingCancelled',
      data: { ...toldOf(booking, by), ...sessionOf(booking), reason, refundPercent: percent },
    });
    await showRefunded(tx, { ...booking, status: 'cancelled' }, { captured, refunded });
    return { status: 200, body: termsOf(percent) };
  });
  return reply.body;
}

async function askedAt(tx: Transaction, id: string): Promise<string> {
  const asked = await tx
    .select({ at: bookingRequests.createdAt })
    .from(bookingRequests)
    .where(eq(bookingRequests.id, id));
  return theOnly(asked).at.toISOString();
}

/**
 * What speaks against moving a session, before anything is reserved for it: the terms by the time the request arrived, and the student's
 * other sessions. Changes nothing. @throws ProblemError not_found; invalid_state, slot_unavailable, conflict
 */
export async function admitMove(db: Database, id: string, { scheduledAt, by, requestedAt }: MoveWish): Promise<void> {
  const [booking] = await db.select().from(bookings).where(eq(bookings.id, id));
  if (!booking) throw new ProblemError('not_found');
  const { status, startsAt, studentId, durationMinutes } = booking;
  const refusal = moveRefusal(scheduledAt, by, { status, scheduledAt: startsAt.toISOString() }, new Date(requestedAt));
  if (refusal) throw refusal;
  const wanted = { startsAt: new Date(scheduledAt), endsAt: new Date(endOf(scheduledAt, durationMinutes)) };
  const inTheWay = and(
    eq(bookings.studentId, studentId),
    ne(bookings.id, id),
    inArray(bookings.status, ['pending', 'confirmed']),
    lt(bookings.startsAt, wanted.endsAt),
    gt(bookings.endsAt, wanted.startsAt),
  );
  const [other] = await db.select({ id: bookings.id }).from(bookings).where(inTheWay).limit(1);
  if (other) throw doubleBooked();
}

/**
 * Moves a confirmed session. As the undo of a move of before (key …/undo) it moves a session back and leaves any other alone.
 * @throws ProblemError not_found; invalid_state; conflict when the student has another live booking then
 */
export async function moveConfirmed(
  db: Database,
  key: KeyedRequest,
  id: string,
  { scheduledAt, by }: { scheduledAt: string; by?: Party | undefined },
): Promise<Moved> {
  const undo = isUndo(key);
  const move = async (tx: Transaction) => {
    const booking = await lockBooking(tx, id);
    const previousStart = booking.startsAt.toISOString();
    if (previousStart === scheduledAt || (undo && booking.status !== 'confirmed')) {
      return { status: 200, body: { previousStart, startsAt: previousStart, endsAt: booking.endsAt.toISOString() } };
    }
    requireStatus(booking, 'confirmed');
    await lockStudent(tx, booking.studentId);
    const endsAt = endOf(scheduledAt, booking.durationMinutes);
    const movedByTutorAt = by === 'tutor' && !undo ? new Date() : null;
    const moved = { startsAt: new Date(scheduledAt), endsAt: new Date(endsAt), movedByTutorAt };
    await update(tx, id, moved).catch(refuseOverlap);
    const body = { previousStart, startsAt: scheduledAt, endsAt };
    const { studentId, tutorId } = booking;
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingRescheduled',
      data: {
        ...{ ...toldOf(booking, by ?? 'system'), studentId, tutorId, ...body },
        movedByTutorAt: movedByTutorAt?.toISOString() ?? null,
      },
    });
    return { status: 200, body };
  };
  const reply = await (undo ? undoOnce<Moved>(db, key, move) : once<Moved>(db, key, move));
  return reply.body;
}

/** Confirmed to completed. @throws ProblemError not_found; invalid_state */
export async function completeConfirmed(
  db: Database,
  key: KeyedRequest,
  id: string,
  by: 'tutor' | 'time',
): Promise<void> {
  await onceWith(db, key, done, async (tx) => {
    const booking = await lockBooking(tx, id);
    if (booking.status === 'completed') return;
    const statusReason = `completed_by_${by}` as const;
    await become(tx, booking, 'completed', { statusReason });
    const actor = by === 'tutor' ? 'tutor' : 'system';
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingCompleted',
      data: { ...toldOf(booking, actor), ...sessionOf(booking), statusReason },
    });
  });
}

/** What was made of a request that is settled. @throws ProblemError not_found without a request; undone when it was refused */
async function readCreated(tx: Transaction, id: string): Promise<Created> {
  const [row] = await tx
    .select({ booking: bookings, price: bookingSnapshots.price, currency: bookingSnapshots.currency })
    .from(bookings)
    .innerJoin(bookingSnapshots, eq(bookingSnapshots.bookingId, bookings.id))
    .where(eq(bookings.id, id));
  if (!row) throw new ProblemError((await lockRequest(tx, id)) ? 'undone' : 'not_found');
  const { startsAt, endsAt, instantBooking } = row.booking;
  const price = { amount: row.price, currency: row.currency };
  return { bookingId: id, price, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString(), instantBooking };
}

/** Writers of one student's bookings queue up here: two that meet in the exclusion constraint would deadlock. */
async function lockStudent(tx: Transaction, studentId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`student:${studentId}`}, 0))`);
}

/** Counts under the student's lock, so that bookings that are made at once see each other. @throws ProblemError too_many_pending */
async function requireFewUnpaid(tx: Transaction, studentId: string): Promise<void> {
  const unpaid = await tx
    .select({ id: bookings.id })
    .from(bookings)
    .leftJoin(payments, eq(payments.bookingId, bookings.id))
    .where(
      and(
        eq(bookings.studentId, studentId),
        eq(bookings.status, 'pending'),
        or(isNull(payments.status), notInArray(payments.status, [...PAYMENT_IS_SURE])),
      ),
    )
    .limit(MOST_UNPAID);
  if (unpaid.length < MOST_UNPAID) return;
  throw new ProblemError('too_many_pending', `The payments of ${MOST_UNPAID} other bookings are still to be completed`);
}

function refuseOverlap(error: unknown): never {
  throw violatedConstraint(error) === 'bookings_one_at_a_time' ? doubleBooked() : error;
}
