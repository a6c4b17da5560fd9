import type { Party } from '../../../kernel/session';
import type { InternalBooking } from '../contract';
import { visibleTo } from './visible';

const START = '2030-05-01T10:00:00.000Z';
const eur = (amount: number) => ({ amount, currency: 'EUR' });

describe('what each side sees', () => {
  const booking: InternalBooking = {
    id: 'b',
    status: 'pending',
    statusReason: 'awaiting_payment',
    waitingUntil: null,
    tutorId: 't',
    studentId: 's',
    tutorName: 'Ada',
    studentName: 'Sam',
    subject: 'Maths',
    scheduledAt: START,
    durationMinutes: 60,
    price: eur(4500),
    payment: {
      id: 'p',
      status: 'requires_action',
      amount: eur(4500),
      captured: eur(0),
      refunded: eur(0),
      clientSecret: 'pi_secret',
      declineCode: 'do_not_honor',
    },
    meetingUrl: null,
    cancelledBy: null,
    cancelReason: null,
    workflowId: 'booking:b',
    createdAt: START,
    updatedAt: START,
    studentTimeZone: 'UTC',
    studentLocale: 'en',
    tutorTimeZone: 'UTC',
    tutorLocale: 'en',
  };

  test.each<[Party, boolean]>([
    ['student', true],
    ['tutor', false],
    ['operator', false],
  ])('%s: no addresses; the payment secret: %s', (side, secret) => {
    const seen = visibleTo(side, booking);
    expect(JSON.stringify(seen)).not.toContain('example.org');
    expect(seen.payment?.clientSecret).toBe(secret ? 'pi_secret' : undefined);
    expect(seen.payment?.declineCode).toBe(secret ? 'do_not_honor' : undefined);
    expect(seen.payment?.status).toBe('requires_action');
  });

  test('before there is a payment there is none', () => {
    expect(visibleTo('tutor', { ...booking, payment: null }).payment).toBeNull();
  });
});
