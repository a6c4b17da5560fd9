import { uuidv7 } from '../platform/ids';
import { bookingEvents } from '../services/booking/events';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createDisputeActivities, type DisputeActivities, type DisputeSummary } from './dispute';

let services: StandIns;
let act: DisputeActivities;
beforeAll(async () => {
  services = await startStandIns();
  act = createDisputeActivities(services.clients);
});
afterAll(() => services.close());
beforeEach(() => services.forget());

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const [disputeId, paymentId, bookingId, payeeId, studentId] = [uuidv7(), uuidv7(), uuidv7(), uuidv7(), uuidv7()];
const key = `dispute:${disputeId}/step`;

const [submitBy, respondBy] = ['2030-03-09T12:00:00.000Z', '2030-03-10T12:00:00.000Z'];
const is: Omit<DisputeSummary, 'claim'> = {
  ...{ version: 3, status: 'needs_response', amount: EUR(4_500), respondBy, submitBy },
  ...{ stated: false, submitted: false, decided: false },
};
const state = { disputeId, paymentId, bookingId, payeeId, withdrawn: EUR(4_500), ...is };
const summary: DisputeSummary = { ...is, claim: '45.00 EUR' };

const booking = {
  ...{ id: bookingId, status: 'completed', statusReason: null, waitingUntil: null, tutorId: payeeId, studentId },
  ...{
    tutorName: 'Tina\nTutor',
    studentName: 'Ada King',
    subject: 'Mathematics',
    scheduledAt: '2030-03-04T09:00:00.000Z',
  },
  ...{ durationMinutes: 60, price: EUR(4_500), payment: null, meetingUrl: null, cancelledBy: null, cancelReason: null },
  ...{
    workflowId: `booking:${bookingId}`,
    createdAt: '2030-03-01T09:00:00.000Z',
    updatedAt: '2030-03-04T10:00:00.000Z',
  },
  ...{ studentEmail: '', studentTimeZone: 'UTC', studentLocale: 'en' },
  ...{ tutorEmail: '', tutorTimeZone: 'UTC', tutorLocale: 'en' },
};
test('every question returns ids, states, times and money alone', async () => {
  for (const operation of ['lookAtDispute', 'closeDispute', 'submitEvidence']) services.answers[operation] = state;
  expect(await act.lookAtDispute({ disputeId })).toEqual(summary);
  expect(await act.submitEvidence({ disputeId, key })).toBeUndefined();
  expect(await act.closeDispute({ disputeId, version: 3, key })).toEqual(summary);
  const path = (what: string) => `/internal/disputes/${disputeId}/${what}`;
  expect(services.calls).toEqual([
    { operation: 'lookAtDispute', path: path('look'), key: undefined, body: undefined },
    { operation: 'submitEvidence', path: path('submit'), key, body: undefined },
    { operation: 'closeDispute', path: path('close'), key, body: { version: 3 } },
  ]);
});

test('a page of disputes is asked for from where the one before ended', async () => {
  const page = { seen: 100, found: 1, failed: 0, next: 'du_2' };
  services.answers.findDisputes = page;
  expect(await act.findDisputes({ after: 'du_1' })).toEqual(page);
  expect(services.calls).toMatchObject([{ operation: 'findDisputes', body: { after: 'du_1' } }]);
});

