import { leftOut, type ToldRow } from '../../../kernel/fold';
import type { BookingEvent } from '../events';

/** What events tell of a booking's row, and why they do not tell the rest. */
export const BOOKING_COLUMNS = {
  id: 'told',
  studentId: 'told',
  tutorId: 'told',
  status: 'told',
  statusReason: 'told',
  waitingUntil: 'told',
  subject: leftOut('what is taught is said in words, and no event has words of people; booking is asked for it'),
  startsAt: 'told',
  endsAt: 'told',
  durationMinutes: 'told',
  meetingUrl: leftOut('the link opens a room; BookingMeetingUrlChanged says only that it is another'),
  instantBooking: 'told',
  cancelledBy: 'told',
  noteId: leftOut('leads to what somebody wrote, which is read with the booking'),
  movedByTutorAt: 'told',
  refundPercent: 'told',
  refundDue: 'told',
  retained: 'told',
  createdAt: 'told',
  updatedAt: leftOut('when the row was written last, also for what no event tells, such as its link'),
} as const;

/** A booking's row as its events tell it. */
export type ToldBooking = ToldRow<typeof BOOKING_COLUMNS>;

/** The row that a booking's events tell of, in the order of their versions; null when none of them makes one. */
export function foldBooking(events: readonly BookingEvent[]): ToldBooking | null {
  let booking: ToldBooking | null = null;
  for (const event of events) booking = after(booking, event);
  return booking;
}

function after(booking: ToldBooking | null, event: BookingEvent): ToldBooking | null {
  return begun(event) ?? (booking && { ...booking, ...changeBy(event) });
}

/** The booking that an event begins, or begins anew; undefined where it only changes one. */
function begun({ type, data, at }: BookingEvent): ToldBooking | undefined {
  switch (type) {
    case 'BookingRequested': {
      const { bookingId, studentId, tutorId, startsAt, endsAt, durationMinutes, instantBooking } = data;
      return {
        ...{ id: bookingId, studentId, tutorId, status: 'pending', statusReason: null, waitingUntil: null },
        // One of before has not said so. The row has it, and a baseline.
        ...{ startsAt, endsAt, durationMinutes: durationMinutes ?? null, instantBooking: instantBooking ?? null },
        ...{ cancelledBy: null, movedByTutorAt: null, refundPercent: null, refundDue: null, retained: null },
        createdAt: at,
      };
    }
    case 'BookingBaseline': {
      const { bookingId: id, actor: _, participantIds: __, ...row } = data;
      return { id, ...row };
    }
    default:
      return undefined;
  }
}

/** What an event changes of a booking that there is. */
function changeBy({ type, data }: BookingEvent): Partial<ToldBooking> {
  switch (type) {
    case 'BookingAwaitingTutor':
      return { statusReason: 'awaiting_tutor', waitingUntil: data.respondBy };
    case 'BookingConfirmed':
      return { status: 'confirmed', statusReason: null, waitingUntil: null };
    case 'BookingRescheduled': {
      const { startsAt, endsAt, movedByTutorAt = null } = data;
      return { startsAt, endsAt, movedByTutorAt };
    }
    case 'BookingCancelled': {
      const { reason, actor, refundPercent = null } = data;
      const cancelledBy = actor === 'system' ? null : actor;
      return { status: 'cancelled', statusReason: reason, waitingUntil: null, cancelledBy, refundPercent };
    }
    case 'BookingRefunded':
      return { status: 'refunded' };
    case 'BookingRefundReversed':
      return { status: 'cancelled' };
    case 'BookingCompleted':
      return { status: 'completed', statusReason: data.statusReason };
    case 'PaymentProcessed':
      return data.waiting ? { statusReason: data.waiting.reason, waitingUntil: data.waiting.until } : {};
    default:
      return {};
  }
}
