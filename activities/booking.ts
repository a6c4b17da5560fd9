import { ERROR_CODES, ProblemError } from '../kernel/errors';
import type { Money } from '../kernel/money';
import type { Party } from '../kernel/session';
import type { CancelReason } from '../kernel/statuses';
import type { InternalBooking } from '../services/booking/contract';
import type { SendNotification } from '../services/notification/contract';
import type { Clients } from './clients';
import { nameOf } from './payment';

/** What a workflow may know of a booking that was made. */
export interface BookingTerms {
  price: Money;
  startsAt: string;
  endsAt: string;
  instantBooking: boolean;
}

/** What people are told about a booking; each goes to the student, the tutor or both. */
export type Notice =
  | 'requested'
  | 'confirmed'
  | 'declined'
  | 'expired'
  | 'cancelled'
  | 'rescheduled'
  | 'reminder'
  | 'completed';

export type BookingActivities = ReturnType<typeof createBookingActivities>;

/**
 * The steps of the booking saga: each `do` beside its undo. `key` is the step's idempotency key. Names and addresses pass through
 * here from service to service and are never returned.
 */
export function createBookingActivities({ booking, identity, tutoring, notification }: Clients) {
  return {
    /** Gathers price, names and addresses and makes the pending booking. A refusal is stored for the client that waits. */
    async createBooking({ bookingId, key }: { bookingId: string; key: string }): Promise<BookingTerms> {
      try {
        const { studentId, tutorId, subject, scheduledAt, durationMinutes, pricingOptionId } =
          await booking.getRequest(bookingId);
        const [{ first: student, second: tutor }, quote] = await Promise.all([
          identity.getPair(studentId, tutorId),
          tutoring.quoteSession(tutorId, {
            subject,
            scheduledAt,
            durationMinutes,
            ...(pricingOptionId && { pricingOptionId }),
          }),
        ]);
        const { price, startsAt, endsAt, instantBooking } = await booking.createPending(
          bookingId,
          {
            student: {
              name: nameOf(student),
              email: student.email,
              timeZone: student.timeZone,
              locale: student.locale,
            },
            tutor: { name: quote.displayName, email: tutor.email, timeZone: quote.timeZone, locale: tutor.locale },
            subject: quote.subject,
            price: quote.price,
            instantBooking: quote.instantBooking,
          },
          key,
        );
        return { price, startsAt, endsAt, instantBooking };
      } catch (error) {
        if (error instanceof ProblemError && !ERROR_CODES[error.code].retryable && error.code !== 'undone') {
          const { code, detail, more } = error;
          await booking.refuseRequest(
            bookingId,
            { code, detail, ...(more.errors && { errors: more.errors }) },
            `${key}/refuse`,
          );
        }
        throw error;
      }
    },

    /** `unavailable`: no booking could be made because a part of the platform did not answer, which the waiting client is told. */
    async cancelBooking(input: {
      bookingId: string;
      reason: CancelReason;
      noteId: string | null;
      cancelledBy: Party | null;
      unavailable: boolean;
      key: string;
    }): Promise<void> {
      const { bookingId, reason, noteId, cancelledBy, unavailable, key } = input;
      if (unavailable) {
        const code = 'upstream_unavailable';
        await booking.refuseRequest(bookingId, { code, detail: ERROR_CODES[code].title }, `${key}/refuse`);
      }
      await booking.cancelPending(bookingId, { reason, noteId, cancelledBy }, key);
    },

    /** Without an end it is booked outright: nobody has to decide first. */
    async holdSlot(input: {
      bookingId: string;
      tutorId: string;
      start: string;
      durationMinutes: number;
      expiresAt: string | null;
      key: string;
    }): Promise<void> {
      const { bookingId, key, ...hold } = input;
      await tutoring.holdSlot(bookingId, hold, key);
    },

    async releaseSlot({ bookingId, key }: { bookingId: string; key: string }): Promise<void> {
      await tutoring.releaseSlot(bookingId, key);
    },

    async extendHold({
      bookingId,
      expiresAt,
      key,
    }: {
      bookingId: string;
      expiresAt: string;
      key: string;
    }): Promise<void> {
      await tutoring.extendHold(bookingId, { expiresAt }, key);
    },

    async blockSlot({ bookingId, key }: { bookingId: string; key: string }): Promise<void> {
      await tutoring.blockSlot(bookingId, key);
    },

    async moveSlot({ bookingId, start, key }: { bookingId: string; start: string; key: string }): Promise<void> {
      await tutoring.moveSlot(bookingId, { start }, key);
    },

    async awaitTutor({
      bookingId,
      respondBy,
      key,
    }: {
      bookingId: string;
      respondBy: string;
      key: string;
    }): Promise<void> {
      await booking.awaitTutor(bookingId, { respondBy }, key);
    },

    async confirmBooking({ bookingId, key }: { bookingId: string; key: string }): Promise<void> {
      await booking.confirmPending(bookingId, key);
    },

    async rescheduleBooking(input: {
      bookingId: string;
      scheduledAt: string;
      by: 'student' | 'tutor';
      key: string;
    }): Promise<void> {
      const { bookingId, scheduledAt, by, key } = input;
      await booking.moveConfirmed(bookingId, { scheduledAt, by }, key);
    },

    async completeBooking({
      bookingId,
      by,
      key,
    }: {
      bookingId: string;
      by: 'tutor' | 'time';
      key: string;
    }): Promise<void> {
      await booking.completeConfirmed(bookingId, { by }, key);
    },

    /** Cancels a confirmed booking. The shares are policy, so booking computes them. */
    async cancelConfirmed(input: {
      bookingId: string;
      by: Party;
      noteId: string | null;
      requestedAt: string;
      key: string;
    }): Promise<{ refund: Money; retained: Money }> {
      const { bookingId, key, ...cancel } = input;
      const { refund, retained } = await booking.cancelConfirmed(bookingId, cancel, key);
      return { refund, retained };
    },

    /** Writes to whom the notice concerns, one mail per person and `key`. */
    async notifyBooking(input: {
      bookingId: string;
      notice: Notice;
      key: string;
      respondBy?: string;
      refund?: Money;
      hoursBefore?: number;
      previousStart?: string;
    }): Promise<void> {
      const facts = await booking.readForNotices(input.bookingId);
      const messages = messagesFor(input.notice, facts, input);
      await Promise.all(messages.map(({ to, message }) => notification.send(message, `${input.key}/${to}`)));
    },
  };
}

