import { ProblemError } from '../kernel/errors';
import { undoKeyOf } from '../kernel/step-key';
import { HOUR } from '../kernel/time';
import { uuidv7 } from '../platform/ids';
import { type Called, type StandIns, startStandIns } from '../tests/support/stand-ins';
import { bookingWorkflowId } from '../workflows/booking.api';
import { type BookingActivities, createBookingActivities } from './booking';
import type { Notice, NoticeFacts } from './booking-notices';

let services: StandIns;
let act: BookingActivities;
beforeAll(async () => {
  services = await startStandIns();
  act = createBookingActivities(services.clients);
});
afterAll(() => services.close());
beforeEach(() => services.forget());

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const bookingId = uuidv7();
const studentId = uuidv7();
const tutorId = uuidv7();
const startsAt = new Date(Math.ceil(Date.now() / HOUR) * HOUR + 48 * HOUR).toISOString();
const endsAt = new Date(Date.parse(startsAt) + HOUR).toISOString();
const later = new Date(Date.parse(startsAt) + 24 * HOUR).toISOString();
const key = `${bookingWorkflowId(bookingId)}/step`;

const person = (id: string, firstName: string) => ({
  ...{ id, firstName, lastName: 'King', timeZone: 'Europe/Vienna', locale: 'de' },
});
const request = {
  ...{ bookingId, studentId, tutorId, subject: 'maths', scheduledAt: startsAt, durationMinutes: 60 },
  pricingOptionId: null as string | null,
};
const quote = {
  ...{ tutorId, displayName: 'Prof. Hopper', timeZone: 'UTC', instantBooking: true, subject: 'Maths' },
  ...{ price: EUR(4500), startsAt, endsAt },
};
const stored = {
  ...{ id: bookingId, status: 'confirmed', statusReason: null, waitingUntil: null, tutorId, studentId },
  ...{ tutorName: 'Grace Hopper', studentName: 'Ada King', subject: 'Maths', scheduledAt: startsAt },
  ...{ durationMinutes: 60, price: EUR(4500), payment: null, meetingUrl: 'https://meet.example/1' },
  ...{ cancelledBy: null as string | null, cancelReason: null, workflowId: bookingWorkflowId(bookingId) },
  ...{ createdAt: startsAt, updatedAt: startsAt },
  ...{ studentEmail: '', studentTimeZone: 'Europe/Vienna', studentLocale: 'de' },
  ...{ tutorEmail: '', tutorTimeZone: 'UTC', tutorLocale: 'en' },
};

const one = (operation: string): Called | undefined => services.calls.find((call) => call.operation === operation);

describe('making the booking', () => {
  beforeEach(() => {
    services.answers.internalBeginBookingRequest = request;
    services.answers.internalGetPeople = { first: person(studentId, 'Ada'), second: person(tutorId, 'Grace') };
    services.answers.quoteSession = quote;
    services.answers.internalCreateBooking = {
      ...{ bookingId, price: EUR(4500), startsAt, endsAt, instantBooking: true },
    };
  });

  test('brings names and the price from service to service, and returns none but the price and times', async () => {
    expect(await act.createBooking({ bookingId, key })).toEqual({
      price: EUR(4500),
      startsAt,
      endsAt,
      instantBooking: true,
    });
    expect(one('internalCreateBooking')).toMatchObject({
      key,
      path: `/internal/bookings/${bookingId}/create`,
      body: {
        student: { name: 'Ada King', timeZone: 'Europe/Vienna', locale: 'de' },
        tutor: { name: 'Prof. Hopper', timeZone: 'UTC', locale: 'de' },
        ...{ subject: 'Maths', price: EUR(4500), instantBooking: true },
      },
    });
    expect(one('internalGetPeople')?.path).toBe(`/internal/people?first=${studentId}&second=${tutorId}`);
    expect(one('quoteSession')?.body).toEqual({ subject: 'maths', scheduledAt: startsAt, durationMinutes: 60 });
  });

  test('asks for the price that was chosen', async () => {
    const pricingOptionId = uuidv7();
    services.answers.internalBeginBookingRequest = { ...request, pricingOptionId };
    await act.createBooking({ bookingId, key });
    expect(one('quoteSession')?.body).toMatchObject({ pricingOptionId });
  });

  test('that is refused stores the refusal for the client that waits, field errors included, and fails with it', async () => {
    const errors = [{ path: 'subject', message: 'is not taught' }];
    services.answers.quoteSession = new ProblemError('validation_failed', 'Not a subject of theirs', { errors });
    await expect(act.createBooking({ bookingId, key })).rejects.toMatchObject({ code: 'validation_failed' });
    expect(one('internalRefuseBooking')).toMatchObject({
      key: `${key}/refuse`,
      body: { code: 'validation_failed', detail: 'Not a subject of theirs', errors },
    });
    expect(one('internalCreateBooking')).toBeUndefined();
  });

  test.each(['upstream_unavailable', 'undone'] as const)('that fails with %s stores nothing', async (code) => {
    services.answers.internalCreateBooking = new ProblemError(code);
    await expect(act.createBooking({ bookingId, key })).rejects.toMatchObject({ code });
    expect(one('internalRefuseBooking')).toBeUndefined();
  });
});

