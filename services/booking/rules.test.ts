import type { Party } from '../../kernel/session';
import { reachable } from '../../kernel/transitions';
import { BookingStatus, type InternalBooking } from './contract';
import {
  BOOKING_TRANSITIONS,
  bookingRefusal,
  type Command,
  commandRefusal,
  confirmationMode,
  isFulfilled,
  isLive,
  isTemporary,
  overlaps,
  type Progress,
  partyOf,
  refundFor,
  refusalAfter,
  requestOutcome,
  requirePrice,
  requireTransition,
  visibleTo,
} from './rules';

const START = '2030-05-01T10:00:00.000Z';
const before = (minutes: number, start = START) => new Date(Date.parse(start) - minutes * 60_000);
const eur = (amount: number) => ({ amount, currency: 'EUR' });

describe('the life of a booking', () => {
  test('every status can be reached from pending', () => {
    expect([...reachable(BOOKING_TRANSITIONS, 'pending')].sort()).toEqual([...BookingStatus.options].sort());
  });

  test.each([
    ['pending', 'confirmed', true],
    ['pending', 'cancelled', true],
    ['pending', 'completed', false],
    ['pending', 'refunded', false],
    ['confirmed', 'completed', true],
    ['confirmed', 'cancelled', true],
    ['confirmed', 'pending', false],
    ['completed', 'cancelled', false],
    ['cancelled', 'refunded', true],
    ['cancelled', 'confirmed', false],
    ['refunded', 'cancelled', true],
    ['refunded', 'confirmed', false],
  ] as const)('%s to %s: %s', (from, to, allowed) => {
    if (allowed) expect(() => requireTransition(from, to)).not.toThrow();
    else expect(() => requireTransition(from, to)).toThrow(expect.objectContaining({ code: 'invalid_state' }));
  });

  test('only pending and confirmed bookings take time', () => {
    expect(BookingStatus.options.filter(isLive)).toEqual(['pending', 'confirmed']);
  });

  test('an instant tutor is booked at once, any other says so first', () => {
    expect(confirmationMode(true)).toBe('at_once');
    expect(confirmationMode(false)).toBe('by_tutor');
  });

  test('a price is at least 100 minor units', () => {
    expect(() => requirePrice(eur(100))).not.toThrow();
    expect(() => requirePrice(eur(99))).toThrow(expect.objectContaining({ code: 'validation_failed' }));
  });
});

describe('sessions', () => {
  const session = (startsAt: string, endsAt: string) => ({
    startsAt: `2030-05-01T${startsAt}:00.000Z`,
    endsAt: `2030-05-01T${endsAt}:00.000Z`,
  });

  test.each([
    ['the same', '10:00', '11:00', true],
    ['within', '10:15', '10:45', true],
    ['around', '09:00', '12:00', true],
    ['over the start', '09:30', '10:15', true],
    ['over the end', '10:45', '11:30', true],
    ['right before', '09:00', '10:00', false],
    ['right after', '11:00', '12:00', false],
    ['another time', '15:00', '16:00', false],
  ])('overlap: %s', (_, startsAt, endsAt, expected) => {
    expect(overlaps(session('10:00', '11:00'), session(startsAt, endsAt))).toBe(expected);
    expect(overlaps(session(startsAt, endsAt), session('10:00', '11:00'))).toBe(expected);
  });

  test('an offset in a time changes nothing about what overlaps', () => {
    const other = { startsAt: '2030-05-01T12:30:00+02:00', endsAt: '2030-05-01T13:30:00+02:00' };
    expect(overlaps(session('10:00', '11:00'), other)).toBe(true);
  });

  const wanted = { scheduledAt: START, durationMinutes: 60 };
  test.each([
    ['a minute ahead', before(1), undefined],
    ['starting this moment', before(0), 'slot_unavailable'],
    ['in the past', before(-1), 'slot_unavailable'],
    ['exactly 365 days ahead', before(365 * 24 * 60), undefined],
    ['more than 365 days ahead', before(365 * 24 * 60 + 1), 'slot_unavailable'],
  ])('a session %s', (_, now, code) => {
    expect(bookingRefusal(wanted, [], now)?.code).toBe(code);
  });

  test('a student is booked once at a time', () => {
    expect(bookingRefusal(wanted, [session('10:30', '11:30')], before(60))?.code).toBe('conflict');
    expect(bookingRefusal(wanted, [session('11:00', '12:00')], before(60))).toBeUndefined();
  });
});

