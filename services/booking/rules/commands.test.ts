import type { Party } from '../../../kernel/session';
import { BookingStatus, type InternalBooking } from '../contract';
import { type Command, commandRefusal, isFulfilled, partyOf } from './commands';

const START = '2030-05-01T10:00:00.000Z';
const before = (minutes: number, start = START) => new Date(Date.parse(start) - minutes * 60_000);
const eur = (amount: number) => ({ amount, currency: 'EUR' });

describe('who may ask what', () => {
  const people = { studentId: 'student-1', tutorId: 'tutor-1' };
  test('a person is a party, an operator, or a stranger', () => {
    expect(partyOf(people, { id: 'student-1', role: 'student' })).toBe('student');
    expect(partyOf(people, { id: 'tutor-1', role: 'tutor' })).toBe('tutor');
    expect(partyOf(people, { id: 'tutor-1', role: 'admin' })).toBe('tutor');
    expect(partyOf(people, { id: 'someone', role: 'admin' })).toBe('operator');
    expect(partyOf(people, { id: 'someone', role: 'tutor' })).toBeUndefined();
  });

  const live = (
    status: InternalBooking['status'],
    statusReason: InternalBooking['statusReason'] = null,
    scheduledAt = START,
  ) => ({
    status,
    statusReason,
    scheduledAt,
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
    ['to a start two hours away', move(later), 'tutor', live('confirmed', null, later), before(120, later), undefined],
    ['not to a nearer one', move(later), 'tutor', live('confirmed', null, later), before(119, later), 'invalid_state'],
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
