import { DAY, MINUTE } from '../../../kernel/time';
import { at, daily, iso, span, startsOn, wallClock } from '../../../tests/support/hours';
import type { Availability } from '../contract';
import { freeStarts } from './hours';

const QUARTER = 15 * MINUTE;

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

test('a day is 24 hours unless daylight saving says otherwise', () => {
  const open = daily('Europe/Berlin', ['00:00', '24:00']);
  expect(startsOn('2027-05-05', open, 30)).toHaveLength(96);
  expect(startsOn('2027-03-28', open, 30)).toHaveLength(92);
  expect(startsOn('2027-10-31', open, 30)).toHaveLength(96);
});