describe('what is gathered', () => {
  /** As a timeline has it: with no field that booking does not tell. */
  function event(at: string, type: string, actor: string, data: object = {}) {
    const schema = Object.entries(bookingEvents).find(([name]) => name === type)?.[1];
    if (schema) expect(Object.keys(schema.shape)).toEqual(expect.arrayContaining(Object.keys(data)));
    return { at, type, actor, data };
  }
  const notice = (template: string, recipientId: string, sentAt: string | null) => ({
    ...{ template, recipientId, status: sentAt === null ? 'expired' : 'sent' },
    ...{ recordedAt: '2030-03-01T09:30:00.000Z', sentAt },
  });

  /** What payment is handed of a session that is so. */
  async function gathered(change: object = {}, items: object[] = [], notices: object[] = []) {
    services.answers.internalGetBooking = { ...booking, ...change };
    services.answers.internalBookingTimeline = { items, terms: 'All of it, until a day before.' };
    services.answers.noticesOfBooking = { items: notices };
    services.answers.getPaymentState = {
      ...{ paymentId, bookingId, version: 7, status: 'captured', amount: EUR(4_500), captured: EUR(4_500) },
      ...{ refunded: EUR(0), clientSecret: null, captureBefore: null, declineCode: null, payerId: studentId, payeeId },
    };
    services.answers.gatherEvidence = state;
    const returned = await act.gatherEvidence({ disputeId, paymentId, bookingId, key });
    // Nothing of it reaches a history.
    expect(returned).toBeUndefined();
    const call = services.calls.find(({ operation }) => operation === 'gatherEvidence');
    expect(call?.key).toBe(key);
    return call?.body;
  }

  test('says what was booked, of whom, for how much and when', async () => {
    expect(await gathered()).toEqual({
      product_description:
        'A tutoring session of 60 minutes in Mathematics, given by Tina Tutor and booked by Ada King on TutorConnect. ' +
        'Its price was 45.00 EUR, of which 45.00 EUR was taken from the card.',
      service_date: '4 March 2030 at 09:00 UTC, for 60 minutes',
      cancellation_policy_disclosure: 'When it was booked, these terms held. All of it, until a day before.',
    });
  });

  test.each(['cancelled', 'refunded'])('names no date of a session that is %s', async (status) => {
    expect(await gathered({ status })).not.toHaveProperty('service_date');
  });

  test('says what happened and which mails went out, in the order of time', async () => {
    const body = await gathered(
      {},
      [
        event('2030-03-01T09:00:00.000Z', 'BookingRequested', 'student'),
        event('2030-03-01T09:00:01.000Z', 'BookingAwaitingTutor', 'system'),
        event('2030-03-01T09:00:02.000Z', 'PaymentProcessed', 'system', { status: 'authorized' }),
        event('2030-03-01T09:20:00.000Z', 'PaymentProcessed', 'system', { status: 'captured' }),
        event('2030-03-01T09:20:00.000Z', 'BookingConfirmed', 'tutor'),
        event('2030-03-01T10:00:00.000Z', 'BookingRescheduled', 'tutor', { startsAt: '2030-03-04T09:00:00.000Z' }),
        event('2030-03-01T10:00:00.000Z', 'BookingRescheduled', 'tutor'),
        event('2030-03-01T11:00:00.000Z', 'BookingMeetingUrlChanged', 'tutor'),
        event('2030-03-04T10:30:00.000Z', 'BookingCompleted', 'tutor'),
        event('2030-03-05T10:30:00.000Z', 'RefundIssued', 'system'),
        event('2030-03-06T10:30:00.000Z', 'RefundReversed', 'system'),
        event('2030-03-06T10:31:00.000Z', 'toString', 'system'),
      ],
      [
        notice('booking_confirmed_student', studentId, '2030-03-01T09:21:00.000Z'),
        notice('booking_reminder_tutor', payeeId, null),
        notice('payment_receipt', studentId, '2030-03-01T09:22:00.000Z'),
        notice('dispute_opened', payeeId, '2030-03-01T09:22:00.000Z'),
        notice('booking_confirmed_tutor', uuidv7(), '2030-03-01T09:22:00.000Z'),
      ],
    );
    expect(body).toMatchObject({
      access_activity_log: [
        '1 March 2030 at 09:00 UTC: the student asked for the session.',
        '1 March 2030 at 09:00 UTC: the tutor was asked to confirm it.',
        '1 March 2030 at 09:20 UTC: the payment was taken.',
        '1 March 2030 at 09:20 UTC: the tutor confirmed it.',
        '1 March 2030 at 09:21 UTC: an e-mail "booking confirmed" to the student was handed to the mail server.',
        '1 March 2030 at 09:22 UTC: an e-mail "payment receipt" to the student was handed to the mail server.',
        '1 March 2030 at 09:30 UTC: an e-mail "booking reminder" to the tutor was not sent.',
        '1 March 2030 at 10:00 UTC: the tutor moved it to 4 March 2030 at 09:00 UTC.',
        '1 March 2030 at 11:00 UTC: the tutor set the link of its online meeting.',
        '4 March 2030 at 10:30 UTC: the tutor reported that it took place.',
        '5 March 2030 at 10:30 UTC: a refund was made.',
        '6 March 2030 at 10:30 UTC: a refund came back from its bank.',
      ].join('\n'),
    });
  });

  test('says who cancelled it and which share the terms gave back, and what nobody decided', async () => {
    const log = async (...items: object[]) => {
      services.forget();
      return gathered({}, items);
    };
    const at = '2030-03-01T09:00:00.000Z';
    const when = '1 March 2030 at 09:00 UTC: ';
    expect(await log(event(at, 'BookingCancelled', 'student', { refundPercent: 50 }))).toMatchObject({
      access_activity_log: `${when}the student cancelled it, with 50 % to be given back.`,
    });
    expect(await log(event(at, 'BookingCancelled', 'operator'))).toMatchObject({
      access_activity_log: `${when}TutorConnect cancelled it.`,
    });
    expect(await log(event(at, 'BookingConfirmed', 'system'))).toMatchObject({
      access_activity_log: `${when}it was confirmed.`,
    });
    expect(await log(event(at, 'BookingCompleted', 'system'))).toMatchObject({
      access_activity_log: `${when}it was completed, as nobody had cancelled it by two days after its end.`,
    });
  });

  test('fits into what a bank reads, however often a session was moved: the latest counts', async () => {
    const moved = Array.from({ length: 500 }, (_, index) =>
      event(new Date(Date.UTC(2030, 2, 1) + index * 60_000).toISOString(), 'BookingRescheduled', 'student', {
        startsAt: '2030-09-24T09:00:00.000Z',
      }),
    );
    const body = await gathered({}, moved);
    const log = String(body && typeof body === 'object' && 'access_activity_log' in body && body.access_activity_log);
    expect(log.length).toBeLessThan(20_000);
    expect(log).toContain('1 March 2030 at 08:19 UTC');
    expect(log).not.toContain('1 March 2030 at 00:00 UTC');
  });
});

