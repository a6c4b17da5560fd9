import type { Money } from '../kernel/money';
import { FAILURE_REASONS } from '../kernel/statuses';
import type { InternalBooking } from '../services/booking/contract';
import type { RecordNotification } from '../services/notification/contract';

/**
 * What people are told about a booking; each goes to the student, the tutor or both. `expired` is for the student alone. Where the row
 * says that nobody decided it, that and `cancelled` say why instead.
 */
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
  /** What a cancel of before gives back. */
  refund?: Money;
  /** How much of what was paid a cancel gives back. */
  refundPercent?: number;
  hoursBefore?: number;
  previousStart?: string;
}

/** Whom a notice concerns, what each of them is told, and until when it is of use: a reminder until the start, a request until its answer. */
export function messagesFor(
  notice: Notice,
  b: InternalBooking,
  facts: NoticeFacts,
): { to: 'student' | 'tutor'; message: RecordNotification }[] {
  const common = {
    bookingId: b.id,
    subject: b.subject,
    startsAt: b.scheduledAt,
    durationMinutes: b.durationMinutes,
    price: b.price,
    meetingUrl: b.meetingUrl,
  };
  const student = { recipientId: b.studentId, usefulUntil: null };
  const tutor = { recipientId: b.tutorId, usefulUntil: null };
  const toStudent = { ...common, otherName: b.tutorName };
  const toTutor = { ...common, otherName: b.studentName };
  const { respondBy = b.scheduledAt, previousStart = b.scheduledAt, hoursBefore = 1, refund = null } = facts;
  const cancelledBy = b.cancelledBy ?? 'operator';
  const because = FAILURE_REASONS.find((reason) => reason === b.statusReason);
  switch (notice) {
    case 'requested':
      return [
        {
          to: 'student',
          message: {
            template: 'booking_requested_student',
            ...student,
            usefulUntil: respondBy,
            data: { ...toStudent, respondBy },
          },
        },
        {
          to: 'tutor',
          message: {
            template: 'booking_requested_tutor',
            ...tutor,
            usefulUntil: respondBy,
            data: { ...toTutor, respondBy },
          },
        },
      ];
    case 'confirmed':
      return [
        { to: 'student', message: { template: 'booking_confirmed_student', ...student, data: toStudent } },
        { to: 'tutor', message: { template: 'booking_confirmed_tutor', ...tutor, data: toTutor } },
      ];
    case 'declined':
      return [{ to: 'student', message: { template: 'booking_declined_student', ...student, data: toStudent } }];
    case 'expired':
      return [
        {
          to: 'student',
          message: because
            ? { template: 'booking_failed_student', ...student, data: { ...toStudent, because } }
            : { template: 'booking_expired_student', ...student, data: toStudent },
        },
      ];
    case 'cancelled':
      if (because)
        return [
          {
            to: 'student',
            message: { template: 'booking_failed_student', ...student, data: { ...toStudent, because } },
          },
          { to: 'tutor', message: { template: 'booking_failed_tutor', ...tutor, data: { ...toTutor, because } } },
        ];
      return [
        {
          to: 'student',
          message: {
            template: 'booking_cancelled_student',
            ...student,
            data: { ...toStudent, refund, ...termsOf(b, facts), cancelledBy },
          },
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
          message: {
            template: 'booking_reminder_student',
            ...student,
            usefulUntil: b.scheduledAt,
            data: { ...toStudent, hoursBefore },
          },
        },
        {
          to: 'tutor',
          message: {
            template: 'booking_reminder_tutor',
            ...tutor,
            usefulUntil: b.scheduledAt,
            data: { ...toTutor, hoursBefore },
          },
        },
      ];
    case 'completed':
      return [{ to: 'student', message: { template: 'booking_completed_student', ...student, data: toStudent } }];
  }
}

/** What a cancel gives back, as far as booking knows what came back before. */
function termsOf({ payment }: InternalBooking, { refundPercent: percent }: NoticeFacts) {
  if (percent === undefined) return {};
  const [captured, refunded] = [payment?.captured.amount ?? 0, payment?.refunded.amount ?? 0];
  const before = refunded === 0 ? 'nothing' : refunded < captured ? 'some' : 'everything';
  return { terms: { percent, before } } as const;
}
