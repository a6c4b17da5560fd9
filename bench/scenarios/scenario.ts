import type { ScenarioName } from './names';

/** The scale of a run. A value that is not given is that of the targets. */
export interface Scale {
  /** Bookings. */
  count?: number | undefined;
  clients?: number | undefined;
  /** Requests a second. */
  rate?: number | undefined;
  /** How long each load lasts. */
  seconds?: number | undefined;
}

export interface ScenarioOptions {
  scale: Scale;
  /** Where to write profiles; undefined: none are made. */
  profileFolder?: string | undefined;
  say(line: string): void;
  /** Aborted: what was started is stopped, and the scenario rejects. */
  signal: AbortSignal;
}

/** What one scenario found out. */
export interface Finding {
  scenario: ScenarioName;
  scale: Record<string, number>;
  figures: Record<string, number>;
  contradictions: string[];
  versions: Record<string, string>;
}

/** Runs a scenario, or those of `wanted` that share their preparation. */
export type RunScenario = (options: ScenarioOptions, wanted: ReadonlySet<ScenarioName>) => Promise<Finding[]>;
