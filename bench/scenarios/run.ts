import Table from 'cli-table3';
import { describeMachine, isBusy } from '../machine';
import type { ScenarioResult } from '../results';
import { SCENARIOS, type ScenarioName } from './names';
import type { RunScenario, ScenarioOptions } from './scenario';
import { rowOf, TARGETS } from './targets';

const RUNNERS: Record<ScenarioName, () => Promise<RunScenario>> = {
  memory: async () => (await import('./memory.js')).memory,
  backlog: async () => (await import('./backlog.js')).backlog,
  overload: async () => (await import('./overload.js')).overload,
  open: async () => (await import('./waiting.js')).waiting,
  restart: async () => (await import('./waiting.js')).waiting,
  reads: async () => (await import('./reads.js')).reads,
  'bus-latency': async () => (await import('./bus-latency.js')).busLatency,
  'bus-cost': async () => (await import('./bus-cost.js')).busCost,
  'bus-catch-up': async () => (await import('./bus-catch-up.js')).busCatchUp,
  'forgot-timing': async () => (await import('./forgot-timing.js')).forgotTiming,
};

/** Runs the scenarios one after the other, those that share their preparation together; `done` gets each result as it comes. */
export async function runScenarios(
  names: readonly ScenarioName[],
  options: ScenarioOptions,
  done: (result: ScenarioResult) => void,
): Promise<void> {
  const left = new Set(names);
  for (const name of SCENARIOS) {
    if (!left.has(name)) continue;
    options.signal.throwIfAborted();
    const machine = await describeMachine();
    const began = performance.now();
    const run = await RUNNERS[name]();
    options.say(`Scenario ${name}${isBusy(machine) ? `, on a busy machine (${machine.busyCores} cores)` : ''}`);
    for (const finding of await run(options, left)) {
      left.delete(finding.scenario);
      done({ ...finding, machine, tookSeconds: Math.round((performance.now() - began) / 1_000) });
    }
    left.delete(name);
  }
}

/** The lines of the targets that a scenario measures, and everything else it found out. */
export function textOf(result: ScenarioResult): string {
  const { scenario, figures, contradictions, scale } = result;
  const table = new Table({ head: ['target', 'must', 'aim', 'measured', ''], style: { head: [], border: [] } });
  table.push(...TARGETS.filter(({ from }) => from === scenario).map((target) => rowOf(target, result)));
  const plain = (of: Record<string, number>) =>
    Object.entries(of).map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toFixed(2)}`);
  return [
    `${scenario}: ${plain(scale).join(', ')}`,
    String(table),
    plain(figures).join(', '),
    ...(contradictions.length > 0
      ? [`Does not count: ${contradictions.slice(0, 5).join('; ')} (${contradictions.length} in all)`]
      : []),
  ].join('\n');
}