interface NoticeFacts {
  respondBy?: string;
  refund?: Money;
  hoursBefore?: number;
  previousStart?: string;
}

function messagesFor(
  notice: Notice,
  b: InternalBooking,
  facts: NoticeFacts,
): { to: 'student' | 'tutor'; message: SendNotification }[] {
  const common = {
    bookingId: b.id,
    subject: b.subject,
    startsAt: b.scheduledAt,
    durationMinutes: b.durationMinutes,
    price: b.price,
    meetingUrl: b.meetingUrl,
  };
  const student = {
    recipientId: b.studentId,
    email: b.studentEmail,
    recipientName: b.studentName,
    locale: b.studentLocale,
    timeZone: b.studentTimeZone,
  };
  const tutor = {
    recipientId: b.tutorId,
    email: b.tutorEmail,
    recipientName: b.tutorName,
    locale: b.tutorLocale,
    timeZone: b.tutorTimeZone,
  };
  const toStudent = { ...common, otherName: b.tutorName };
  const toTutor = { ...common, otherName: b.studentName };
  const { respondBy = b.scheduledAt, previousStart = b.scheduledAt, hoursBefore = 1, refund = null } = facts;
  const cancelledBy = b.cancelledBy ?? 'operator';
  switch (notice) {
    case 'requested':
      return [
        {
          to: 'student',
          message: { template: 'booking_requested_student', ...student, data: { ...toStudent, respondBy } },
        },
        { to: 'tutor', message: { template: 'booking_requested_tutor', ...tutor, data: { ...toTutor, respondBy } } },
      ];
    case 'confirmed':
      return [
        { to: 'student', message: { template: 'booking_confirmed_student', ...student, data: toStudent } },
        { to: 'tutor', message: { template: 'booking_confirmed_tutor', ...tutor, data: toTutor } },
      ];
    case 'declined':
      return [{ to: 'student', message: { template: 'booking_declined_student', ...student, data: toStudent } }];
    case 'expired':
      return [{ to: 'student', message: { template: 'booking_expired_student', ...student, data: toStudent } }];
    case 'cancelled':
      return [
        {
          to: 'student',
          message: { template: 'booking_cancelled_student', ...student, data: { ...toStudent, refund, cancelledBy } },
        },
        { to: 'tutor', message: { template: 'booking_cancelled_tutor', ...tutor, data: { ...toTutor, cancelledBy } } },
      ];
    case 'rescheduled':
      return [
        {
          to: 'student',
          message: { template: 'booking_rescheduled_student', ...student, data: { ...toStudent, previousStart } },
        },
        {
          to: 'tutor',
          message: { template: 'booking_rescheduled_tutor', ...tutor, data: { ...toTutor, previousStart } },
        },
      ];
    case 'reminder':
      return [
        {
          to: 'student',
          message: { template: 'booking_reminder_student', ...student, data: { ...toStudent, hoursBefore } },
        },
        { to: 'tutor', message: { template: 'booking_reminder_tutor', ...tutor, data: { ...toTutor, hoursBefore } } },
      ];
    case 'completed':
      return [{ to: 'student', message: { template: 'booking_completed_student', ...student, data: toStudent } }];
  }
}
