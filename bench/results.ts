import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ENGINES } from './engines';
import { SCENARIOS } from './scenarios/names';

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
  temporal: z.object({ events: z.number(), workflowTasks: z.number(), eager: z.number() }).optional(),
  contradictions: z.array(z.string()),
});

const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number(),
  memoryGb: z.number(),
  system: z.string(),
  node: z.string(),
  /** How much of the cores others used just before. */
  busyCores: z.number(),
  startedAt: z.string(),
});

const scenarioSchema = z.object({
  scenario: z.enum(SCENARIOS),
  machine: machineSchema,
  versions: z.record(z.string(), z.string()),
  /** How much of everything there was, by name. */
  scale: z.record(z.string(), z.number()),
  /** What was measured, by the names that `scenarios/targets.ts` asks for. */
  figures: z.record(z.string(), z.number()),
  /** Why the result does not count. */
  contradictions: z.array(z.string()),
  tookSeconds: z.number(),
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
export type ScenarioResult = z.output<typeof scenarioSchema>;
/** One measured run of one engine, times in milliseconds. `cpu` and `temporal` are a booking's, `eager` is the share that was handed to the worker at its start; `contradictions` say why it does not count. */
export type Run = z.output<typeof runSchema>;

/** @throws Error when the file is missing or of another form */
export function readResults(file: string): Results {
  return resultsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** @throws Error when the file is missing or of another form */
export function readScenario(file: string): ScenarioResult {
  return scenarioSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}

export function arrivalText(arrival: Arrival): string {
  return arrival.kind === 'closed' ? `K=${arrival.clients}` : `${arrival.perSecond}/s`;
}