describe('what a cancel gives back', () => {
  test.each([
    ['student', 24 * 60 + 1, 4500, 4500],
    ['student', 24 * 60, 4500, 4500],
    ['student', 24 * 60 - 1, 4500, 2250],
    ['student', 4 * 60, 4500, 2250],
    ['student', 4 * 60 - 1, 4500, 0],
    ['student', 0, 4500, 0],
    ['student', -60, 4500, 0],
    ['student', 12 * 60, 4501, 2251],
    ['student', 12 * 60, 1, 1],
    ['student', 12 * 60, 0, 0],
    ['tutor', 1, 4500, 4500],
    ['tutor', -60, 4500, 4500],
    ['operator', 1, 4500, 4500],
  ] as const)('%s, %d minutes before: of %d back %d', (by, minutes, captured, refund) => {
    const requestedAt = before(minutes).toISOString();
    expect(refundFor({ by, captured: eur(captured), refunded: eur(0), startsAt: START, requestedAt })).toEqual({
      refund: eur(refund),
      retained: eur(captured - refund),
    });
  });

  test('what was given back before is not given back again', () => {
    const cancel = { captured: eur(4500), refunded: eur(1500), startsAt: START };
    const requestedAt = before(12 * 60).toISOString();
    expect(refundFor({ ...cancel, by: 'student', requestedAt })).toEqual({ refund: eur(1500), retained: eur(1500) });
    expect(refundFor({ ...cancel, by: 'tutor', requestedAt })).toEqual({ refund: eur(3000), retained: eur(0) });
  });

  test('the milliseconds count: a request that arrived in time gets the higher share', () => {
    const at = (ms: number) => new Date(Date.parse(START) - 24 * 3_600_000 + ms).toISOString();
    const share = (requestedAt: string) =>
      refundFor({ by: 'student', captured: eur(100), refunded: eur(0), startsAt: START, requestedAt }).refund.amount;
    expect(share(at(0))).toBe(100);
    expect(share(at(1))).toBe(50);
  });
});

