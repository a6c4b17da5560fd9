import { eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../../db/client';
import { bookings } from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import type { Party } from '../../../kernel/session';
import { announcing } from '../../../platform/changes';
import { participants } from '../../../platform/event-schema';
import { requireTransition } from '../rules/life';

// The booking's row: locked, changed by the table of transitions, told of by an event.

/** A booking as it is stored. */
export type BookingRow = typeof bookings.$inferSelect;
/** What is written of it. */
export type Change = Partial<typeof bookings.$inferInsert>;

/** The booking, locked until the transaction ends. @throws ProblemError not_found */
export async function lockBooking(tx: Transaction, id: string): Promise<BookingRow> {
  const [booking] = await tx.select().from(bookings).where(eq(bookings.id, id)).for('update');
  if (!booking) throw new ProblemError('not_found');
  return booking;
}

/** @throws ProblemError invalid_state when the booking is in another status */
export function requireStatus(booking: BookingRow, status: BookingRow['status']): void {
  if (booking.status !== status)
    throw new ProblemError('invalid_state', `The booking is ${booking.status}, not ${status}`);
}

/** Every change of status goes by the table of transitions. @throws ProblemError invalid_state */
export async function become(
  tx: Transaction,
  booking: Pick<BookingRow, 'id' | 'status'>,
  status: BookingRow['status'],
  change: Change = {},
): Promise<void> {
  requireTransition(booking.status, status);
  await update(tx, booking.id, { ...change, status });
}

/** Writes to a locked booking, and wakes whoever waits for its status or reason. */
export async function update(tx: Transaction, id: string, change: Change): Promise<void> {
  const written = tx
    .update(bookings)
    .set({ ...change, updatedAt: sql`now()` })
    .where(eq(bookings.id, id));
  // Whoever waits goes by nothing else (`requestOutcome`).
  const isAwaited = 'status' in change || 'statusReason' in change;
  await (isAwaited ? written.returning(announcing(id)) : written);
}

/** What a pending booking waits for and until when (ISO 8601); nulls: for nothing. */
export function waiting(statusReason: 'awaiting_payment' | 'awaiting_tutor' | null, until: string | null) {
  return { statusReason, waitingUntil: until === null ? null : new Date(until) };
}

/** What every event of a booking tells: of which, and who did it. */
export function toldOf(
  { id, studentId, tutorId }: Pick<BookingRow, 'id' | 'studentId' | 'tutorId'>,
  actor: Party | 'system',
) {
  return { bookingId: id, actor, participantIds: participants(studentId, tutorId) };
}

/** Who meets when, for events. */
export function sessionOf(booking: BookingRow) {
  const { studentId, tutorId, startsAt, endsAt } = booking;
  return { studentId, tutorId, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() };
}
