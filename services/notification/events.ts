import { z } from 'zod';
import { Code, event, Id, ParticipantIds } from '../../platform/event-schema';

// What notification tells others.

const ofNotice = {
  notificationId: Id,
  recipientId: Id,
  participantIds: ParticipantIds.describe('The recipient'),
  template: Code.describe('What the notice says, such as `booking_confirmed_student`'),
  channel: z.literal('email'),
  bookingId: Id.nullable().describe('The booking it is about; null: none'),
  paymentId: Id.nullable().describe('The payment it is about; null: none'),
};

export const notificationEvents = {
  NotificationSent: event('The mail server has taken a mail.', ofNotice),
  NotificationFailed: event('A mail was not sent, and is not tried again.', ofNotice),
};
