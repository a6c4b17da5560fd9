/** In the order in which they run and are shown. `open` and `restart` share the bookings that wait. */
export const SCENARIOS = ['memory', 'backlog', 'overload', 'open', 'restart', 'reads'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

/** The scale that the targets speak of. A scenario runs with it unless it is told otherwise. */
export const FULL_SCALE = {
  memory: { count: 10_000, clients: 16 },
  // The product lets 64 requests in at once, and each waits ten seconds for its saga: no more than six a second get
  // in.
  backlog: { count: 2_000, rate: 6 },
  overload: { count: 600, clients: 64, seconds: 25 },
  open: { count: 20_000, clients: 16 },
  restart: { count: 20_000, clients: 16 },
  reads: { count: 1_000_000, clients: 64, seconds: 8 },
} as const satisfies Record<ScenarioName, Record<string, number>>;

/** Whether a scenario was run on the scale that the targets speak of. */
export function isFull(scenario: ScenarioName, scale: Record<string, number>): boolean {
  return Object.entries(FULL_SCALE[scenario]).every(([what, amount]) => scale[what] === amount);
}

/**
 * How the names of the figures of `reads` begin; the kind of read follows. Figures are milliseconds, except replies a
 * second.
 */
export const READ_FIGURES = {
  p95: 'p95 of ',
  /** p95 of the floor (bench/reads/floor.ts) right before and after. */
  floor: 'one row beside ',
  perSecond: 'replies a second to ',
  services: 'processor time of services for ',
  postgres: 'processor time of postgres for ',
  client: 'processor time of the client for ',
} as const;
