import { z } from 'zod';
import { PARTIES } from '../../kernel/session';
import { CANCEL_REASONS, COMPLETION_REASONS, PAYMENT_STATUSES } from '../../kernel/statuses';
import { Amount, At, event, Id, ParticipantIds } from '../../platform/event-schema';

// What booking tells others. What is taught, notes and the link of the session are asked of booking itself.

const ofBooking = {
  bookingId: Id,
  actor: z.enum([...PARTIES, 'system']).describe('Who did it. An operator is not among the participants'),
  participantIds: ParticipantIds.describe('Student and tutor'),
};
const parties = { studentId: Id, tutorId: Id };
const session = { ...parties, startsAt: At, endsAt: At };
const ofPayment = { ...parties, paymentId: Id };

export const bookingEvents = {
  BookingRequested: event('A student has asked for a session.', { ...ofBooking, ...session, price: Amount }),
  BookingAwaitingTutor: event('The tutor is asked to confirm.', { ...ofBooking, respondBy: At }),
  BookingConfirmed: event('The session takes place.', { ...ofBooking, ...session }),
  BookingRescheduled: event('The session is at another time.', { ...ofBooking, ...session, previousStart: At }),
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
  PaymentProcessed: event('The payment of a booking is in another state.', {
    ...ofBooking,
    ...ofPayment,
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
};
