import { eq, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { bookings } from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import { appendEvent } from '../../../platform/outbox';
import { bookingEvents } from '../events';
import { isLive } from '../rules/life';
import { lockBooking, toldOf } from './row';

/**
 * Sets or clears where the session takes place. The link opens a room, so the event says only that it changed.
 * @throws ProblemError not_found; invalid_state once the booking is over
 */
export async function setMeetingUrl(db: Database, id: string, meetingUrl: string | null): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await lockBooking(tx, id);
    if (!isLive(row.status)) throw new ProblemError('invalid_state', `A booking that is ${row.status} takes no link`);
    if (row.meetingUrl === meetingUrl) return;
    await tx.update(bookings).set({ meetingUrl, updatedAt: sql`now()` }).where(eq(bookings.id, id));
    await appendEvent(tx, bookingEvents, {
      streamId: id,
      type: 'BookingMeetingUrlChanged',
      data: toldOf(row, 'tutor'),
    });
  });
}