describe('who may ask what', () => {
  const people = { studentId: 'student-1', tutorId: 'tutor-1' };
  test('a person is a party, an operator, or a stranger', () => {
    expect(partyOf(people, { id: 'student-1', role: 'student' })).toBe('student');
    expect(partyOf(people, { id: 'tutor-1', role: 'tutor' })).toBe('tutor');
    expect(partyOf(people, { id: 'tutor-1', role: 'admin' })).toBe('tutor');
    expect(partyOf(people, { id: 'someone', role: 'admin' })).toBe('operator');
    expect(partyOf(people, { id: 'someone', role: 'tutor' })).toBeUndefined();
  });

  const live = (status: InternalBooking['status'], statusReason: InternalBooking['statusReason'] = null) => ({
    status,
    statusReason,
    scheduledAt: START,
    durationMinutes: 60,
    price: eur(4500),
  });
  const unmade = { ...live('pending'), price: null };
  const asked = live('pending', 'awaiting_tutor');
  const move = (scheduledAt: string): Command => ({ kind: 'change', scheduledAt });
  const link: Command = { kind: 'change', meetingUrl: 'https://meet.example/1' };
  const later = '2030-05-02T10:00:00.000Z';

  test.each<[string, Command, Party, ReturnType<typeof live> | typeof unmade, Date, string | undefined]>([
    ['the tutor confirms when asked', { kind: 'confirm' }, 'tutor', asked, before(60), undefined],
    ['the tutor declines when asked', { kind: 'decline' }, 'tutor', asked, before(60), undefined],
    [
      'nobody confirms before the tutor is asked',
      { kind: 'confirm' },
      'tutor',
      live('pending'),
      before(60),
      'invalid_state',
    ],
    ['nobody confirms twice', { kind: 'confirm' }, 'tutor', live('confirmed'), before(60), 'invalid_state'],
    ['a student never confirms', { kind: 'confirm' }, 'student', asked, before(60), 'forbidden'],
    ['an operator never declines', { kind: 'decline' }, 'operator', asked, before(60), 'forbidden'],
    ['one that is not made yet can be cancelled', { kind: 'cancel' }, 'student', unmade, before(60), undefined],
    ['a pending booking can be cancelled', { kind: 'cancel' }, 'student', live('pending'), before(60), undefined],
    [
      'a confirmed one too, also after its start',
      { kind: 'cancel' },
      'tutor',
      live('confirmed'),
      before(-30),
      undefined,
    ],
    ['a cancelled one not again', { kind: 'cancel' }, 'student', live('cancelled'), before(60), 'invalid_state'],
    ['a refunded one not again', { kind: 'cancel' }, 'student', live('refunded'), before(60), 'invalid_state'],
    ['a completed one not any more', { kind: 'cancel' }, 'operator', live('completed'), before(-90), 'invalid_state'],
    ['a session completes at its end', { kind: 'complete' }, 'tutor', live('confirmed'), before(-60), undefined],
    ['and not a moment before', { kind: 'complete' }, 'tutor', live('confirmed'), before(-59), 'invalid_state'],
    ['and only when confirmed', { kind: 'complete' }, 'tutor', asked, before(-90), 'invalid_state'],
    ['and never by the student', { kind: 'complete' }, 'student', live('confirmed'), before(-90), 'forbidden'],
    ['a student moves it 24 hours ahead', move(later), 'student', live('confirmed'), before(24 * 60), undefined],
    ['but not later', move(later), 'student', live('confirmed'), before(24 * 60 - 1), 'invalid_state'],
    ['a tutor moves it until it starts', move(later), 'tutor', live('confirmed'), before(1), undefined],
    ['but not then', move(later), 'tutor', live('confirmed'), before(0), 'invalid_state'],
    ['nobody moves a pending booking', move(later), 'tutor', asked, before(60), 'invalid_state'],
    [
      'nobody moves it into the past',
      move('2030-04-30T10:00:00.000Z'),
      'tutor',
      live('confirmed'),
      before(60),
      'slot_unavailable',
    ],
    [
      'nor beyond the horizon',
      move('2032-05-01T10:00:00.000Z'),
      'tutor',
      live('confirmed'),
      before(60),
      'slot_unavailable',
    ],
    ['an operator moves nothing', move(later), 'operator', live('confirmed'), before(48 * 60), 'forbidden'],
    ['the tutor sets the link', link, 'tutor', live('confirmed'), before(60), undefined],
    ['also while pending', link, 'tutor', asked, before(60), undefined],
    ['but not before it is made', link, 'tutor', unmade, before(60), 'invalid_state'],
    ['and not when it is over', link, 'tutor', live('completed'), before(-90), 'invalid_state'],
    ['the student does not', link, 'student', live('confirmed'), before(60), 'forbidden'],
  ])('%s', (_, wish, side, booking, now, code) => {
    expect(commandRefusal(wish, side, booking, now)?.code).toBe(code);
  });

  test.each<[Command, InternalBooking['status'][]]>([
    [{ kind: 'confirm' }, ['confirmed', 'completed']],
    [{ kind: 'complete' }, ['completed']],
    [move(later), []],
    ...[move(START), link].map((wish): [Command, InternalBooking['status'][]] => [wish, [...BookingStatus.options]]),
  ])('%j is fulfilled when the booking is %j, whatever the reason', (wish, statuses) => {
    expect(BookingStatus.options.filter((status) => isFulfilled(wish, 'tutor', live(status)))).toEqual(
      BookingStatus.options.filter((status) => statuses.includes(status)),
    );
  });

  test.each<[Command, 'student' | 'tutor', InternalBooking['statusReason'], boolean]>([
    [{ kind: 'cancel' }, 'student', 'cancelled_by_student', true],
    [{ kind: 'cancel' }, 'student', 'declined', false],
    [{ kind: 'decline' }, 'tutor', 'declined', true],
  ])('%j of the %s is fulfilled by a booking that is %s: %s', (wish, party, reason, fulfilled) => {
    expect(isFulfilled(wish, party, live('refunded', reason))).toBe(fulfilled);
  });
});

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
    studentEmail: 's@example.org',
    studentTimeZone: 'UTC',
    studentLocale: 'en',
    tutorEmail: 't@example.org',
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

