import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { sourcePath } from '../dev/paths';
import { arrivalText } from './compare';
import { cpuPlot, latencyPlot, svgOf, throughputPlot } from './plots';
import { type Machine, type Results, readResults } from './results';
import { type Line, linesOf } from './table';

// Writes docs/benchmarks.md and its plots from a file of results: `npm run document [-- results/mine.json]`.

const IMAGES = 'docs/images';

async function main(given: string | undefined): Promise<void> {
  const file = given ? resolve(given) : sourcePath('bench/results/published.json');
  if (!existsSync(file)) throw new Error(`There is no ${file}: make it with npm run bench -- --out ${file}`);
  const results = readResults(file);
  const lines = linesOf(results.runs);
  const closed = lines.filter(({ arrival }) => arrival.kind === 'closed');
  const open = lines.filter(({ arrival }) => arrival.kind === 'open');
  const atSixteen = closed.filter(({ arrival }) => arrival.kind === 'closed' && arrival.clients === 16);
  const forCpu = atSixteen.length > 0 ? atSixteen : closed;
  const parts: Record<string, string> = {
    machine: machineText(results),
    ...results.versions,
    'closed-plot': await plot(
      'bench-throughput',
      'Bookings a second by engine and number of clients',
      throughputPlot(closed),
    ),
    'closed-table': throughputTable(closed),
    'open-plot': open.length > 0 ? await plot('bench-latency', 'Latencies by engine and rate', latencyPlot(open)) : '',
    'open-table': open.length > 0 ? latencyTable(open) : 'No open loop was run.',
    'cpu-plot': await plot('bench-cpu', 'CPU time of a booking by process', cpuPlot(forCpu)),
    'cpu-table': cpuTable(forCpu),
    'temporal-text': temporalText(forCpu),
  };
  const frame = readFileSync(sourcePath('bench/frame.txt'), 'utf8');
  const text = frame.replaceAll(/\{\{([\w-]+)\}\}/g, (_, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new Error(`frame.txt asks for ${name}, which there is not`);
    return part;
  });
  writeFileSync(sourcePath('docs/benchmarks.md'), `${text.replaceAll(/\n{3,}/g, '\n\n').trimEnd()}\n`);
  console.log('Written docs/benchmarks.md and its plots');
}

async function plot(name: string, alternative: string, spec: Parameters<typeof svgOf>[0]): Promise<string> {
  mkdirSync(sourcePath(IMAGES), { recursive: true });
  writeFileSync(sourcePath(join(IMAGES, `${name}.svg`)), await svgOf(spec));
  return `![${alternative}](images/${name}.svg)`;
}

function machineText({ machine, leftOut, runs, versions }: Results): string {
  const { cpu, cores, memoryGb, system, node, startedAt } = machine;
  const rounds = Math.max(...runs.map(({ round }) => round));
  const bookings = runs.reduce((sum, run) => sum + run.bookings, 0);
  const discarded = runs.filter(({ contradictions }) => contradictions.length > 0).length;
  return [
    `Measured on ${startedAt.slice(0, 10)}: ${cores} × ${cpu}, ${memoryGb} GB, ${system}, Node ${node}, PostgreSQL ${versions.postgres}, Temporal server ${versions['temporal-server']}.`,
    `Everything ran on this one machine. ${rounds === 1 ? 'One round' : `${rounds} rounds, medians`}, ${bookings} bookings; ${discarded === 0 ? 'every run was verified and counts' : `${discarded} of ${runs.length} runs did not verify and do not count`}.`,
    ...busy(machine),
    ...Object.entries(leftOut).map(([engine, reason]) => `\`${engine}\` was left out: ${reason}.`),
  ].join('\n');
}

function busy({ loadBefore, cores }: Machine): string[] {
  return loadBefore > cores / 2
    ? [`**The machine was busy (load ${loadBefore} before the first run): these figures say little.**`]
    : [];
}

const percent = (share: number | undefined) => (share === undefined ? '–' : `${(share * 100).toFixed(0)} %`);

function throughputTable(lines: readonly Line[]): string {
  return table(
    ['load', 'line', 'done/s', '±', 'of bare', 'of dbos', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU ms'],
    lines.map((line) => [
      ...[arrivalText(line.arrival), `\`${line.engine}\``, line.donePerSecond.toFixed(1), percent(line.spread)],
      ...[percent(line.toBare), percent(line.toDbos), line.p50.toFixed(0), line.p95.toFixed(0), line.p99.toFixed(0)],
      line.cpuTotal.toFixed(1),
    ]),
  );
}

function latencyTable(lines: readonly Line[]): string {
  return table(
    ['rate', 'line', 'done/s', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU ms'],
    lines.map(({ arrival, engine, donePerSecond, p50, p95, p99, cpuTotal }) => [
      ...[arrivalText(arrival), `\`${engine}\``, donePerSecond.toFixed(1)],
      ...[p50.toFixed(0), p95.toFixed(0), p99.toFixed(0), cpuTotal.toFixed(1)],
    ]),
  );
}

function cpuTable(lines: readonly Line[]): string {
  const names = [...new Set(lines.flatMap(({ cpu }) => Object.keys(cpu)))].filter((name) => name !== 'load');
  return table(
    ['line', ...names, 'all'],
    lines.map(({ engine, cpu, cpuTotal }) => [
      ...[`\`${engine}\``, ...names.map((name) => (cpu[name] ?? 0).toFixed(1)), cpuTotal.toFixed(1)],
    ]),
  );
}

function temporalText(lines: readonly Line[]): string {
  const said = lines.flatMap(({ engine, temporal }) =>
    temporal ? [`\`${engine}\` ${temporal.events} events and ${temporal.workflowTasks} workflow tasks`] : [],
  );
  return said.length > 0 ? `\nA confirmed booking's history at Temporal, in the median: ${said.join(', ')}.` : '';
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const aligned = head.map((name) => (['load', 'rate', 'line'].includes(name) ? '---' : '---:'));
  return [line(head), line(aligned), ...rows.map(line)].join('\n');
}

main(process.argv[2]).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
