import { ProblemError } from '../../../kernel/errors';
import { DAY, MINUTE } from '../../../kernel/time';
import type { Span } from '../../../kernel/zone';
import type { Availability, DatedHours, PricingOption, TutorSort } from '../contract';
import {
  assertOffered,
  availabilityErrors,
  certificationErrors,
  clockOf,
  freeStarts,
  lowestHourly,
  minutesOf,
  pricingErrors,
  profileErrors,
  readSlotCursor,
  readTutorCursor,
  searchKey,
  searchWords,
  sessionPrice,
  slotCursor,
  slotWindow,
  spelledSubject,
  tutorCursor,
  withIds,
} from '.';

const QUARTER = 15 * MINUTE;
const iso = (instant: number) => new Date(instant).toISOString();
const at = (text: string) => Date.parse(text);
const span = (start: string, end: string): Span => ({ start: at(start), end: at(end) });

/** Hours of `timeZone` that are the same every day. */
function daily(timeZone: string, ...hours: [from: string, to: string][]): Availability {
  const weekly = [1, 2, 3, 4, 5, 6, 7].flatMap((weekday) => hours.map(([from, to]) => ({ weekday, from, to })));
  return { timeZone, weekly, exceptions: [] };
}

/** The codes and paths of a refusal. */
function refusal(work: () => unknown): { code: string; paths: string[] } | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof ProblemError)
      return { code: error.code, paths: (error.more.errors ?? []).map(({ path }) => path) };
    throw error;
  }
  return undefined;
}

/** Date and wall time of an instant as Intl reads them, `2027-03-28 01:45`. */
function wallClock(timeZone: string): (instant: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return (instant) => format.format(instant);
}

/** What `freeStarts` gives for one date of a zone, as wall times. */
function startsOn(date: string, hours: Availability, minutes: number, taken: Span[] = []): string[] {
  const reads = wallClock(hours.timeZone);
  const window = { start: at(date) - DAY, end: at(date) + 2 * DAY };
  return freeStarts(hours, taken, window, minutes)
    .map(reads)
    .filter((text) => text.startsWith(date))
    .map((text) => text.slice(11));
}

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

