import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { sourcePath } from '../dev/machine/paths';
import { costRows, latencyRows, type Rows, restText } from './bus/rows';
import { isBusy, pinnedVersions } from './machine';
import { cpuPlot, latencyPlot, throughputPlot } from './plots';
import { arrivalText, type Machine, type Results, readResults, readScenario, type ScenarioResult } from './results';
import { isFull, READ_FIGURES, SCENARIOS } from './scenarios/names';
import { figuresOf, rowOf, TARGETS } from './scenarios/targets';
import { svgOf } from './svg';
import { type Line, linesOf } from './table';

// Writes docs/benchmarks.md and its plots from a file of results: `npm run document [-- results/mine.json]`.

const IMAGES = 'docs/images';

const NOT_MEASURED = 'Not measured.';

async function main(given: string | undefined): Promise<void> {
  const file = given ? resolve(given) : sourcePath('bench/results/published.json');
  if (given && !existsSync(file)) throw new Error(`There is no ${file}`);
  const results = existsSync(file) ? readResults(file) : undefined;
  const scenarios = publishedScenarios();
  const parts: Record<string, string> = {
    ...pinnedVersions(),
    ...results?.versions,
    targets: targetsTable(results, scenarios),
    'reads-table': readsTable(scenarios.get('reads')),
    'bus-latency-table': busTable(latencyRows, scenarios.get('bus-latency')),
    'bus-cost-table': busTable(costRows, scenarios.get('bus-cost')),
    'bus-cost-text': restText(scenarios.get('bus-cost')),
    'targets-text': scenariosText(scenarios),
    ...(await comparisonParts(results)),
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

/** Tables and plots of the engines. */
async function comparisonParts(results: Results | undefined): Promise<Record<string, string>> {
  if (!results) {
    const tables = { 'closed-table': NOT_MEASURED, 'open-table': NOT_MEASURED, 'cpu-table': NOT_MEASURED };
    return {
      machine: '',
      'closed-plot': '',
      'open-plot': '',
      'cpu-plot': '',
      'temporal-text': '',
      'limit-text': NOT_MEASURED,
      ...tables,
    };
  }
  const lines = linesOf(results.runs);
  const closed = lines.filter(({ arrival }) => arrival.kind === 'closed');
  const open = lines.filter(({ arrival }) => arrival.kind === 'open');
  const atSixteen = closed.filter(({ arrival }) => arrival.kind === 'closed' && arrival.clients === 16);
  const forCpu = atSixteen.length > 0 ? atSixteen : closed;
  const throughput = 'Bookings a second by engine and number of clients';
  return {
    machine: machineText(results),
    'closed-plot': await plot('bench-throughput', throughput, throughputPlot(closed)),
    'closed-table': throughputTable(closed),
    'open-plot': open.length > 0 ? await plot('bench-latency', 'Latencies by engine and rate', latencyPlot(open)) : '',
    'open-table': open.length > 0 ? latencyTable(open) : NOT_MEASURED,
    'cpu-plot': await plot('bench-cpu', 'CPU time of a booking by process', cpuPlot(forCpu)),
    'cpu-table': cpuTable(forCpu),
    'temporal-text': temporalText(forCpu),
    'limit-text': limitText(forCpu),
  };
}

/** The most that any engine could gain over `naive`, derived from what a booking costs without an engine. */
function limitText(lines: readonly Line[]): string {
  const lineOf = (engine: string) => lines.find((line) => line.engine === engine);
  const cpuOf = (engine: string) => lineOf(engine)?.cpuTotal;
  const [bare, ours, naive] = [cpuOf('bare'), cpuOf('ours'), cpuOf('naive')];
  if (!bare || !ours || !naive) return NOT_MEASURED;
  const baseline = lineOf('naive')?.donePerSecond ?? Number.NaN;
  const besideNaive = ['bare', 'queue', 'dbos'].flatMap((engine) => {
    const line = lineOf(engine);
    return line ? [`\`${engine}\` ${percent(line.donePerSecond / baseline)}`] : [];
  });
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  return [
    `Without any engine (\`bare\`) a booking takes ${ms(bare)} of processor time, in services, databases, sandbox and mails. \`naive\` adds ${ms(naive - bare)} to that`,
    `and \`ours\` ${ms(ours - bare)}, or ${percent((ours - bare) / (naive - bare))} of it. An engine that added nothing would be ${percent(naive / bare)} as fast as \`naive\` here: that is the limit for the first line of the targets.`,
    `In bookings a second, of \`naive\`'s: ${besideNaive.join(', ')}.`,
  ].join('\n');
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

function busy(machine: Machine): string[] {
  const { busyCores, cores } = machine;
  return isBusy(machine)
    ? [`**The machine was busy (${busyCores} of ${cores} cores just before): these figures say little.**`]
    : [];
}

/** The results that are there, by scenario. */
function publishedScenarios(): Map<string, ScenarioResult> {
  const files = SCENARIOS.map((name) => [name, sourcePath(`bench/results/published-${name}.json`)] as const);
  return new Map(files.filter(([, file]) => existsSync(file)).map(([name, file]) => [name, readScenario(file)]));
}

function targetsTable(results: Results | undefined, scenarios: ReadonlyMap<string, ScenarioResult>): string {
  const compared = results && { figures: figuresOf(results), contradictions: [] };
  return table(
    ['from', 'what', 'must', 'aim', 'measured', 'verdict'],
    TARGETS.map((target) => [
      target.from,
      ...rowOf(target, target.from === 'compare' ? compared : scenarios.get(target.from)),
    ]),
  );
}

function readsTable(result: ScenarioResult | undefined): string {
  if (!result) return NOT_MEASURED;
  const { figures } = result;
  const kinds = Object.keys(figures).flatMap((name) =>
    name.startsWith(READ_FIGURES.p95) ? [name.slice(READ_FIGURES.p95.length)] : [],
  );
  const of = (figure: keyof typeof READ_FIGURES, kind: string) => figures[`${READ_FIGURES[figure]}${kind}`];
  return table(
    ['read', 'p95 ms', 'one row, p95 ms', 'ratio', 'replies/s', 'CPU ms: services', 'postgres', 'client', 'all'],
    kinds.map((kind) => {
      const spent = [of('services', kind), of('postgres', kind), of('client', kind)];
      const all = spent.reduce<number>((sum, ms = 0) => sum + ms, 0);
      const [p95, floor] = [of('p95', kind), of('floor', kind)];
      return [
        kind,
        ...[p95, floor].map((ms) => ms?.toFixed(1) ?? '–'),
        p95 && floor ? `${(p95 / floor).toFixed(1)} ×` : '–',
        of('perSecond', kind)?.toFixed(0) ?? '–',
        ...[...spent, all].map((ms) => ms?.toFixed(2) ?? '–'),
      ];
    }),
  );
}

function busTable(rowsOf: (figures: ScenarioResult['figures']) => Rows, result: ScenarioResult | undefined): string {
  if (!result) return NOT_MEASURED;
  const { head, rows } = rowsOf(result.figures);
  return table(head, rows);
}

/** The scale of each scenario. */
function scenariosText(scenarios: ReadonlyMap<string, ScenarioResult>): string {
  return SCENARIOS.map((name) => {
    const result = scenarios.get(name);
    if (!result) return `- \`${name}\`: not measured.`;
    const { scale, machine, tookSeconds, contradictions } = result;
    const amounts = Object.entries(scale).map(([what, value]) => `${what} ${value}`);
    return [
      `- \`${name}\`: ${amounts.join(', ')}${isFull(name, scale) ? '' : ' (**less or more than the target says**)'};`,
      `${machine.startedAt.slice(0, 10)}, ${tookSeconds} s;`,
      contradictions.length === 0 ? 'verified.' : `**${contradictions.length} contradictions: it does not count.**`,
      ...busy(machine),
    ].join(' ');
  }).join('\n');
}

const percent = (share: number | undefined) => (share === undefined ? '–' : `${(share * 100).toFixed(0)} %`);

function throughputTable(lines: readonly Line[]): string {
  return table(
    ['load', 'line', 'done/s', '±', 'of bare', 'of dbos', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU ms'],
    lines.map((line) => [
      arrivalText(line.arrival),
      `\`${line.engine}\``,
      line.donePerSecond.toFixed(1),
      percent(line.spread),
      percent(line.toBare),
      percent(line.toDbos),
      line.p50.toFixed(0),
      line.p95.toFixed(0),
      line.p99.toFixed(0),
      line.cpuTotal.toFixed(1),
    ]),
  );
}

function latencyTable(lines: readonly Line[]): string {
  return table(
    ['rate', 'line', 'done/s', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU ms'],
    lines.map(({ arrival, engine, donePerSecond, p50, p95, p99, cpuTotal }) => [
      arrivalText(arrival),
      `\`${engine}\``,
      donePerSecond.toFixed(1),
      p50.toFixed(0),
      p95.toFixed(0),
      p99.toFixed(0),
      cpuTotal.toFixed(1),
    ]),
  );
}

function cpuTable(lines: readonly Line[]): string {
  const names = [...new Set(lines.flatMap(({ cpu }) => Object.keys(cpu)))].filter((name) => name !== 'load');
  return table(
    ['line', ...names, 'all'],
    lines.map(({ engine, cpu, cpuTotal }) => [
      `\`${engine}\``,
      ...names.map((name) => (cpu[name] ?? 0).toFixed(1)),
      cpuTotal.toFixed(1),
    ]),
  );
}

function temporalText(lines: readonly Line[]): string {
  const said = lines.flatMap(({ engine, temporal }) =>
    temporal
      ? [
          `\`${engine}\` ${temporal.events} events and ${temporal.workflowTasks} workflow tasks (${percent(temporal.eager)} started eagerly)`,
        ]
      : [],
  );
  return said.length > 0 ? `\nA confirmed booking's history at Temporal, in the median: ${said.join(', ')}.` : '';
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const aligned = head.map((name) =>
    ['load', 'rate', 'line', 'from', 'what', 'read', 'way', 'verdict'].includes(name) ? '---' : '---:',
  );
  return [line(head), line(aligned), ...rows.map(line)].join('\n');
}

main(process.argv[2]).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
