/** Milliseconds, for timers and comparisons. Calendar arithmetic in a zone is `kernel/zone.ts`. */
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The end of a session that starts at `startIso` and lasts `minutes`, as ISO 8601 in UTC. @throws RangeError when there is no such instant */
export function endOf(startIso: string, minutes: number): string {
  return new Date(Date.parse(startIso) + minutes * MINUTE).toISOString();
}
