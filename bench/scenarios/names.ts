/** In the order in which they run and are shown. `open` and `restart` share the bookings that wait. */
export const SCENARIOS = ['memory', 'backlog', 'overload', 'open', 'restart', 'reads'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

/** How much of everything the targets speak of: what a scenario runs with unless it is told otherwise. */
export const FULL_SCALE = {
  memory: { count: 10_000, clients: 16 },
  // No faster than the product lets them in: 64 requests at once, of which each waits ten seconds for its saga.
  backlog: { count: 2_000, rate: 6 },
  overload: { count: 600, clients: 64, seconds: 25 },
  open: { count: 20_000, clients: 16 },
  restart: { count: 20_000, clients: 16 },
  reads: { count: 1_000_000, clients: 64, seconds: 8 },
} as const satisfies Record<ScenarioName, Record<string, number>>;

/** Whether what was run is what the target speaks of. */
export function isFull(scenario: ScenarioName, scale: Record<string, number>): boolean {
  return Object.entries(FULL_SCALE[scenario]).every(([what, amount]) => scale[what] === amount);
}

/** What the figures of `reads` are named by, before the kind of read. Milliseconds, but for the replies a second. */
export const READ_FIGURES = {
  p95: 'p95 of ',
  /** p95 of the floor (bench/reads/floor.ts) right before and after. */
  floor: 'one row beside ',
  perSecond: 'replies a second to ',
  services: 'processor time of services for ',
  postgres: 'processor time of postgres for ',
  client: 'processor time of the client for ',
} as const;
