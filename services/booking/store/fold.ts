import { inArray } from 'drizzle-orm';
import { bookings } from '../../../db/schema/booking';
import { foldedTable } from '../../../platform/fold';
import { appendEvent } from '../../../platform/outbox';
import { bookingEvents } from '../events';
import { BOOKING_COLUMNS, foldBooking } from '../rules/fold';
import { lockBooking, sessionOf, toldOf } from './row';

/** Bookings, held to their events. */
export const foldedBookings = foldedTable({
  kind: 'booking',
  table: bookings,
  schemas: bookingEvents,
  columns: BOOKING_COLUMNS,
  fold: foldBooking,
  read: (tx, ids) =>
    tx
      .select()
      .from(bookings)
      .where(inArray(bookings.id, [...ids])),
  lock: lockBooking,
  async baseline(tx, row) {
    const { status, statusReason, durationMinutes, instantBooking, cancelledBy, refundPercent, refundDue, retained } =
      row;
    await appendEvent(tx, bookingEvents, {
      streamId: row.id,
      type: 'BookingBaseline',
      data: {
        ...{ ...toldOf(row, 'system'), ...sessionOf(row), status, statusReason, durationMinutes, instantBooking },
        ...{ cancelledBy, refundPercent, refundDue, retained, createdAt: row.createdAt.toISOString() },
        waitingUntil: row.waitingUntil?.toISOString() ?? null,
        movedByTutorAt: row.movedByTutorAt?.toISOString() ?? null,
      },
    });
  },
});
