import { DAY, MINUTE } from '../../../kernel/time';
import { at, daily, iso, span, startsOn } from '../../../tests/support/hours';
import { refusal } from '../../../tests/support/tutors';
import type { Availability, DatedHours } from '../contract';
import { assertOffered, availabilityErrors, clockOf, freeStarts, minutesOf, slotWindow } from './hours';

const QUARTER = 15 * MINUTE;

describe('slots of an ordinary day', () => {
  test('start every quarter hour and end within the hours', () => {
    expect(startsOn('2027-05-05', daily('Europe/Berlin', ['09:00', '10:30']), 60)).toEqual(['09:00', '09:15', '09:30']);
  });

  test('hours that begin off the quarter hour give slots on it', () => {
    expect(startsOn('2027-05-05', daily('Europe/Berlin', ['09:10', '10:20']), 30)).toEqual(['09:15', '09:30', '09:45']);
  });

  test('hours shorter than the session give none', () => {
    expect(startsOn('2027-05-05', daily('Europe/Berlin', ['09:00', '09:45']), 60)).toEqual([]);
  });

  test('a session may run from one interval into the next that touches it, also over midnight', () => {
    expect(startsOn('2027-05-05', daily('UTC', ['09:00', '10:00'], ['10:00', '11:00']), 90)).toEqual([
      '09:00',
      '09:15',
      '09:30',
    ]);
    expect(startsOn('2027-05-05', daily('UTC', ['00:00', '00:30'], ['23:30', '24:00']), 60)).toEqual(['23:30']);
  });

  test('only the weekday of the hours is open', () => {
    const mondays: Availability = {
      timeZone: 'Asia/Tokyo',
      weekly: [{ weekday: 1, from: '09:00', to: '09:30' }],
      exceptions: [],
    };
    const window = span('2027-05-01T00:00Z', '2027-05-15T00:00Z');
    expect(freeStarts(mondays, [], window, 30).map(iso)).toEqual([
      '2027-05-03T00:00:00.000Z',
      '2027-05-10T00:00:00.000Z',
    ]);
  });

  test('what is taken leaves what does not touch it', () => {
    const hours = daily('UTC', ['09:00', '12:00']);
    const taken = [span('2027-05-05T10:00Z', '2027-05-05T10:30Z')];
    expect(startsOn('2027-05-05', hours, 60, taken)).toEqual(['09:00', '10:30', '10:45', '11:00']);
  });

  test('the window holds the starts; a session may end after it', () => {
    const window = span('2027-05-05T10:01Z', '2027-05-05T10:31Z');
    expect(freeStarts(daily('UTC', ['09:00', '12:00']), [], window, 60).map(iso)).toEqual([
      '2027-05-05T10:15:00.000Z',
      '2027-05-05T10:30:00.000Z',
    ]);
  });

  test('at most as many as asked for are found', () => {
    const window = span('2027-05-05T00:00Z', '2027-05-25T00:00Z');
    expect(freeStarts(daily('UTC', ['09:00', '12:00']), [], window, 60, 3)).toHaveLength(3);
  });

  test('an empty or reversed window has none', () => {
    const hours = daily('UTC', ['00:00', '24:00']);
    expect(freeStarts(hours, [], { start: 2, end: 2 }, 60)).toEqual([]);
    expect(freeStarts(hours, [], { start: Number.MAX_SAFE_INTEGER, end: 0 }, 60)).toEqual([]);
  });
});

