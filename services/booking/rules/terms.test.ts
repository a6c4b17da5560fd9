import { amountsOf, type Cancel, refundPercent } from './terms';

const START = '2030-05-01T10:00:00.000Z';
const minutesBefore = (minutes: number) => new Date(Date.parse(START) - minutes * 60_000).toISOString();
const eur = (amount: number) => ({ amount, currency: 'EUR' });
const HOUR = 60;
const DAY = 24 * HOUR;

/** A cancel so many minutes before the start, of a booking that was made a month before it and never moved. */
const cancel = (minutes: number, change: Partial<Cancel> = {}): Cancel => ({
  by: 'student',
  requestedAt: minutesBefore(minutes),
  startsAt: START,
  askedAt: minutesBefore(30 * DAY),
  movedByTutorAt: null,
  ...change,
});

test.each([
  ['student', DAY + 1, 100],
  ['student', DAY, 100],
  ['student', DAY - 1, 50],
  ['student', 4 * HOUR, 50],
  ['student', 4 * HOUR - 1, 0],
  ['student', 0, 0],
  ['student', -60, 0],
  ['tutor', 1, 100],
  ['tutor', -60, 100],
  ['operator', 1, 100],
] as const)('a cancel by the %s %d minutes before the start gives back %d %%', (by, minutes, percent) => {
  expect(refundPercent(cancel(minutes, { by }))).toBe(percent);
});

test('the milliseconds count: a request that arrived in time gets the higher share', () => {
  const at = (ms: number) => new Date(Date.parse(START) - 24 * 3_600_000 + ms).toISOString();
  expect(refundPercent(cancel(0, { requestedAt: at(0) }))).toBe(100);
  expect(refundPercent(cancel(0, { requestedAt: at(1) }))).toBe(50);
});

test.each([
  ['within a quarter of an hour', 5 * HOUR, 15, 100],
  ['a minute later', 5 * HOUR, 16, 50],
  ['within a quarter of an hour, the session an hour away', HOUR, 15, 100],
  ['within a quarter of an hour, the session nearer than that', HOUR - 1, 15, 0],
])('a student who thinks better of it %s', (_, minutes, sinceAsked, percent) => {
  expect(refundPercent(cancel(minutes, { askedAt: minutesBefore(minutes + sinceAsked) }))).toBe(percent);
});

test.each([
  ['at once', 2 * HOUR, 1, 100],
  ['at the last moment before the new start', 1, 119, 100],
  ['when it has started', 0, 120, 0],
  ['within a day, the session days away by then nearer than a day', 20 * HOUR, 23 * HOUR, 100],
  ['after a day', 20 * HOUR, DAY, 50],
])('a student turns down the time that the tutor moved the session to: %s', (_, minutes, sinceMoved, percent) => {
  expect(refundPercent(cancel(minutes, { movedByTutorAt: minutesBefore(minutes + sinceMoved) }))).toBe(percent);
});

test.each([
  [100, 4500, 0, 4500, 0],
  [50, 4501, 0, 2251, 2250],
  [50, 1, 0, 1, 0],
  [50, 4500, 1500, 1500, 1500],
  [0, 4500, 0, 0, 4500],
  [100, 0, 0, 0, 0],
])(
  '%d %% of %d, of which %d came back before: %d, and %d are kept',
  (percent, captured, refunded, refund, retained) => {
    const amounts = amountsOf(percent, { captured: eur(captured), refunded: eur(refunded) });
    expect(amounts).toEqual({ refund: eur(refund), retained: eur(retained) });
  },
);