describe('undoing it', () => {
  const undoKey = undoKeyOf(key);
  const cancel = { bookingId, reason: 'declined', noteId: null, cancelledBy: 'tutor', key: undoKey } as const;

  test('cancels the booking with its reason', async () => {
    await act.cancelBooking({ ...cancel, unavailable: false });
    expect(services.calls).toEqual([
      {
        operation: 'internalCancelBooking',
        path: `/internal/bookings/${bookingId}/cancel`,
        key: undoKey,
        body: { reason: 'declined', noteId: null, cancelledBy: 'tutor' },
      },
    ]);
  });

  test('tells the waiting client first when a part of the platform did not answer', async () => {
    await act.cancelBooking({ ...cancel, unavailable: true });
    expect(services.calls.map(({ operation }) => operation)).toEqual([
      'internalRefuseBooking',
      'internalCancelBooking',
    ]);
    expect(one('internalRefuseBooking')).toMatchObject({
      key: `${undoKey}/refuse`,
      body: { code: 'upstream_unavailable' },
    });
  });
});

test('each other step is one call, under the step’s key', async () => {
  const slot = { bookingId, tutorId, start: startsAt, end: endsAt, expiresAt: later };
  for (const operation of ['holdSlot', 'extendSlot', 'blockSlot', 'moveSlot', 'reserveSlot'])
    services.answers[operation] = { ...slot, state: 'held' };
  services.answers.internalRescheduleBooking = { previousStart: startsAt, startsAt: later, endsAt: later };
  const terms = { percent: 50, refund: EUR(2250), retained: EUR(2250) };
  services.answers.internalCancelConfirmedBooking = terms;
  const move = { scheduledAt: later, by: 'tutor', requestedAt: startsAt } as const;
  const returned = [
    await act.holdSlot({ bookingId, tutorId, start: startsAt, durationMinutes: 60, expiresAt: later, key: `${key}1` }),
    await act.extendHold({ bookingId, expiresAt: later, key: `${key}2` }),
    await act.blockSlot({ bookingId, key: `${key}3` }),
    await act.moveSlot({ bookingId, start: later, key: `${key}4` }),
    await act.releaseSlot({ bookingId, key: `${key}5/undo` }),
    await act.awaitTutor({ bookingId, respondBy: later, key: `${key}6` }),
    await act.confirmBooking({ bookingId, key: `${key}7` }),
    await act.rescheduleBooking({ bookingId, scheduledAt: later, by: 'tutor', key: `${key}8` }),
    await act.completeBooking({ bookingId, by: 'time', key: `${key}9` }),
    await act.reserveSlot({ bookingId, start: later, key: `${key}10` }),
    await act.unreserveSlot({ bookingId, key: `${key}10/undo` }),
    await act.keepSlot({ bookingId, start: later, key: `${key}11` }),
    await act.admitMove({ bookingId, ...move }),
  ];
  expect(returned).toEqual(Array(13).fill(undefined));
  const cancel = { bookingId, by: 'student', noteId: null, requestedAt: startsAt, key } as const;
  expect(await act.cancelConfirmed(cancel)).toEqual(terms);
  expect(services.calls.map(({ operation, key, body }) => [operation, key, body])).toEqual([
    ['holdSlot', `${key}1`, { tutorId, start: startsAt, durationMinutes: 60, expiresAt: later }],
    ['extendSlot', `${key}2`, { expiresAt: later }],
    ['blockSlot', `${key}3`, undefined],
    ['moveSlot', `${key}4`, { start: later }],
    ['releaseSlot', `${key}5/undo`, undefined],
    ['internalAwaitTutor', `${key}6`, { respondBy: later }],
    ['internalConfirmBooking', `${key}7`, undefined],
    ['internalRescheduleBooking', `${key}8`, { scheduledAt: later, by: 'tutor' }],
    ['internalCompleteBooking', `${key}9`, { by: 'time' }],
    ['reserveSlot', `${key}10`, { start: later }],
    ['unreserveSlot', `${key}10/undo`, undefined],
    ['keepSlot', `${key}11`, { start: later }],
    ['internalAdmitMove', undefined, move],
    ['internalCancelConfirmedBooking', key, { by: 'student', noteId: null, requestedAt: startsAt }],
  ]);
});