describe('the payee is told', () => {
  async function told(
    news: Parameters<DisputeActivities['notifyDispute']>[0]['news'],
    change: Partial<DisputeSummary> = {},
    of: string | null = bookingId,
  ) {
    services.answers.internalGetBooking = booking;
    services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
    const about = { disputeId, paymentId, bookingId: of, payeeId };
    await act.notifyDispute({ ...about, news, state: { ...summary, ...change }, key });
    return services.calls
      .filter(({ operation }) => operation === 'recordNotification')
      .map(({ key: under, body }) => ({ under, body }));
  }
  const says = (template: string, data: object, usefulUntil: string | null = null) => [
    {
      under: key,
      body: expect.objectContaining({
        template,
        recipientId: payeeId,
        usefulUntil,
        data: expect.objectContaining(data),
      }),
    },
  ];

  test('of a chargeback, what it is about and until when they can say something', async () => {
    const session = { subject: 'Mathematics', startsAt: booking.scheduledAt };
    expect(await told('opened')).toEqual(
      says('dispute_opened', { disputeId, amount: EUR(4_500), inquiry: false, sayBy: submitBy, session }),
    );
  });

  test.each(['warning_needs_response', 'warning_under_review'] as const)('of an inquiry (%s)', async (status) => {
    expect(await told('opened', { status, submitBy: null })).toEqual(
      says('dispute_opened', { inquiry: true, sayBy: null }),
    );
  });

  test('of a direct payment, without a session', async () => {
    expect(await told('opened', {}, null)).toEqual(says('dispute_opened', { bookingId: null, session: null }));
    expect(services.calls.map(({ operation }) => operation)).not.toContain('internalGetBooking');
  });

  test('that time runs out, in a mail that is of use until then', async () => {
    expect(await told('reminder')).toEqual(says('dispute_reminder', { sayBy: submitBy }, submitBy));
  });

  test.each([
    ['won', 'won'],
    ['lost', 'lost'],
    ['warning_closed', 'closed'],
    ['prevented', 'closed'],
  ] as const)('that it is %s: %s', async (status, outcome) => {
    expect(await told('decided', { status, submitBy: null })).toEqual(says('dispute_decided', { outcome }));
  });
});
