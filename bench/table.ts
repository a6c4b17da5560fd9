import Table from 'cli-table3';
import { cpuTotal } from './cpu';
import { ENGINES } from './engines';
import { arrivalText, type Run } from './results';
import { median, spread } from './stats';

/** What all rounds of one engine under one load come to. */
export interface Line {
  engine: Run['engine'];
  arrival: Run['arrival'];
  rounds: number;
  discarded: number;
  donePerSecond: number;
  answeredPerSecond: number;
  spread: number;
  /** Throughput as a share of that of the engine named; absent where that one did not run. */
  toBare?: number;
  toDbos?: number;
  p50: number;
  p95: number;
  p99: number;
  cpu: Record<string, number>;
  cpuTotal: number;
  temporal?: { events: number; workflowTasks: number; eager: number };
}

/**
 * Medians over the rounds of the runs that count, in the order of loads and engines. An engine without a run that
 * counts has no line.
 */
export function linesOf(runs: readonly Run[]): Line[] {
  const loads = [...new Map(runs.map((run) => [arrivalText(run.arrival), run.arrival])).values()];
  return loads.flatMap((arrival) => {
    const under = runs.filter((run) => arrivalText(run.arrival) === arrivalText(arrival));
    const lines = ENGINES.flatMap((engine) => lineOf(under.filter((run) => run.engine === engine)) ?? []);
    const of = (engine: string) => lines.find((line) => line.engine === engine)?.donePerSecond;
    const [bare, dbos] = [of('bare'), of('dbos')];
    return lines.map((line) => ({
      ...line,
      ...(bare && { toBare: line.donePerSecond / bare }),
      ...(dbos && { toDbos: line.donePerSecond / dbos }),
    }));
  });
}

function lineOf(all: readonly Run[]): Line | undefined {
  const runs = all.filter(({ contradictions }) => contradictions.length === 0);
  const [first] = runs;
  if (!first) return undefined;
  const of = (pick: (run: Run) => number) => median(runs.map(pick));
  const names = [...new Set(runs.flatMap(({ cpu }) => Object.keys(cpu)))];
  const cpu = Object.fromEntries(names.map((name) => [name, of((run) => run.cpu[name] ?? 0)]));
  const temporal = runs.flatMap((run) => run.temporal ?? []);
  return {
    engine: first.engine,
    arrival: first.arrival,
    rounds: runs.length,
    discarded: all.length - runs.length,
    donePerSecond: of((run) => run.donePerSecond),
    answeredPerSecond: of((run) => run.answeredPerSecond),
    spread: spread(runs.map((run) => run.donePerSecond)),
    p50: of((run) => run.p50),
    p95: of((run) => run.p95),
    p99: of((run) => run.p99),
    cpu,
    cpuTotal: cpuTotal(cpu),
    ...(temporal.length > 0 && {
      temporal: {
        events: median(temporal.map(({ events }) => events)),
        workflowTasks: median(temporal.map(({ workflowTasks }) => workflowTasks)),
        eager: median(temporal.map(({ eager }) => eager)),
      },
    }),
  };
}

/** The lines for a terminal. */
export function textTable(lines: readonly Line[]): string {
  const table = new Table({
    head: ['load', 'engine', 'done/s', '±', 'of bare', 'of dbos', 'p50 ms', 'p95', 'p99', 'CPU ms', 'events', 'rounds'],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', ...Array.from({ length: 10 }, () => 'right' as const)],
  });
  const share = (value: number | undefined) => (value === undefined ? '' : `${(value * 100).toFixed(0)} %`);
  for (const line of lines) {
    table.push([
      arrivalText(line.arrival),
      line.engine,
      line.donePerSecond.toFixed(1),
      share(line.spread),
      share(line.toBare),
      share(line.toDbos),
      line.p50.toFixed(0),
      line.p95.toFixed(0),
      line.p99.toFixed(0),
      line.cpuTotal.toFixed(1),
      line.temporal ? `${line.temporal.events}/${line.temporal.workflowTasks}` : '',
      line.discarded > 0 ? `${line.rounds} (${line.discarded} not counted)` : String(line.rounds),
    ]);
  }
  return table.toString();
}
