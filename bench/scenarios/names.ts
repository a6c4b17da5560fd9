/** In the order in which they run and are shown. `open` and `restart` share the bookings that wait. */
export const SCENARIOS = [
  'memory',
  'backlog',
  'overload',
  'open',
  'restart',
  'reads',
  'bus-latency',
  'bus-cost',
  'bus-catch-up',
  'forgot-timing',
] as const;
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
  'bus-latency': { rate: 100, seconds: 60 },
  'bus-cost': { count: 200, clients: 16 },
  'bus-catch-up': { count: 100_000 },
  'forgot-timing': { count: 200 },
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

/** How the name of an event's delay begins: by the bus, by the bus when nobody hears a notification, by a poll of the outbox. */
export const BUS_WAYS = ['notified', 'looking', 'plain'] as const;

/** The figure of a delay in milliseconds: `p50`, `p95`, `p99` or `max` of one way. */
export const wayFigure = (way: (typeof BUS_WAYS)[number], of: string) => `${way} ${of}`;

/** How the names of the figures of `bus-cost` begin that are a booking's processor time in one process; its name follows. */
export const BUS_COST_FIGURES = {
  with: 'processor time with the bus of ',
  without: 'processor time without the bus of ',
} as const;
