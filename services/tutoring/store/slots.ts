import { and, eq, gt, lte, ne, or, sql } from 'drizzle-orm';
import { builtOnce, type Database, sqlState, type Transaction } from '../../../db/client';
import { slots, tutorProfiles } from '../../../db/schema/tutoring';
import { ProblemError } from '../../../kernel/errors';
import { MINUTE } from '../../../kernel/time';
import type { Span } from '../../../kernel/zone';
import { isUndo, type KeyedRequest, once, onceWith, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import type { Slot } from '../contract';
import { assertOffered } from '../rules/hours';
import { lockTutor } from './profile';
import { readAvailability } from './reads';

// Every function here locks the tutor before it touches a slot. The exclusion constraint stands behind that: if a lock is
// ever forgotten, Postgres refuses the second slot.
const EXCLUSION_VIOLATION = '23P01';

const slotColumns = {
  bookingId: slots.bookingId,
  tutorId: slots.tutorId,
  state: slots.state,
  start: sql`lower(${slots.during})`.mapWith(slots.expiresAt),
  end: sql`upper(${slots.during})`.mapWith(slots.expiresAt),
  expiresAt: slots.expiresAt,
};

interface SlotRow {
  bookingId: string;
  tutorId: string;
  state: Slot['state'];
  start: Date;
  end: Date;
  expiresAt: Date | null;
}

function toSlot({ start, end, expiresAt, ...row }: SlotRow): Slot {
  return {
    ...row,
    start: start.toISOString(),
    end: end.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
  };
}

const rangeOf = ({ start, end }: Span) =>
  sql`tstzrange(${new Date(start).toISOString()}::timestamptz, ${new Date(end).toISOString()}::timestamptz)`;

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

/** What is held or booked in `window`, in no order. A hold that expired is free for anybody. */
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

/** Undoes holding and blocking: frees the booking's slot, whatever its state. Nothing happens when there is none. */
export async function releaseSlot(db: Database, request: UndoRequest, bookingId: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    const slot = await findSlot(tx, bookingId);
    if (slot) {
      await tx.delete(slots).where(eq(slots.bookingId, bookingId));
      await appendSlotEvent(tx, 'SlotReleased', slot);
    }
    return { status: 204, body: undefined };
  });
}

/**
 * Moves a slot to another start; length, state and expiry stay. The slot keeps its old time until it is moved. As the undo of a move (key
 * …/undo) it leaves the undo's mark: the move that arrives late is refused.
 * @throws ProblemError slot_unavailable when the new time is taken or not within the hours, or the booking has no slot
 */
export async function moveSlot(db: Database, request: KeyedRequest, bookingId: string, start: string): Promise<Slot> {
  const move = async (tx: Transaction) => {
    const slot = await lockSlot(tx, bookingId);
    const from = Date.parse(start);
    const span = { start: from, end: from + slot.end.getTime() - slot.start.getTime() };
    await claimTime(tx, slot.tutorId, bookingId, span);
    const moved = { start: new Date(span.start), end: new Date(span.end) };
    return { status: 200, body: await change(tx, slot, 'SlotMoved', moved) };
  };
  const reply = await (isUndo(request) ? undoOnce(db, request, move) : once(db, request, move));
  return reply.body;
}

/** Locks the tutor, checks that they offer the time and deletes other bookings' expired holds in it. */
async function claimTime(tx: Transaction, tutorId: string, bookingId: string, span: Span): Promise<void> {
  const { timeZone } = await lockTutor(tx, tutorId);
  const hours = await readAvailability(tx, tutorId, timeZone);
  assertOffered(hours, span.start, (span.end - span.start) / MINUTE, Date.now());
  const expired = await tx
    .delete(slots)
    .where(
      and(
        eq(slots.tutorId, tutorId),
        ne(slots.bookingId, bookingId),
        eq(slots.state, 'held'),
        // Not now(): that is when the transaction began, and the transaction may have waited for the lock since.
        lte(slots.expiresAt, sql`clock_timestamp()`),
        sql`${slots.during} && ${rangeOf(span)}`,
      ),
    )
    .returning(slotColumns);
  for (const row of expired) await appendSlotEvent(tx, 'SlotHoldExpired', row);
}

/** The booking's slot, its tutor locked. @throws ProblemError slot_unavailable when there is none */
async function lockSlot(tx: Transaction, bookingId: string): Promise<SlotRow> {
  const slot = await findSlot(tx, bookingId);
  if (!slot) throw new ProblemError('slot_unavailable', 'The slot is no longer held for this booking');
  return slot;
}

async function findSlot(tx: Transaction, bookingId: string): Promise<SlotRow | undefined> {
  // A slot never changes its tutor; everything else is read under the lock.
  const [locked] = await tx
    .select({ tutorId: tutorProfiles.id })
    .from(slots)
    .innerJoin(tutorProfiles, eq(tutorProfiles.id, slots.tutorId))
    .where(eq(slots.bookingId, bookingId))
    .for('update', { of: tutorProfiles });
  if (!locked) return undefined;
  const [slot] = await tx.select(slotColumns).from(slots).where(eq(slots.bookingId, bookingId));
  return slot;
}

type Change = Partial<Pick<SlotRow, 'state' | 'start' | 'end' | 'expiresAt'>>;

/** Writes what changes of a slot whose tutor is locked, and says so. @throws ProblemError slot_unavailable */
async function change(tx: Transaction, slot: SlotRow, event: string, changed: Change): Promise<Slot> {
  const row = { ...slot, ...changed };
  const { state, expiresAt } = row;
  const during = rangeOf({ start: row.start.getTime(), end: row.end.getTime() });
  await unlessTaken(tx.update(slots).set({ during, state, expiresAt }).where(eq(slots.bookingId, slot.bookingId)));
  return appendSlotEvent(tx, event, row);
}

async function unlessTaken<T>(write: PromiseLike<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (sqlState(error) !== EXCLUSION_VIOLATION) throw error;
    throw new ProblemError('slot_unavailable', 'Somebody else has taken the time');
  }
}

/** Appends the event to the tutor's stream, whose lock every caller holds. */
async function appendSlotEvent(tx: Transaction, type: string, row: SlotRow): Promise<Slot> {
  const slot = toSlot(row);
  await appendEvent(tx, { streamId: row.tutorId, type, data: { ...slot } });
  return slot;
}
