import { and, eq, lte, ne, or, type SQL, sql } from 'drizzle-orm';
import { sqlState, type Transaction } from '../../../db/client';
import { slots, tutorProfiles } from '../../../db/schema/tutoring';
import { ProblemError } from '../../../kernel/errors';
import { MINUTE } from '../../../kernel/time';
import type { Span } from '../../../kernel/zone';
import { appendEvent } from '../../../platform/outbox';
import type { Slot } from '../contract';
import { tutoringEvents } from '../events';
import { assertOffered } from '../rules/hours';
import { lockTutor } from './profile';
import { readAvailability } from './reads';

// Whoever changes a slot locks its tutor first. The exclusion constraint stands behind that: if a lock is ever forgotten,
// Postgres refuses the second slot.
const EXCLUSION_VIOLATION = '23P01';

/** A slot as it is stored; the booking is the one that keeps it, be it for its session or reserved for a move. */
export interface SlotRow {
  bookingId: string;
  tutorId: string;
  state: Slot['state'];
  start: Date;
  end: Date;
  expiresAt: Date | null;
}

export const slotColumns = {
  bookingId: sql<string>`coalesce(${slots.bookingId}, ${slots.reservedBy})`,
  tutorId: slots.tutorId,
  state: slots.state,
  start: sql`lower(${slots.during})`.mapWith(slots.expiresAt),
  end: sql`upper(${slots.during})`.mapWith(slots.expiresAt),
  expiresAt: slots.expiresAt,
};

/** All that a booking keeps: the slot of its session, and what it has reserved. */
export const keptBy = (bookingId: string) => or(eq(slots.bookingId, bookingId), eq(slots.reservedBy, bookingId));

/** The slot of a booking's session. */
export const sessionOf = (bookingId: string) => eq(slots.bookingId, bookingId);

export function toSlot({ bookingId, tutorId, state, start, end, expiresAt }: SlotRow): Slot {
  return {
    bookingId,
    tutorId,
    state,
    start: start.toISOString(),
    end: end.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
  };
}

export const rangeOf = ({ start, end }: Span) =>
  sql`tstzrange(${new Date(start).toISOString()}::timestamptz, ${new Date(end).toISOString()}::timestamptz)`;

/** The interval as long as `slot` that begins at `start`, ISO 8601. */
export function spanFrom(start: string, slot: SlotRow): Span {
  const from = Date.parse(start);
  return { start: from, end: from + slot.end.getTime() - slot.start.getTime() };
}

/**
 * Locks the tutor, checks that they offer the time and deletes other bookings' expired holds in it.
 * @throws ProblemError slot_unavailable, not_found
 */
export async function claimTime(tx: Transaction, tutorId: string, bookingId: string, span: Span): Promise<void> {
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

/** Locks the tutor of whose time a booking keeps some. False when it keeps nothing. */
export async function lockTutorOf(tx: Transaction, which: SQL | undefined): Promise<boolean> {
  // A booking never changes its tutor; everything else is read under the lock.
  const [locked] = await tx
    .select({ tutorId: tutorProfiles.id })
    .from(slots)
    .innerJoin(tutorProfiles, eq(tutorProfiles.id, slots.tutorId))
    .where(which)
    .for('update', { of: tutorProfiles });
  return locked !== undefined;
}

/** The slot of the booking's session, its tutor locked. @throws ProblemError slot_unavailable when there is none */
export async function lockSlot(tx: Transaction, bookingId: string): Promise<SlotRow> {
  const which = sessionOf(bookingId);
  const [slot] = (await lockTutorOf(tx, which)) ? await tx.select(slotColumns).from(slots).where(which) : [];
  if (!slot) throw new ProblemError('slot_unavailable', 'The slot is no longer held for this booking');
  return slot;
}

type Change = Partial<Pick<SlotRow, 'state' | 'start' | 'end' | 'expiresAt'>>;

/** Writes what changes of a session's slot whose tutor is locked, and says so. @throws ProblemError slot_unavailable */
export async function change(tx: Transaction, slot: SlotRow, event: SlotEvent, changed: Change): Promise<Slot> {
  const row = { ...slot, ...changed };
  const { state, expiresAt } = row;
  const during = rangeOf({ start: row.start.getTime(), end: row.end.getTime() });
  await unlessTaken(tx.update(slots).set({ during, state, expiresAt }).where(sessionOf(slot.bookingId)));
  return appendSlotEvent(tx, event, row);
}

/** Frees slots whose tutor is locked, and says so of each. */
export async function free(tx: Transaction, which: SQL | undefined): Promise<void> {
  const freed = await tx.delete(slots).where(which).returning(slotColumns);
  for (const row of freed) await appendSlotEvent(tx, 'SlotReleased', row);
}

/** @throws ProblemError slot_unavailable when another booking has the time */
export async function unlessTaken<T>(write: PromiseLike<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (sqlState(error) !== EXCLUSION_VIOLATION) throw error;
    throw new ProblemError('slot_unavailable', 'Somebody else has taken the time');
  }
}

type SlotEvent = Extract<keyof typeof tutoringEvents, `Slot${string}`>;

/** Appends the event to the tutor's stream, whose lock every caller holds. */
export async function appendSlotEvent(tx: Transaction, type: SlotEvent, row: SlotRow): Promise<Slot> {
  const slot = toSlot(row);
  await appendEvent(tx, tutoringEvents, {
    streamId: row.tutorId,
    type,
    data: { ...slot, participantIds: [row.tutorId] },
  });
  return slot;
}
