import type { Money } from '../kernel/money';
import type { InternalBooking } from '../services/booking/contract';
import type { SendNotification } from '../services/notification/contract';

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

/** What a notice says beyond the booking itself. */
export interface NoticeFacts {
  respondBy?: string;
  refund?: Money;
  hoursBefore?: number;
  previousStart?: string;
}

/** Whom a notice concerns, and what each of them is told. */
export function messagesFor(
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