describe('how a request to book is answered', () => {
  const row = (
    status: InternalBooking['status'],
    statusReason: InternalBooking['statusReason'] = null,
    declineCode: string | null = null,
  ) => ({ status, statusReason, declineCode });
  const refusal = { code: 'slot_unavailable', detail: 'Taken' } as const;

  test.each<[string, Progress, string]>([
    ['nothing yet', { booking: null, refusal: null }, 'waiting'],
    ['just made', { booking: row('pending'), refusal: null }, 'waiting'],
    ['waiting for the bank', { booking: row('pending', 'awaiting_payment'), refusal: null }, 'action_needed'],
    ['waiting for the tutor', { booking: row('pending', 'awaiting_tutor'), refusal: null }, 'made'],
    ['confirmed', { booking: row('confirmed'), refusal: null }, 'made'],
    ['completed by now', { booking: row('completed', 'completed_by_tutor'), refusal: null }, 'made'],
    ['refused and still being undone', { booking: row('pending'), refusal }, 'waiting'],
  ])('%s: %s', (_, progress, kind) => {
    expect(requestOutcome('b', progress).kind).toBe(kind);
  });

  test.each<[string, Progress, { code: string; extras: unknown }]>([
    [
      'card declined',
      { booking: row('cancelled', 'payment_declined', 'insufficient_funds'), refusal: null },
      { code: 'payment_declined', extras: { bookingId: 'b', declineCode: 'insufficient_funds' } },
    ],
    [
      'declined without a code',
      { booking: row('cancelled', 'payment_declined'), refusal: null },
      { code: 'payment_declined', extras: { bookingId: 'b', declineCode: 'generic_decline' } },
    ],
    [
      '3-D Secure not completed',
      { booking: row('cancelled', 'payment_expired'), refusal: null },
      { code: 'payment_expired', extras: { bookingId: 'b' } },
    ],
    [
      'slot taken',
      { booking: row('cancelled', 'slot_unavailable'), refusal: null },
      { code: 'slot_unavailable', extras: { bookingId: 'b' } },
    ],
    [
      'cancelled meanwhile',
      { booking: row('cancelled', 'cancelled_by_operator'), refusal: null },
      { code: 'invalid_state', extras: { bookingId: 'b' } },
    ],
    [
      'refunded meanwhile',
      { booking: row('refunded', 'cancelled_by_tutor'), refusal: null },
      { code: 'invalid_state', extras: { bookingId: 'b' } },
    ],
    [
      'refused with a booking',
      { booking: row('cancelled', 'slot_unavailable'), refusal: { code: 'validation_failed', detail: 'No' } },
      { code: 'validation_failed', extras: { bookingId: 'b' } },
    ],
    ['refused without one', { booking: null, refusal }, { code: 'slot_unavailable', extras: { bookingId: 'b' } }],
    [
      'an unknown tutor',
      { booking: null, refusal: { code: 'not_found', detail: 'No such tutor' } },
      { code: 'not_found', extras: undefined },
    ],
  ])('%s', (_, progress, { code, extras }) => {
    const outcome = requestOutcome('b', progress);
    expect(outcome).toMatchObject({ kind: 'refused', problem: { code } });
    expect(outcome.kind === 'refused' && outcome.problem.more.extras).toEqual(extras);
  });

  test('when time is up, a refusal is told though its undoing goes on', () => {
    const outcome = requestOutcome('b', { booking: row('pending'), refusal }, true);
    expect(outcome).toMatchObject({ kind: 'refused', problem: { code: 'slot_unavailable', detail: 'Taken' } });
  });

  test('the fields that were wrong are named', () => {
    const errors = [{ path: 'subject', message: 'is not taught' }];
    const outcome = requestOutcome('b', {
      booking: null,
      refusal: { code: 'validation_failed', detail: 'No', errors },
    });
    expect(outcome).toMatchObject({ kind: 'refused', problem: { more: { errors } } });
  });

  test('what a request without a booking was undone for is what it is refused with', () => {
    expect(refusalAfter('payment_declined').code).toBe('payment_declined');
    expect(refusalAfter('payment_expired').code).toBe('payment_expired');
    expect(refusalAfter('slot_unavailable').code).toBe('slot_unavailable');
    expect(refusalAfter('cancelled_by_operator').code).toBe('invalid_state');
    expect(refusalAfter(null).code).toBe('invalid_state');
  });

  test('only faults of the platform are temporary', () => {
    expect(isTemporary({ code: 'upstream_unavailable' })).toBe(true);
    expect(isTemporary({ code: 'slot_unavailable' })).toBe(false);
  });
});
