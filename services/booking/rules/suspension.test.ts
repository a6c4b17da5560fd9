import { HOUR } from '../../../kernel/time';
import { fateOf, type OpenBooking } from './suspension';

const now = new Date('2030-05-01T12:00:00.000Z');
const booking = (change: Partial<OpenBooking> = {}, hoursAhead = 72): OpenBooking => ({
  ...{ tutorId: 'tutor', status: 'confirmed', statusReason: null },
  startsAt: new Date(now.getTime() + hoursAhead * HOUR),
  ...change,
});
const pending = (statusReason: OpenBooking['statusReason']) => booking({ status: 'pending', statusReason });

test.each([
  ['a request that waits for them', pending('awaiting_tutor'), 'decline'],
  ['one that waits for its payment', pending('awaiting_payment'), 'cancel'],
  ['a session in 24 hours', booking({}, 24), 'cancel'],
  ['a session in a moment', booking({}, 0.01), 'cancel'],
  ['a session in more than 24 hours', booking({}, 24.01), 'ask'],
  ['a session that has begun', booking({}, 0), null],
  ['a session that is over', booking({}, -5), null],
  ['a cancelled one', booking({ status: 'cancelled' }), null],
  ['a completed one', booking({ status: 'completed' }), null],
] as const)('of a tutor who is kept out, %s', (_, one, fate) => {
  expect(fateOf(one, 'tutor', now)).toBe(fate);
});

test.each([
  ['a request', pending('awaiting_tutor'), 'ask'],
  ['a session in an hour', booking({}, 1), 'ask'],
  ['a session that has begun', booking({}, 0), null],
  ['a cancelled one', booking({ status: 'cancelled' }), null],
] as const)('of a student who is kept out, %s', (_, one, fate) => {
  expect(fateOf(one, 'student', now)).toBe(fate);
});
