import { bookingSaga } from '../../../workflows/booking.api';
import { examplesOf } from '../saga-examples';

export const sagaExamples = examplesOf(
  bookingSaga,
  [
    'signal paymentChanged',
    ...['cancel', 'complete', 'confirm', 'decline', 'reschedule'].map((name) => `update ${name}`),
  ],
  [
    {
      bookingId: 'b1',
      studentId: 's1',
      tutorId: 't1',
      scheduledAt: '2030-01-01T10:00:00.000Z',
      durationMinutes: 60,
      paymentMethodId: 'pm_card_visa',
    },
    {
      workflowId: 'booking:b1',
      attributes: { SagaKind: 'booking', BookingId: 'b1', StudentId: 's1', TutorId: 't1' },
      summary: 'Booking b1: 60 min at 2030-01-01T10:00:00.000Z',
    },
  ],
);