describe('a notice', () => {
  const notices: [Notice, NoticeFacts, Record<string, object>][] = [
    ['requested', { respondBy: later }, { student: { respondBy: later }, tutor: { respondBy: later } }],
    ['requested', {}, { student: { respondBy: startsAt }, tutor: { respondBy: startsAt } }],
    ['confirmed', {}, { student: {}, tutor: {} }],
    ['declined', {}, { student: {} }],
    ['expired', {}, { student: {} }],
    ['cancelled', { refund: EUR(2250) }, { student: { refund: EUR(2250), cancelledBy: 'operator' }, tutor: {} }],
    ['cancelled', {}, { student: { refund: null, cancelledBy: 'operator' }, tutor: { cancelledBy: 'operator' } }],
    ['cancelled', { refundPercent: 50 }, { student: { terms: { percent: 50, before: 'nothing' } }, tutor: {} }],
    ['rescheduled', { previousStart: later }, { student: { previousStart: later }, tutor: { previousStart: later } }],
    ['reminder', { hoursBefore: 24 }, { student: { hoursBefore: 24 }, tutor: { hoursBefore: 24 } }],
    ['completed', {}, { student: {} }],
  ];

  const usefulUntil = (notice: Notice, about: NoticeFacts) =>
    notice === 'requested' ? (about.respondBy ?? startsAt) : notice === 'reminder' ? startsAt : null;

  test.each(notices)(
    '%s %j goes to whom it concerns, each with the name of the other, while it is of use',
    async (notice, about, expected) => {
      services.answers.internalGetBooking = stored;
      services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
      await act.notifyBooking({ bookingId, notice, key, ...about });
      const sent = services.calls.filter(({ operation }) => operation === 'recordNotification');
      for (const { body } of sent)
        expect(Object.keys(Object(body)).toSorted()).toEqual(['data', 'recipientId', 'template', 'usefulUntil']);
      expect(sent.map((call) => call.key).toSorted()).toEqual(Object.keys(expected).map((to) => `${key}/${to}`));
      for (const [to, data] of Object.entries(expected)) {
        const student = to === 'student';
        expect(sent.find((call) => call.key === `${key}/${to}`)?.body).toMatchObject({
          template: `booking_${notice}_${to}`,
          recipientId: student ? studentId : tutorId,
          usefulUntil: usefulUntil(notice, about),
          data: { bookingId, otherName: student ? 'Grace Hopper' : 'Ada King', startsAt, ...data },
        });
      }
    },
  );

  test.each([
    ['cancelled', 'platform_unavailable', ['booking_failed_student', 'booking_failed_tutor']],
    ['cancelled', 'payment_declined', ['booking_failed_student', 'booking_failed_tutor']],
    ['cancelled', 'slot_unavailable', ['booking_failed_student', 'booking_failed_tutor']],
    // The tutor was not asked yet.
    ['expired', 'platform_unavailable', ['booking_failed_student']],
    ['expired', 'payment_expired', ['booking_failed_student']],
  ] as const)(
    'that a booking has %s although nobody decided it (%s) says why, to whom it concerns',
    async (notice, statusReason, templates) => {
      services.answers.internalGetBooking = { ...stored, status: 'cancelled', statusReason };
      services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
      await act.notifyBooking({ bookingId, notice, key });
      const sent = services.calls.filter(({ operation }) => operation === 'recordNotification');
      expect(sent).toHaveLength(templates.length);
      for (const template of templates)
        expect(sent).toContainEqual(
          expect.objectContaining({
            key: `${key}/${template.endsWith('student') ? 'student' : 'tutor'}`,
            body: expect.objectContaining({ template, data: expect.objectContaining({ because: statusReason }) }),
          }),
        );
    },
  );

  test.each([
    ['expired', 'tutor_expired', 'booking_expired_student'],
    ['cancelled', 'cancelled_by_operator', 'booking_cancelled_student'],
  ] as const)('that a booking has %s by what somebody did or left undone (%s) says that', async (notice, ...given) => {
    const [statusReason, template] = given;
    services.answers.internalGetBooking = { ...stored, status: 'cancelled', statusReason };
    services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
    await act.notifyBooking({ bookingId, notice, key });
    expect(services.calls.map(({ body }) => body)).toContainEqual(expect.objectContaining({ template }));
  });

  test('of a cancel says who cancelled', async () => {
    services.answers.internalGetBooking = { ...stored, cancelledBy: 'tutor' };
    services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
    await act.notifyBooking({ bookingId, notice: 'cancelled', key });
    const sent = services.calls.filter(({ operation }) => operation === 'recordNotification');
    expect(sent).toHaveLength(2);
    for (const { body } of sent) expect(body).toMatchObject({ data: { cancelledBy: 'tutor' } });
  });
});
