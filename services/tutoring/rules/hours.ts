import { type FieldError, ProblemError } from '../../../kernel/errors';
import { HORIZON_DAYS, HORIZON_MS, START_GRID_MINUTES } from '../../../kernel/session';
import { DAY, HOUR, MINUTE } from '../../../kernel/time';
import { type Span, weekdayOf, type ZoneClock, zoneClock } from '../../../kernel/zone';
import type { Availability } from '../contract';
import { refuse } from './fields';

const START_GRID = START_GRID_MINUTES * MINUTE;
/** Longest window of one question for slots: a month of local days, one of which may be longer than 24 hours. */
const LONGEST_WINDOW = 31 * DAY + 2 * HOUR;
const USUAL_WINDOW = 7 * DAY;

/** When the tutor can be booked, merged and in order. Hours that touch are one, also across midnight. */
function openSpans(hours: Availability, clock: ZoneClock): Span[] {
  const spans = clock.dates.flatMap((date) =>
    hoursOn(hours, date).map(({ from, to }) => ({
      start: clock.reaches(date, minutesOf(from)),
      end: clock.reaches(date, minutesOf(to)),
    })),
  );
  // Hours that daylight saving skips as a whole have come out empty.
  return merge(spans.filter(({ start, end }) => start < end));
}

/** A dated exception replaces the hours of its whole day. */
function hoursOn(hours: Availability, date: string): { from: string; to: string }[] {
  const dated = hours.exceptions.filter((exception) => exception.date === date);
  if (dated.length > 0) return dated.flatMap((exception) => ('from' in exception ? [exception] : []));
  const weekday = weekdayOf(date);
  return hours.weekly.filter((weekly) => weekly.weekday === weekday);
}

function merge(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  return merged;
}

function subtract(spans: Span[], taken: Span[]): Span[] {
  const meets = (a: Span, b: Span) => a.start < b.end && b.start < a.end;
  const cut = (parts: Span[], out: Span) =>
    parts.flatMap((part) => {
      if (!meets(part, out)) return [part];
      const [before, after] = [
        { start: part.start, end: out.start },
        { start: out.end, end: part.end },
      ];
      return [before, after].filter(({ start, end }) => start < end);
    });
  return spans.flatMap((span) => taken.filter((out) => meets(span, out)).reduce(cut, [span]));
}

/**
 * Up to `limit` instants in `window` at which a session of `minutes` can start: on the quarter hour, within the hours,
 * clear of what is taken. The session itself may end after the window. When the clock is put back, a time that comes
 * twice can be booked at its first coming only; a session may run on into the second.
 */
export function freeStarts(
  hours: Availability,
  taken: Span[],
  window: Span,
  minutes: number,
  limit = Number.POSITIVE_INFINITY,
): number[] {
  if (window.end <= window.start) return [];
  const length = minutes * MINUTE;
  const clock = zoneClock(hours.timeZone, { start: window.start, end: window.end + length });
  const starts: number[] = [];
  for (const free of subtract(openSpans(hours, clock), taken)) {
    const first = Math.ceil(Math.max(free.start, window.start) / START_GRID) * START_GRID;
    for (let start = first; start < window.end && start + length <= free.end; start += START_GRID) {
      if (clock.repeated.some((span) => span.start <= start && start < span.end)) continue;
      if (starts.push(start) === limit) return starts;
    }
  }
  return starts;
}

/**
 * That a session of `minutes` may start at `start`: not in the past (no minimum notice), at most 365 days ahead and
 * within the tutor's hours. Whether somebody else has the time is not asked here.
 * @throws ProblemError slot_unavailable
 */
export function assertOffered(hours: Availability, start: number, minutes: number, now: number): void {
  if (start < now) throw new ProblemError('slot_unavailable', 'The time has passed');
  if (start > now + HORIZON_MS)
    throw new ProblemError('slot_unavailable', `Sessions start within ${HORIZON_DAYS} days`);
  if (freeStarts(hours, [], { start, end: start + 1 }, minutes).length === 0)
    throw new ProblemError('slot_unavailable', "The session is outside the tutor's hours");
}

/**
 * The window of a question for slots: a week from now if not said otherwise, without what is past, too far ahead or,
 * when paging, up to `after`. May come out empty.
 * @throws ProblemError validation_failed when it is reversed or longer than 31 days
 */
export function slotWindow(query: { from?: string; to?: string }, now: number, after?: number): Span {
  const from = query.from === undefined ? now : Date.parse(query.from);
  const to = query.to === undefined ? from + USUAL_WINDOW : Date.parse(query.to);
  if (to <= from) refuse([{ path: 'query.to', message: 'must be after from' }]);
  if (to - from > LONGEST_WINDOW) refuse([{ path: 'query.to', message: 'must be at most 31 days after from' }]);
  return { start: Math.max(from, now, (after ?? 0) + 1), end: Math.min(to, now + HORIZON_MS + 1) };
}

/** Minutes from local midnight to `clock`, `00:00` to `24:00`. */
export function minutesOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

/** `HH:MM` of minutes from local midnight, 0 to 1440. */
export function clockOf(minutes: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Reversed, empty, overlapping and contradicting hours. */
export function availabilityErrors({ weekly, exceptions }: Availability): FieldError[] {
  return [
    ...hoursErrors(weekly.map((entry, index) => ({ ...entry, path: `weekly.${index}`, day: String(entry.weekday) }))),
    ...hoursErrors(
      exceptions.map((entry, index) => ({
        ...('from' in entry ? entry : { from: '00:00', to: '24:00' }),
        path: `exceptions.${index}`,
        day: entry.date,
      })),
    ),
  ];
}

function hoursErrors(entries: { path: string; day: string; from: string; to: string }[]): FieldError[] {
  const errors: FieldError[] = [];
  const byDay = new Map<string, { from: string; to: string }[]>();
  for (const { path, day, from, to } of entries) {
    const earlier = byDay.get(day) ?? [];
    byDay.set(day, [...earlier, { from, to }]);
    // Times of this form sort as text.
    if (to <= from)
      errors.push({ path: `${path}.to`, message: 'must be after from; hours over midnight are two entries' });
    else if (earlier.some((other) => from < other.to && other.from < to))
      errors.push({ path, message: 'overlaps an earlier entry of its day' });
  }
  return errors;
}
