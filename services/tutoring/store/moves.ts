import { and, eq, isNotNull, ne, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { slots } from '../../../db/schema/tutoring';
import { stepKeyOf } from '../../../kernel/step-key';
import { isUndo, type KeyedRequest, once, onceWith, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import { done } from '../../../platform/replies';
import type { Slot } from '../contract';
import {
  appendSlotEvent,
  change,
  claimTime,
  free,
  keptBy,
  lockSlot,
  lockTutorOf,
  rangeOf,
  spanFrom,
  toSlot,
  unlessTaken,
} from './slot-row';

// How a session moves: its new time is reserved beside the old one, and the old one is free once the booking has moved. Until then
// nobody else gets either, so that the move can be given up at any point.

/**
 * Reserves another time of the same length and tutor for a booking whose session is about to move. The session's own time stays the
 * booking's. What the booking keeps already is reserved without a question.
 * @throws ProblemError slot_unavailable when the time is taken or not within the hours, or the booking has no slot; undone when the
 * undo came first
 */
export async function reserveSlot(
  db: Database,
  request: KeyedRequest,
  bookingId: string,
  start: string,
): Promise<Slot> {
  const reply = await once(db, request, async (tx) => {
    const session = await lockSlot(tx, bookingId);
    const span = spanFrom(start, session);
    if (span.start === session.start.getTime()) return { status: 200, body: toSlot(session) };
    const times = { start: new Date(span.start), end: new Date(span.end) };
    const reserved = { ...session, ...times, state: 'booked' as const, expiresAt: null };
    // Left by a move whose undo an operator gave up: from now on it is this step's, and only the undo of this step frees it.
    const takenOver = await tx
      .update(slots)
      .set({ reservedUnder: request.key })
      .where(and(eq(slots.reservedBy, bookingId), eq(slots.during, rangeOf(span))))
      .returning({ id: slots.id });
    if (takenOver.length > 0) return { status: 200, body: toSlot(reserved) };
    const { tutorId, state, expiresAt } = reserved;
    await claimTime(tx, tutorId, bookingId, span);
    const keeper = { reservedBy: bookingId, reservedUnder: request.key };
    await unlessTaken(tx.insert(slots).values({ ...keeper, tutorId, during: rangeOf(span), state, expiresAt }));
    return { status: 200, body: await appendSlotEvent(tx, 'SlotReserved', reserved) };
  });
  return reply.body;
}

/**
 * Undoes {@link reserveSlot}: frees what that very step has reserved, unless the session has gone there. Never refused; nothing happens
 * where nothing is reserved, and the time of the session itself is never freed.
 */
export async function unreserveSlot(db: Database, request: UndoRequest, bookingId: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    const reserved = and(eq(slots.reservedBy, bookingId), eq(slots.reservedUnder, stepKeyOf(request.key)));
    if (await lockTutorOf(tx, reserved)) await free(tx, reserved);
    return done;
  });
}

/**
 * The session is at `start` now: whatever else its booking keeps is free again. A booking that keeps nothing there, because it was
 * cancelled meanwhile, is left as it is.
 */
export async function keepSlot(db: Database, request: KeyedRequest, bookingId: string, start: string): Promise<void> {
  await onceWith(db, request, done, async (tx) => {
    if (!(await lockTutorOf(tx, keptBy(bookingId)))) return;
    const startsThen = sql`lower(${slots.during}) = ${start}::timestamptz`;
    const [kept] = await tx
      .select({ id: slots.id })
      .from(slots)
      .where(and(keptBy(bookingId), startsThen));
    if (!kept) return;
    await free(tx, and(keptBy(bookingId), ne(slots.id, kept.id)));
    await tx
      .update(slots)
      .set({ bookingId, reservedBy: null, reservedUnder: null })
      .where(and(eq(slots.id, kept.id), isNotNull(slots.reservedBy)));
  });
}

/**
 * Moves a slot to another start, giving the old time away at once; length, state and expiry stay. For sagas that were begun before there
 * was {@link reserveSlot}. As the undo of a move (key …/undo) it leaves the undo's mark: the move that arrives late is refused.
 * @throws ProblemError slot_unavailable when the new time is taken or not within the hours, or the booking has no slot
 */
export async function moveSlot(db: Database, request: KeyedRequest, bookingId: string, start: string): Promise<Slot> {
  const move = async (tx: Transaction) => {
    const slot = await lockSlot(tx, bookingId);
    const span = spanFrom(start, slot);
    await claimTime(tx, slot.tutorId, bookingId, span);
    const moved = { start: new Date(span.start), end: new Date(span.end) };
    return { status: 200, body: await change(tx, slot, 'SlotMoved', moved) };
  };
  const reply = await (isUndo(request) ? undoOnce(db, request, move) : once(db, request, move));
  return reply.body;
}
