import { DAY, HOUR, MINUTE } from './time';
import { addDays, weekdayOf, zoneClock } from './zone';

const QUARTER = 15 * MINUTE;
const around = (date: string) => ({ start: Date.parse(date) - DAY, end: Date.parse(date) + 2 * DAY });
const iso = (instant: number) => new Date(instant).toISOString();

/** What Intl, which shares no code with the clock under test, reads at `instant`: the wall time as if it were UTC. */
function wallClock(zone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  return (instant) => Date.parse(`${format.format(instant).replace(' ', 'T')}Z`);
}

describe('the clock agrees with Intl at every quarter hour around a change', () => {
  const changes: [zone: string, date: string, what: string][] = [
    ['Europe/Berlin', '2027-03-28', 'an hour is skipped at 02:00'],
    ['Europe/Berlin', '2027-10-31', 'the hour from 02:00 comes twice'],
    ['America/New_York', '2027-03-14', 'an hour is skipped at 02:00'],
    ['America/New_York', '2027-11-07', 'the hour from 01:00 comes twice'],
    ['Australia/Lord_Howe', '2027-10-03', 'half an hour is skipped at 02:00'],
    ['Australia/Lord_Howe', '2027-04-04', 'the half hour from 01:30 comes twice'],
    ['Asia/Kathmandu', '2027-03-28', 'nothing, 5:45 ahead'],
    ['UTC', '2027-03-28', 'nothing'],
    ['Africa/Cairo', '2027-04-30', 'the day begins at 01:00'],
    ['Africa/Cairo', '2027-10-28', 'the hour before midnight comes twice'],
    ['Asia/Beirut', '2027-03-28', 'the day begins at 01:00'],
    ['Asia/Beirut', '2027-10-30', 'the hour before midnight comes twice'],
    ['America/Sao_Paulo', '2018-11-04', 'the day begins at 01:00'],
    ['America/Sao_Paulo', '2018-02-17', 'the hour before midnight comes twice'],
    ['America/Havana', '2027-11-07', 'the hour after midnight comes twice'],
    ['Antarctica/Troll', '2027-03-28', 'two hours are skipped'],
    ['Pacific/Apia', '2011-12-30', 'the whole day is skipped'],
    ['Africa/Casablanca', '2027-02-07', 'the clock goes back for Ramadan'],
  ];

  test.each(changes)('%s on %s: %s', (zone, date) => {
    const reads = wallClock(zone);
    const window = around(date);
    const clock = zoneClock(zone, window);

    const instants: number[] = [];
    for (let at = window.start - 3 * DAY; at < window.end + 3 * DAY; at += QUARTER) instants.push(at);
    const readings = instants.map(reads);
    for (const day of clock.dates) {
      for (let minute = 0; minute <= 1_440; minute += 15) {
        const reading = Date.parse(day) + minute * MINUTE;
        const first = instants[readings.findIndex((read) => read >= reading)] ?? Number.NaN;
        expect(`${day} ${minute} ${iso(clock.reaches(day, minute))}`).toBe(`${day} ${minute} ${iso(first)}`);
      }
    }

    const seen = new Set<number>();
    const again = instants.filter((_, index) => seen.size === seen.add(readings[index] ?? Number.NaN).size);
    const inRepeated = instants.filter((at) => clock.repeated.some((span) => span.start <= at && at < span.end));
    expect(inRepeated.map(iso)).toEqual(again.map(iso));
  });
});

test('a time that daylight saving skips is reached at the moment of the jump', () => {
  const clock = zoneClock('Europe/Berlin', around('2027-03-28'));
  expect(iso(clock.reaches('2027-03-28', 2 * 60 + 30))).toBe('2027-03-28T01:00:00.000Z');
  expect(clock.repeated).toEqual([]);
});

test('of a time that comes twice the earlier one counts', () => {
  const clock = zoneClock('Europe/Berlin', around('2027-10-31'));
  expect(iso(clock.reaches('2027-10-31', 2 * 60 + 30))).toBe('2027-10-31T00:30:00.000Z');
  const putBack = Date.parse('2027-10-31T01:00Z');
  expect(clock.repeated).toEqual([{ start: putBack, end: putBack + HOUR }]);
});

test('the dates are those of the zone, one more on either side', () => {
  const evening = Date.parse('2027-05-05T23:00Z');
  expect(zoneClock('Asia/Tokyo', { start: evening, end: evening + HOUR }).dates).toEqual([
    '2027-05-05',
    '2027-05-06',
    '2027-05-07',
  ]);
});

test('a date outside the window is refused instead of read off the wrong offset', () => {
  const clock = zoneClock('Europe/Berlin', around('2027-05-05'));
  expect(() => clock.reaches('2027-06-05', 0)).toThrow(RangeError);
  expect(() => clock.reaches('2027-04-05', 0)).toThrow(RangeError);
  expect(() => zoneClock('Europe/Nowhere', around('2027-05-05'))).toThrow(RangeError);
});

test('weeks begin on Monday, and dates roll over months and years', () => {
  expect(['2027-03-01', '2027-03-06', '2027-03-07'].map(weekdayOf)).toEqual([1, 6, 7]);
  expect(addDays('2027-12-31', 1)).toBe('2028-01-01');
  expect(addDays('2028-03-01', -1)).toBe('2028-02-29');
});
