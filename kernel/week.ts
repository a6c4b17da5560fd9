import { DAY, HOUR } from './time';

// Weeks of UTC, which are those of ISO 8601: they begin on Monday, and the one with the year's first Thursday is its first.

/** On Mondays at this hour what is payable is paid out. */
export const PAYOUT_HOUR = 6;

const MONDAY = 1;

/** The week of an instant, such as `2026-W49`. */
export function isoWeekOf(atMs: number): string {
  const thursday = new Date(mondayOf(atMs) + 3 * DAY);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY)) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** The week of a run of a Schedule: that of the time for which it was meant, however late it begins; of one that somebody starts that of its beginning. */
export function weekOfRun(run: {
  searchAttributes: Readonly<Record<string, readonly unknown[] | undefined>>;
  startTime: Date;
}): string {
  const [meant] = run.searchAttributes.TemporalScheduledStartTime ?? [];
  return isoWeekOf((meant instanceof Date ? meant : run.startTime).getTime());
}

/** The first time after an instant that is a Monday at `hour`. */
export function nextMonday(afterMs: number, hour: number): Date {
  const ofThisWeek = mondayOf(afterMs) + hour * HOUR;
  return new Date(ofThisWeek > afterMs ? ofThisWeek : ofThisWeek + 7 * DAY);
}

/** The same time of day so many days later that are no Saturdays and Sundays. Public holidays differ by country, and count. */
export function addBusinessDays(fromMs: number, days: number): number {
  let at = fromMs;
  for (let left = days; left > 0; ) {
    at += DAY;
    const day = new Date(at).getUTCDay();
    if (day !== 0 && day !== 6) left -= 1;
  }
  return at;
}

/** Midnight at the beginning of an instant's week. */
function mondayOf(atMs: number): number {
  const midnight = Math.floor(atMs / DAY) * DAY;
  return midnight - ((new Date(midnight).getUTCDay() + 7 - MONDAY) % 7) * DAY;
}