describe('dated exceptions', () => {
  const base = daily('Europe/Berlin', ['09:00', '10:00']);
  const withExceptions = (...exceptions: DatedHours[]): Availability => ({ ...base, exceptions });

  test('a day off has no slots, its neighbours keep theirs', () => {
    const hours = withExceptions({ date: '2027-05-05', available: false });
    expect(startsOn('2027-05-05', hours, 60)).toEqual([]);
    expect(startsOn('2027-05-06', hours, 60)).toEqual(['09:00']);
  });

  test('dated hours replace those of the day and add up among themselves', () => {
    const hours = withExceptions(
      { date: '2027-05-05', from: '14:00', to: '15:00' },
      { date: '2027-05-05', from: '20:00', to: '24:00' },
    );
    expect(startsOn('2027-05-05', hours, 60)).toEqual([
      '14:00',
      ...startsOn('2027-05-05', daily('Europe/Berlin', ['20:00', '24:00']), 60),
    ]);
  });

  test('a date is one of the zone of the tutor, not of UTC', () => {
    const hours: Availability = {
      ...daily('Pacific/Auckland', ['00:00', '24:00']),
      exceptions: [{ date: '2027-05-05', available: false }],
    };
    const starts = freeStarts(hours, [], span('2027-05-03T12:00Z', '2027-05-06T12:00Z'), 30);
    expect(starts.filter((start) => start >= at('2027-05-04T12:00Z') && start < at('2027-05-05T12:00Z'))).toEqual([]);
    expect(starts.at(-1)).toBe(at('2027-05-06T11:45Z'));
  });
});

test('whatever the hours and sessions, a slot is offered exactly where every quarter hour of it is open and free', () => {
  // A linear congruential generator: the same thousand cases in every run.
  let state = 20_270_301;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const day = at('2027-05-05');
  for (let round = 0; round < 1_000; round++) {
    const cells = new Set<number>();
    const exceptions: DatedHours[] = Array.from({ length: random(5) }, () => {
      const from = random(95);
      const to = from + 1 + random(96 - from);
      for (let cell = from; cell < to; cell++) cells.add(cell);
      return { date: '2027-05-05', from: clockOf(from * 15), to: clockOf(to * 15) };
    });
    const taken = Array.from({ length: random(5) }, () => {
      const from = random(96);
      const length = 1 + random(16);
      for (let cell = from; cell < from + length; cell++) cells.delete(cell);
      return { start: day + from * QUARTER, end: day + (from + length) * QUARTER };
    });
    const length = 2 + random(15);
    const wanted = Array.from({ length: 96 }, (_, cell) => cell).filter((cell) =>
      Array.from({ length }, (_, index) => cell + index).every((index) => cells.has(index)),
    );
    const hours: Availability = { timeZone: 'UTC', weekly: [], exceptions };
    const found = freeStarts(hours, taken, { start: day, end: day + DAY }, length * 15);
    expect(found.map((start) => (start - day) / QUARTER)).toEqual(wanted);
  }
});

describe('what a tutor offers', () => {
  const hours = daily('Europe/Berlin', ['09:00', '17:00']);
  const now = at('2027-05-05T07:00Z');

  test.each([
    ['this very moment', '2027-05-05T07:00Z', 60, undefined],
    ['a moment ago', '2027-05-05T06:45Z', 60, 'slot_unavailable'],
    ['until closing time', '2027-05-05T14:00Z', 60, undefined],
    ['past closing time', '2027-05-05T14:15Z', 60, 'slot_unavailable'],
    ['off the quarter hour', '2027-05-05T08:05Z', 60, 'slot_unavailable'],
    ['365 days ahead', '2028-05-04T07:00Z', 60, undefined],
    ['more than 365 days ahead', '2028-05-04T07:15Z', 60, 'slot_unavailable'],
    ['in the last year there is', '9999-12-31T09:00Z', 60, 'slot_unavailable'],
  ])('%s', (_, start, minutes, code) => {
    expect(refusal(() => assertOffered(hours, at(start), minutes, now))?.code).toBe(code);
  });

  test('is not the second coming of a doubled hour', () => {
    const night = daily('Europe/Berlin', ['00:00', '06:00']);
    const before = at('2027-10-30T00:00Z');
    expect(refusal(() => assertOffered(night, at('2027-10-31T00:30Z'), 60, before))).toBeUndefined();
    expect(refusal(() => assertOffered(night, at('2027-10-31T01:30Z'), 60, before))?.code).toBe('slot_unavailable');
  });
});

