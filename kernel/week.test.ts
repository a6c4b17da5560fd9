import { HOUR } from './time';
import { addBusinessDays, isoWeekOf, nextMonday, weekOfRun } from './week';

const at = (text: string) => Date.parse(text);

test.each([
  ['2026-11-29T23:59:59.999Z', '2026-W48'],
  ['2026-11-30T00:00:00.000Z', '2026-W49'],
  // The first of January belongs to the year before where it comes after a Thursday.
  ['2027-01-01T12:00:00Z', '2026-W53'],
  ['2027-01-04T00:00:00Z', '2027-W01'],
  ['2024-12-30T06:00:00Z', '2025-W01'],
  ['2026-01-01T00:00:00Z', '2026-W01'],
])('%s is in %s', (instant, week) => {
  expect(isoWeekOf(at(instant))).toBe(week);
});

test.each([
  ['2026-11-29T12:00:00Z', '2026-11-30T06:00:00.000Z'],
  ['2026-11-30T05:59:59Z', '2026-11-30T06:00:00.000Z'],
  ['2026-11-30T06:00:00Z', '2026-12-07T06:00:00.000Z'],
  ['2026-12-30T08:00:00Z', '2027-01-04T06:00:00.000Z'],
])('after %s the next Monday at six is %s', (instant, next) => {
  expect(nextMonday(at(instant), 6).toISOString()).toBe(next);
});

test.each([
  ['2026-11-27T10:00:00Z', 1, '2026-11-30T10:00:00.000Z'],
  ['2026-11-28T10:00:00Z', 1, '2026-11-30T10:00:00.000Z'],
  ['2026-11-25T10:00:00Z', 5, '2026-12-02T10:00:00.000Z'],
])('%s and %i business days is %s', (instant, days, later) => {
  expect(new Date(addBusinessDays(at(instant), days)).toISOString()).toBe(later);
});

test('five business days are a week, less the weekend that begins them', () => {
  for (let hour = 0; hour < 24 * 14; hour += 1) {
    const from = at('2026-11-23T00:30:00Z') + hour * HOUR;
    const days = (addBusinessDays(from, 5) - from) / (24 * HOUR);
    expect([5, 6, 7]).toContain(days);
  }
});

test('the week is that for which the Schedule meant the run, however late it begins', () => {
  const startTime = new Date('2026-12-09T10:00:00Z');
  const meant = new Date('2026-11-30T06:00:00Z');
  expect(weekOfRun({ searchAttributes: { TemporalScheduledStartTime: [meant] }, startTime })).toBe('2026-W49');
  expect(weekOfRun({ searchAttributes: {}, startTime })).toBe('2026-W50');
});
