import { Temporal } from 'temporal-polyfill';
import { remember } from './remember';
import { DAY, MINUTE } from './time';

/** The instants from `start` up to, but not including, `end`: milliseconds since the epoch. */
export interface Span {
  start: number;
  end: number;
}

/** The clock on the wall of a zone, around one window of time. */
export interface ZoneClock {
  /** The local dates that the window touches, and one more on either side, in order. */
  readonly dates: readonly string[];
  /**
   * The first instant at which the clock has reached `minuteOfDay` (0–1440) of `date`. Of a time that comes twice that
   * is the earlier one; of a time that daylight saving skips it is the moment of the jump.
   */
  reaches(date: string, minuteOfDay: number): number;
  /** When the clock shows what it has shown before, because it was put back. */
  readonly repeated: readonly Span[];
}

// A day at either end is listed, no zone is a day from UTC, and no jump of the clock is longer than one.
const MARGIN = 4 * DAY;
/** How much later than the first the next windows may end that need no new look at the zone's rules. */
const SPARE = 60 * DAY;

/** The clock of an IANA zone around `window`. @throws RangeError when there is no such zone */
export function zoneClock(zone: string, window: Span): ZoneClock {
  const offsets = offsetsAround(zone, { start: window.start - MARGIN, end: window.end + MARGIN });
  const dates = datesBetween(addDays(localDate(zone, window.start), -1), addDays(localDate(zone, window.end), 1));
  return {
    dates,
    reaches(date, minuteOfDay) {
      const reading = Date.parse(date) + minuteOfDay * MINUTE;
      const span = dates.includes(date) ? offsets.find(({ end, offset }) => reading < end + offset) : undefined;
      if (!span) throw new RangeError(`${date} lies outside the window of this clock`);
      return Math.max(reading - span.offset, span.start);
    },
    repeated: offsets.flatMap(({ start, offset }, index) => {
      const putBackBy = (offsets[index - 1]?.offset ?? offset) - offset;
      return putBackBy > 0 ? [{ start, end: start + putBackBy }] : [];
    }),
  };
}

/** A stretch in which the zone is `offset` milliseconds ahead of UTC. */
interface Offset extends Span {
  offset: number;
}

/** Zones whose offsets are remembered: many more than have tutors at once, at a few hundred bytes each. */
const MOST_KNOWN = 500;
const known = new Map<string, { window: Span; offsets: Offset[] }>();

/** The offsets in `window` and some time after: looking through a zone's rules costs more than all else here. */
function offsetsAround(zone: string, window: Span): Offset[] {
  const last = known.get(zone);
  if (last && last.window.start <= window.start && window.end <= last.window.end) return last.offsets;
  const wider = { start: window.start, end: window.end + SPARE };
  const offsets = offsetsOf(zone, wider);
  remember(known, zone, { window: wider, offsets }, MOST_KNOWN);
  return offsets;
}

function offsetsOf(zone: string, window: Span): Offset[] {
  const spans: Offset[] = [];
  let at = zoned(zone, window.start);
  for (;;) {
    const next = at.getTimeZoneTransition('next');
    const last = next === null || next.epochMilliseconds >= window.end;
    const end = last ? window.end : next.epochMilliseconds;
    spans.push({ start: at.epochMilliseconds, end, offset: at.offsetNanoseconds / 1_000_000 });
    if (last) return spans;
    at = next;
  }
}

function zoned(zone: string, instant: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone);
}

function localDate(zone: string, instant: number): string {
  return zoned(zone, instant).toPlainDate().toString();
}

/** The day of the week of an ISO date, Monday 1 to Sunday 7 (ISO 8601). */
export function weekdayOf(date: string): number {
  return new Date(date).getUTCDay() || 7;
}

/** The ISO date `days` after `date`, before it when negative. */
export function addDays(date: string, days: number): string {
  return isoDate(Date.parse(date) + days * DAY);
}

function datesBetween(first: string, last: string): string[] {
  const count = Math.round((Date.parse(last) - Date.parse(first)) / DAY) + 1;
  return Array.from({ length: count }, (_, index) => addDays(first, index));
}

function isoDate(utc: number): string {
  return new Date(utc).toISOString().slice(0, 10);
}
