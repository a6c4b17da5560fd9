/** In the order in which they run and are shown. `open` and `restart` share the bookings that wait. */
export const SCENARIOS = ['memory', 'backlog', 'overload', 'open', 'restart', 'reads'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

/** What the figures of `reads` are named by, before the kind of read. */
export const READ_PREFIX = 'p95 of ';