describe('daylight saving', () => {
  test('a slot in the missing hour does not exist, and a session through it ends within the hours', () => {
    const hours = daily('Europe/Berlin', ['01:00', '04:00']);
    expect(startsOn('2027-03-28', hours, 60)).toEqual(['01:00', '01:15', '01:30', '01:45', '03:00']);
    expect(startsOn('2027-03-28', hours, 120)).toEqual(['01:00']);
  });

  test('a slot in the doubled hour exists once, at the earlier instant', () => {
    const hours = daily('Europe/Berlin', ['01:00', '04:00']);
    const window = span('2027-10-30T22:00Z', '2027-10-31T22:00Z');
    expect(freeStarts(hours, [], window, 60).map(iso)).toEqual([
      '2027-10-30T23:00:00.000Z',
      '2027-10-30T23:15:00.000Z',
      '2027-10-30T23:30:00.000Z',
      '2027-10-30T23:45:00.000Z',
      '2027-10-31T00:00:00.000Z',
      '2027-10-31T00:15:00.000Z',
      '2027-10-31T00:30:00.000Z',
      '2027-10-31T00:45:00.000Z',
      '2027-10-31T02:00:00.000Z',
    ]);
  });

  test('hours that end within the doubled hour end at its first coming', () => {
    const window = span('2027-10-30T22:00Z', '2027-10-31T22:00Z');
    const starts = freeStarts(daily('Europe/Berlin', ['02:00', '02:30']), [], window, 30);
    expect(starts.map(iso)).toEqual(['2027-10-31T00:00:00.000Z']);
  });

  test('hours that are skipped as a whole are empty', () => {
    expect(startsOn('2027-03-28', daily('Europe/Berlin', ['02:00', '03:00']), 30)).toEqual([]);
  });

  const days: [zone: string, date: string][] = [
    ['Europe/Berlin', '2027-03-28'],
    ['Europe/Berlin', '2027-10-31'],
    ['America/New_York', '2027-03-14'],
    ['America/New_York', '2027-11-07'],
    ['Australia/Lord_Howe', '2027-10-03'],
    ['Australia/Lord_Howe', '2027-04-04'],
    ['Asia/Kathmandu', '2027-06-01'],
    ['Africa/Cairo', '2027-04-30'],
    ['Africa/Cairo', '2027-10-28'],
    ['Asia/Beirut', '2027-03-28'],
    ['Asia/Beirut', '2027-10-30'],
    ['America/Sao_Paulo', '2018-11-04'],
    ['America/Sao_Paulo', '2018-02-17'],
    ['America/Havana', '2027-11-07'],
    ['Pacific/Chatham', '2027-09-26'],
  ];
  const intervals: [from: string, to: string][] = [
    ['00:00', '24:00'],
    ['00:00', '02:00'],
    ['00:30', '03:15'],
    ['01:30', '02:30'],
    ['02:00', '03:00'],
    ['09:00', '17:00'],
    ['22:15', '24:00'],
  ];
  const cases = days.flatMap(([zone, date]) => intervals.map(([from, to]) => [zone, date, from, to] as const));

  test.each(cases)('%s on %s, %s–%s: every wall time that exists is offered once', (zone, date, from, to) => {
    const reads = wallClock(zone);
    const hours: Availability = { timeZone: zone, weekly: [], exceptions: [{ date, from, to }] };
    const window = { start: at(date) - DAY, end: at(date) + 2 * DAY };
    const instants = Array.from({ length: (3 * DAY) / QUARTER }, (_, index) => window.start + index * QUARTER);
    // The instant at which the clock first shows or passes a wall time; the next day's midnight is 24:00.
    const reach = (clock: string) => {
      const text = clock === '24:00' ? `${iso(at(date) + DAY).slice(0, 10)} 00:00` : `${date} ${clock}`;
      return instants.find((instant) => reads(instant) >= text) ?? Number.NaN;
    };
    for (const minutes of [30, 60, 135]) {
      const wanted = new Map<string, number>();
      for (const instant of instants) {
        const wall = reads(instant);
        const inside = wall.startsWith(date) && wall.slice(11) >= from && wall.slice(11) < to;
        if (inside && !wanted.has(wall) && instant + minutes * MINUTE <= reach(to)) wanted.set(wall, instant);
      }
      const found = freeStarts(hours, [], window, minutes);
      expect(found.map((start) => `${reads(start)} ${iso(start)}`)).toEqual(
        [...wanted].map(([wall, instant]) => `${wall} ${iso(instant)}`),
      );
    }
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

const eur = (amount: number) => ({ amount, currency: 'EUR' });
const hourly = (amount: number, id = 'a') => ({ id, kind: 'hourly' as const, price: eur(amount) });

describe('prices', () => {
  test.each([
    [4500, 60, 4500],
    [4500, 30, 2250],
    [4501, 30, 2251], // 2250.5
    [4501, 90, 6752], // 6751.5
    [3333, 45, 2500], // 2499.75
    [3331, 45, 2498], // 2498.25
    [100, 60, 100],
    [24_999_999, 240, 99_999_996],
  ])('%i an hour for %i minutes are %i', (price, minutes, amount) => {
    expect(sessionPrice([hourly(price)], minutes)).toEqual(eur(amount));
  });

  test('a session that costs less than 100 minor units or more than can be charged is refused', () => {
    expect(refusal(() => sessionPrice([hourly(198)], 30))?.paths).toEqual(['durationMinutes']);
    expect(sessionPrice([hourly(199)], 30)).toEqual(eur(100));
    expect(refusal(() => sessionPrice([hourly(25_000_000)], 240))?.paths).toEqual(['durationMinutes']);
  });

  test('the first hourly option counts unless another is chosen', () => {
    const bundle: PricingOption = { id: 'p', kind: 'package', price: eur(9000), sessions: 3 };
    const options = [bundle, hourly(4000, 'first'), hourly(5000, 'second')];
    expect(sessionPrice(options, 60).amount).toBe(4000);
    expect(sessionPrice(options, 60, 'second').amount).toBe(5000);
    for (const wrong of ['p', 'unknown'])
      expect(refusal(() => sessionPrice(options, 60, wrong))?.paths).toEqual(['pricingOptionId']);
    expect(refusal(() => sessionPrice([bundle], 60))?.paths).toEqual(['pricingOptionId']);
  });

  test('a tutor is found by the lowest hourly price, packages aside', () => {
    expect(lowestHourly([hourly(5000), hourly(4000)])).toBe(4000);
    expect(lowestHourly([{ kind: 'package', price: eur(100), sessions: 2 }])).toBeNull();
    expect(lowestHourly([])).toBeNull();
  });

  test('an option that stays keeps its id, wherever it stands', () => {
    const before: PricingOption[] = [hourly(4000, 'old'), { id: 'p', kind: 'package', price: eur(9000), sessions: 3 }];
    const wanted = [
      { kind: 'package' as const, price: eur(9000), sessions: 3 },
      { kind: 'package' as const, price: eur(9000), sessions: 4 },
      { kind: 'hourly' as const, price: eur(4000), label: 'Exams' },
      { kind: 'hourly' as const, price: eur(4000) },
    ];
    expect(withIds(wanted, before, () => 'new').map(({ id }) => id)).toEqual(['p', 'new', 'new', 'old']);
  });

  test('all options are in one currency and differ', () => {
    const usd = { kind: 'hourly' as const, price: { amount: 4000, currency: 'USD' } };
    const paths = (...options: Parameters<typeof pricingErrors>[0]['options']) =>
      pricingErrors({ options }).map(({ path }) => path);
    expect(paths(hourly(4000), usd)).toEqual(['options.1.price.currency']);
    expect(paths(hourly(4000), hourly(4000, 'b'))).toEqual(['options.1']);
    expect(paths(hourly(4000), hourly(4001))).toEqual([]);
    expect(paths()).toEqual([]);
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

describe('profiles', () => {
  test('a subject or language that is listed twice is refused, whatever its case or width', () => {
    const errors = profileErrors({ subjects: ['Maths', 'Physics', 'MATHS'], languages: ['de', 'ｄｅ'] });
    expect(errors.map(({ path }) => path)).toEqual(['subjects.2', 'languages.1']);
    expect(profileErrors({})).toEqual([]);
  });

  test('an education or a certification does not end before it begins', () => {
    const school = { institution: 'School', degree: 'Leaving certificate' };
    const education = [
      { ...school, startYear: 2010, endYear: 2009 },
      { ...school, endYear: 2009 },
      { ...school, startYear: 2009, endYear: 2009 },
    ];
    expect(profileErrors({ education }).map(({ path }) => path)).toEqual(['education.0.endYear']);
    const issued = { name: 'C2', issuer: 'Institute', issuedOn: '2020-05-05' };
    expect(certificationErrors({ ...issued, expiresOn: '2020-05-04' }).map(({ path }) => path)).toEqual(['expiresOn']);
    expect(certificationErrors({ ...issued, expiresOn: '2020-05-05' })).toEqual([]);
    expect(certificationErrors(issued)).toEqual([]);
  });

  test("the tutor's own spelling of a subject wins", () => {
    expect(spelledSubject(['Algebra', 'Über-Physik'], 'über-PHYSIK')).toBe('Über-Physik');
    expect(refusal(() => spelledSubject(['Algebra'], 'Physics'))).toEqual({
      code: 'validation_failed',
      paths: ['subject'],
    });
  });
});

describe('search', () => {
  test('words lose case and accents, keep + and #, and come once', () => {
    expect(searchWords('Ça va? C++, c# & Физика; ça… ÉCOLE 2')).toEqual([
      'ca',
      'va',
      'c++',
      'c#',
      'физика',
      'ecole',
      '2',
    ]);
    expect(searchWords("?! '; --")).toEqual([]);
  });

  test('a word longer than Postgres can index is cut, not refused, and never within a character', () => {
    const [word = ''] = searchWords('𐐷'.repeat(3_000));
    expect([...word]).toHaveLength(60);
    expect(word.isWellFormed()).toBe(true);
  });

  test('names compare in any case, width and spacing', () => {
    expect(searchKey('Lineare \u3000 ALGEBRA')).toBe('lineare algebra');
  });
});

describe('cursors', () => {
  const id = '0198c0de-0000-7000-8000-000000000001';

  test('lead back to the place they were made at', () => {
    expect(readSlotCursor(slotCursor(at('2027-05-05T10:00Z')))).toBe(at('2027-05-05T10:00Z'));
    const places: [TutorSort, number[]][] = [
      ['rating', [450, 12]],
      ['price_asc', [4500]],
      ['price_desc', [0]],
      ['newest', []],
    ];
    for (const [sort, values] of places)
      expect(readTutorCursor(sort, tutorCursor(sort, { values, id }))).toEqual({ values, id });
  });

  const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  test.each([
    ['of another sort', tutorCursor('price_asc', { values: [4500], id })],
    ['with too few values', made(['rating', id, 450])],
    ['with too many values', made(['rating', id, 450, 1, 1])],
    ['with a fraction', made(['rating', id, 450.5, 1])],
    ['with a negative value', made(['rating', id, -1, 1])],
    ['with a value beyond integers', made(['rating', id, 450, 1e300])],
    ['with a text for a value', made(['rating', id, '450', 1])],
    ['with no id', made(['rating', 'x', 450, 1])],
    ['with a number for an id', made(['rating', 5, 450, 1])],
    ['that is no list', made({ sort: 'rating' })],
    ['that is not JSON', 'abc'],
    ['that is not base64', '%%%'],
  ])('one %s is refused', (_, cursor) => {
    expect(refusal(() => readTutorCursor('rating', cursor))).toEqual({
      code: 'validation_failed',
      paths: ['query.cursor'],
    });
    expect(refusal(() => readSlotCursor(cursor))).toEqual({ code: 'validation_failed', paths: ['query.cursor'] });
  });
});

test('a day is 24 hours unless daylight saving says otherwise', () => {
  const open = daily('Europe/Berlin', ['00:00', '24:00']);
  expect(startsOn('2027-05-05', open, 30)).toHaveLength(96);
  expect(startsOn('2027-03-28', open, 30)).toHaveLength(92);
  expect(startsOn('2027-10-31', open, 30)).toHaveLength(96);
});
