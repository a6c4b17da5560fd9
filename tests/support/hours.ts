import { DAY } from '../../kernel/time';
import type { Span } from '../../kernel/zone';
import type { Availability } from '../../services/tutoring/contract';
import { freeStarts } from '../../services/tutoring/rules/hours';

export const iso = (instant: number) => new Date(instant).toISOString();
export const at = (text: string) => Date.parse(text);
export const span = (start: string, end: string): Span => ({ start: at(start), end: at(end) });

/** Hours of `timeZone` that are the same every day. */
export function daily(timeZone: string, ...hours: [from: string, to: string][]): Availability {
  const weekly = [1, 2, 3, 4, 5, 6, 7].flatMap((weekday) => hours.map(([from, to]) => ({ weekday, from, to })));
  return { timeZone, weekly, exceptions: [] };
}

/** Date and wall time of an instant as Intl reads them, `2027-03-28 01:45`. */
export function wallClock(timeZone: string): (instant: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return (instant) => format.format(instant);
}

/** What `freeStarts` gives for one date of a zone, as wall times. */
export function startsOn(date: string, hours: Availability, minutes: number, taken: Span[] = []): string[] {
  const reads = wallClock(hours.timeZone);
  const window = { start: at(date) - DAY, end: at(date) + 2 * DAY };
  return freeStarts(hours, taken, window, minutes)
    .map(reads)
    .filter((text) => text.startsWith(date))
    .map((text) => text.slice(11));
}