describe('the window of a question for slots', () => {
  const now = at('2027-05-05T07:03Z');

  test('is a week from now if not said otherwise', () => {
    expect(slotWindow({}, now)).toEqual({ start: now, end: now + 7 * DAY });
    expect(slotWindow({ from: '2027-06-01T00:00:00Z' }, now)).toEqual(span('2027-06-01T00:00Z', '2027-06-08T00:00Z'));
  });

  test('leaves out what is past, what is too far ahead and what an earlier page had', () => {
    const window = { from: '2027-05-01T00:00:00Z', to: '2027-05-20T00:00:00Z' };
    expect(slotWindow(window, now).start).toBe(now);
    expect(slotWindow(window, now, at('2027-05-10T10:00Z')).start).toBe(at('2027-05-10T10:00Z') + 1);
    const far = slotWindow({ from: '2028-05-01T00:00:00Z', to: '2028-05-20T00:00:00Z' }, now);
    expect(far.end).toBe(now + 365 * DAY + 1);
  });

  test('is a month at most, also the one that daylight saving makes longer', () => {
    const october = { from: '2027-10-01T00:00:00+02:00', to: '2027-11-01T00:00:00+01:00' };
    expect(refusal(() => slotWindow(october, now))).toBeUndefined();
    const more = { from: '2027-10-01T00:00:00Z', to: '2027-11-02T00:00:00Z' };
    expect(refusal(() => slotWindow(more, now))).toEqual({ code: 'validation_failed', paths: ['query.to'] });
  });

  test('must not be empty or reversed', () => {
    const from = '2027-10-01T00:00:00Z';
    expect(refusal(() => slotWindow({ from, to: from }, now))?.paths).toEqual(['query.to']);
    expect(refusal(() => slotWindow({ from, to: '2027-09-01T00:00:00Z' }, now))?.paths).toEqual(['query.to']);
  });
});

describe('hours that are refused', () => {
  const weekly = (...hours: [weekday: number, from: string, to: string][]): Availability => ({
    timeZone: 'UTC',
    weekly: hours.map(([weekday, from, to]) => ({ weekday, from, to })),
    exceptions: [],
  });
  const dated = (...exceptions: DatedHours[]): Availability => ({ timeZone: 'UTC', weekly: [], exceptions });

  test.each([
    ['reversed', weekly([1, '17:00', '09:00']), ['weekly.0.to']],
    ['empty', weekly([1, '09:00', '09:00']), ['weekly.0.to']],
    ['over midnight', weekly([1, '22:00', '02:00']), ['weekly.0.to']],
    ['overlapping', weekly([1, '09:00', '12:00'], [1, '11:45', '13:00']), ['weekly.1']],
    ['within others', weekly([1, '10:00', '11:00'], [1, '09:00', '12:00']), ['weekly.1']],
    ['listed twice', weekly([1, '09:00', '12:00'], [1, '09:00', '12:00']), ['weekly.1']],
    ['reversed on a date', dated({ date: '2027-05-05', from: '10:00', to: '09:00' }), ['exceptions.0.to']],
    [
      'overlapping on a date',
      dated({ date: '2027-05-05', from: '09:00', to: '11:00' }, { date: '2027-05-05', from: '10:00', to: '12:00' }),
      ['exceptions.1'],
    ],
    [
      'on a day off',
      dated({ date: '2027-05-05', available: false }, { date: '2027-05-05', from: '10:00', to: '12:00' }),
      ['exceptions.1'],
    ],
    [
      'a day off twice',
      dated({ date: '2027-05-05', available: false }, { date: '2027-05-05', available: false }),
      ['exceptions.1'],
    ],
  ])('%s', (_, hours, paths) => {
    expect(availabilityErrors(hours).map(({ path }) => path)).toEqual(paths);
  });

  test('touching hours, other days and the last minute of a day are fine', () => {
    expect(availabilityErrors(weekly([1, '09:00', '12:00'], [1, '12:00', '24:00'], [2, '09:00', '12:00']))).toEqual([]);
    const twice: DatedHours[] = [
      { date: '2027-05-05', from: '09:00', to: '11:00' },
      { date: '2027-05-05', from: '11:00', to: '12:00' },
      { date: '2027-05-06', available: false },
    ];
    expect(availabilityErrors(dated(...twice))).toEqual([]);
  });

  test('minutes and clock are each the inverse of the other', () => {
    for (const clock of ['00:00', '09:05', '23:59', '24:00']) expect(clockOf(minutesOf(clock))).toBe(clock);
  });
});
