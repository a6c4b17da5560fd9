import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ENGINES } from './engines';

const arrivalSchema = z.union([
  z.object({ kind: z.literal('closed'), clients: z.number() }),
  z.object({ kind: z.literal('open'), perSecond: z.number() }),
]);

const runSchema = z.object({
  engine: z.enum(ENGINES),
  arrival: arrivalSchema,
  round: z.number(),
  bookings: z.number(),
  answeredPerSecond: z.number(),
  donePerSecond: z.number(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
  cpu: z.record(z.string(), z.number()),
  temporal: z.object({ events: z.number(), workflowTasks: z.number() }).optional(),
  contradictions: z.array(z.string()),
});

const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number(),
  memoryGb: z.number(),
  system: z.string(),
  node: z.string(),
  loadBefore: z.number(),
  startedAt: z.string(),
});

const resultsSchema = z.object({
  machine: machineSchema,
  /** Versions of what was measured, by name. */
  versions: z.record(z.string(), z.string()),
  /** Engines that could not be measured, and why. */
  leftOut: z.record(z.string(), z.string()),
  runs: z.array(runSchema),
});

/** How bookings arrive. */
export type Arrival = z.output<typeof arrivalSchema>;
/** Where and when the figures were made. */
export type Machine = z.output<typeof machineSchema>;
export type Results = z.output<typeof resultsSchema>;
/** One measured run of one engine, times in milliseconds. `cpu` and `temporal` are a booking's; `contradictions` say why it does not count. */
export type Run = z.output<typeof runSchema>;

/** @throws Error when the file is missing or of another form */
export function readResults(file: string): Results {
  return resultsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}
