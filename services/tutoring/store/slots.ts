import { and, eq, gt, or, sql } from 'drizzle-orm';
import { builtOnce, type Database } from '../../../db/client';
import { slots } from '../../../db/schema/tutoring';
import { ProblemError } from '../../../kernel/errors';
import { MINUTE } from '../../../kernel/time';
import type { Span } from '../../../kernel/zone';
import { type KeyedRequest, once, onceWith, type UndoRequest, undoOnce } from '../../../platform/idempotency';
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
  type SlotRow,
  slotColumns,
  toSlot,
  unlessTaken,
} from './slot-row';

const taken = builtOnce((db: Database) =>
  db
    .select({ start: slotColumns.start, end: slotColumns.end })
    .from(slots)
    .where(
      and(
        eq(slots.tutorId, sql.placeholder('tutorId')),
        sql`${slots.during} && tstzrange(${sql.placeholder('start')}::timestamptz, ${sql.placeholder('end')}::timestamptz)`,
        or(eq(slots.state, 'booked'), gt(slots.expiresAt, sql`now()`)),
      ),
    )
    .prepare('taken_spans'),
);

/** What is held, booked or reserved in `window`, in no order. A hold that expired is free for anybody. */
export async function takenSpans(db: Database, tutorId: string, window: Span): Promise<Span[]> {
  if (window.end <= window.start) return [];
  const [start, end] = [new Date(window.start).toISOString(), new Date(window.end).toISOString()];
  const rows = await taken(db, {}).execute({ tutorId, start, end });
  return rows.map((row) => ({ start: row.start.getTime(), end: row.end.getTime() }));
}

/**
 * Holds an interval for a booking until `expiresAt`, or books the interval where `expiresAt` is null. Expired holds in the
 * way are deleted first.
 * @throws ProblemError slot_unavailable when taken or not within the hours; invalid_state when the booking has a slot;
 * undone when the hold was released before it arrived
 */
export async function holdSlot(
  db: Database,
  request: KeyedRequest,
  bookingId: string,
  hold: { tutorId: string; start: string; durationMinutes: number; expiresAt: string | null },
): Promise<Slot> {
  const start = Date.parse(hold.start);
  const span = { start, end: start + hold.durationMinutes * MINUTE };
  const { tutorId } = hold;
  const expiresAt = hold.expiresAt === null ? null : new Date(hold.expiresAt);
  const state = expiresAt ? 'held' : 'booked';
  const row: SlotRow = {
    bookingId,
    tutorId,
    state,
    start: new Date(span.start),
    end: new Date(span.end),
    expiresAt,
  };
  const reply = await onceWith(db, request, { status: 200, body: toSlot(row) }, async (tx) => {
    await claimTime(tx, tutorId, bookingId, span);
    const inserted = await unlessTaken(
      tx
        .insert(slots)
        .values({ bookingId, tutorId, during: rangeOf(span), state, expiresAt })
        .onConflictDoNothing({ target: slots.bookingId })
        .returning({ bookingId: slots.bookingId }),
    );
    if (inserted.length === 0) throw new ProblemError('invalid_state', 'This booking has a slot already');
    await appendSlotEvent(tx, expiresAt ? 'SlotHeld' : 'SlotBooked', row);
  });
  return reply.body;
}

/**
 * Lets a hold expire at another time. The hold may have expired, if nobody took its time. A booked slot stays as it is.
 * @throws ProblemError slot_unavailable when the booking has no slot (any longer)
 */
export async function extendHold(
  db: Database,
  request: KeyedRequest,
  bookingId: string,
  expiresAt: string,
): Promise<Slot> {
  const reply = await once(db, request, async (tx) => {
    const slot = await lockSlot(tx, bookingId);
    if (slot.state === 'booked') return { status: 200, body: toSlot(slot) };
    return { status: 200, body: await change(tx, slot, 'SlotHoldExtended', { expiresAt: new Date(expiresAt) }) };
  });
  return reply.body;
}

/**
 * Turns a hold into a booked slot. The hold may have expired, if nobody took its time.
 * @throws ProblemError slot_unavailable when the booking has no slot (any longer)
 */
export async function blockSlot(db: Database, request: KeyedRequest, bookingId: string): Promise<Slot> {
  const reply = await once(db, request, async (tx) => {
    const slot = await lockSlot(tx, bookingId);
    if (slot.state === 'booked') return { status: 200, body: toSlot(slot) };
    return { status: 200, body: await change(tx, slot, 'SlotBooked', { state: 'booked', expiresAt: null }) };
  });
  return reply.body;
}

/**
 * Undoes holding and blocking: frees all that the booking keeps, whatever its state, also what was reserved for a move. Nothing happens
 * when there is none.
 */
export async function releaseSlot(db: Database, request: UndoRequest, bookingId: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    if (await lockTutorOf(tx, keptBy(bookingId))) await free(tx, keptBy(bookingId));
    return done;
  });
}
