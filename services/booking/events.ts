import { z } from 'zod';
import { PARTIES } from '../../kernel/session';
import {
  BOOKING_STATUSES,
  CANCEL_REASONS,
  COMPLETION_REASONS,
  PAYMENT_STATUSES,
  STATUS_REASONS,
  WAIT_REASONS,
} from '../../kernel/statuses';
import { Amount, At, event, type Happened, Id, ParticipantIds } from '../../platform/event-schema';

// What booking tells others. What is taught, notes and the link of the session are asked of booking itself.

const ofBooking = {
  bookingId: Id,
  actor: z.enum([...PARTIES, 'system']).describe('Who did it. An operator is not among the participants'),
  participantIds: ParticipantIds.describe('Student and tutor'),
};
const parties = { studentId: Id, tutorId: Id };
const session = { ...parties, startsAt: At, endsAt: At };
const ofPayment = { ...parties, paymentId: Id };
/** Events of before do not say what was added since. */
const sinceFolds = {
  ofRequest: { durationMinutes: z.int().optional(), instantBooking: z.boolean().optional() },
  ofMove: {
    movedByTutorAt: At.nullable()
      .optional()
      .describe('When the tutor moved it there; null: the student did, or it went back'),
  },
  ofWait: {
    waiting: z
      .strictObject({ reason: z.enum(WAIT_REASONS).nullable(), until: At.nullable() })
      .optional()
      .describe('What the booking waits for from now on, where that is another; a reason of null: nothing'),
  },
};

export const bookingEvents = {
  BookingRequested: event('A student has asked for a session.', {
    ...ofBooking,
    ...session,
    ...sinceFolds.ofRequest,
    price: Amount,
  }),
  BookingAwaitingTutor: event('The tutor is asked to confirm.', { ...ofBooking, respondBy: At }),
  BookingConfirmed: event('The session takes place.', { ...ofBooking, ...session }),
  BookingRescheduled: event('The session is at another time.', {
    ...ofBooking,
    ...session,
    ...sinceFolds.ofMove,
    previousStart: At,
  }),
  BookingMeetingUrlChanged: event('The tutor has set or cleared the link of the session.', ofBooking),
  BookingCancelled: event('The session does not take place.', {
    ...ofBooking,
    ...session,
    reason: z.enum(CANCEL_REASONS),
    refundPercent: z.int().min(0).max(100).optional().describe('How much of what was paid comes back, by the terms'),
  }),
  BookingCompleted: event('The session has taken place.', {
    ...ofBooking,
    ...session,
    statusReason: z.enum(COMPLETION_REASONS),
  }),
  BookingRefunded: event('All that was taken for a session that does not take place has come back.', ofBooking),
  BookingRefundReversed: event(
    'Not all that was taken for a session that does not take place is back any more.',
    ofBooking,
  ),
  PaymentProcessed: event('The payment of a booking is in another state, or is waited for until another time.', {
    ...ofBooking,
    ...ofPayment,
    ...sinceFolds.ofWait,
    status: z.enum(PAYMENT_STATUSES),
    amount: Amount,
    captured: Amount,
    refunded: Amount,
  }),
  RefundIssued: event('Money of a booking was given back.', { ...ofBooking, ...ofPayment, refund: Amount }),
  RefundReversed: event('What was given back has come back from the bank.', {
    ...ofBooking,
    ...ofPayment,
    refund: Amount,
  }),
  BookingBaseline: event('What a booking is like at this moment, whatever its earlier events say.', {
    ...ofBooking,
    ...session,
    status: z.enum(BOOKING_STATUSES),
    statusReason: z.enum(STATUS_REASONS).nullable(),
    waitingUntil: At.nullable(),
    durationMinutes: z.int(),
    instantBooking: z.boolean(),
    cancelledBy: z.enum(PARTIES).nullable(),
    movedByTutorAt: At.nullable(),
    refundPercent: z.int().min(0).max(100).nullable(),
    refundDue: z.int().nullable().describe('Of a cancel of before, in minor units: what it gave back'),
    retained: z.int().nullable().describe('Of a cancel of before, in minor units: what it did not give back'),
    createdAt: At,
  }),
};

/** An event of a booking that has happened. */
export type BookingEvent = Happened<typeof bookingEvents>;
