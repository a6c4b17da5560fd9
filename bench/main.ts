import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { sourcePath } from '../dev/machine/paths';
import { type ComparePlan, compare } from './compare';
import { ENGINES, type EngineName, missingFor } from './engines';
import { describeMachine, isBusy } from './machine';
import type { Results, ScenarioResult } from './results';
import { SCENARIOS, type ScenarioName } from './scenarios/names';
import { runScenarios, textOf } from './scenarios/run';
import type { Scale } from './scenarios/scenario';
import { linesOf, textTable } from './table';

const USAGE = `npm run bench                          all engines, closed and open loop, 3 rounds
npm run bench -- --quick               the same in short: K=16, one round, under 3 minutes
npm run bench -- --engines bare,ours   only these, of ${ENGINES.join(', ')}
npm run bench -- --clients 1,16,64     closed loop with so many clients
npm run bench -- --rates 10,20         open loop with so many bookings a second
npm run bench -- --profile             also flame graphs of services, workers and engine (figures suffer); also of reads
npm run bench -- --rounds 3 --bookings 300 --out results/mine.json
npm run bench -- --scenario backlog    one scenario, or several, or all: ${SCENARIOS.join(', ')}
     in less: --count (bookings) --clients --rate (a second) --seconds (a load lasts)
npm run bench -- --scenario bus-latency,bus-cost,bus-catch-up    the event bus
npm run bench -- --publish             writes where npm run document looks, also after --scenario`;

/** Long enough to tell the engines apart, and under three minutes on two cores. */
const QUICK: { engines: EngineName[]; bookings: number } = {
  engines: ['bare', 'dbos', 'queue', 'ours', 'gateway', 'naive'],
  bookings: 60,
};

interface Comparison extends Omit<ComparePlan, 'say' | 'signal'> {
  kind: 'comparison';
  out: string;
}
interface Scenarios {
  kind: 'scenarios';
  names: ScenarioName[];
  scale: Scale;
  profileFolder: string | undefined;
  outOf(name: ScenarioName): string;
}

/** @throws Error for a person to read */
function readOptions(args: string[]): Comparison | Scenarios | undefined {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', short: 'h' },
      quick: { type: 'boolean' },
      engines: { type: 'string' },
      clients: { type: 'string' },
      rates: { type: 'string' },
      rounds: { type: 'string' },
      bookings: { type: 'string' },
      out: { type: 'string' },
      profile: { type: 'boolean' },
      publish: { type: 'boolean' },
      scenario: { type: 'string' },
      count: { type: 'string' },
      rate: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  if (values.help) return undefined;
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  const profileFolder = values.profile ? join(sourcePath('bench/results'), `profile-${stamp}`) : undefined;
  const results = (name: string) => join(sourcePath('bench/results'), `${name}.json`);
  if (values.scenario !== undefined) {
    const names = values.scenario === 'all' ? [...SCENARIOS] : values.scenario.split(',').map(scenarioOf);
    const { out } = values;
    if (out !== undefined && names.length > 1) throw new Error('--out is the file of one scenario');
    if (profileFolder && names.some((name) => name !== 'reads'))
      throw new Error('--profile looks into the comparison or into --scenario reads');
    const one = (option: 'count' | 'clients' | 'rate' | 'seconds') => numbers(option, values[option] ?? '')[0];
    const scale = { count: one('count'), clients: one('clients'), rate: one('rate'), seconds: one('seconds') };
    const outOf = (name: ScenarioName) => out ?? results(`${values.publish ? 'published' : stamp}-${name}`);
    return { kind: 'scenarios', names, scale, profileFolder, outOf };
  }
  const quick = values.quick ?? false;
  const clients = numbers('clients', values.clients ?? (quick ? '16' : '1,16,64'));
  const rates = numbers('rates', values.rates ?? (quick ? '' : '10,20'));
  const bookings = values.bookings === undefined ? undefined : numbers('bookings', values.bookings)[0];
  const [rounds = 1] = numbers('rounds', values.rounds ?? (quick ? '1' : '3'));
  return {
    kind: 'comparison',
    engines:
      values.engines === undefined ? (quick ? QUICK.engines : [...ENGINES]) : values.engines.split(',').map(engineOf),
    loads: [
      ...clients.map((count) => ({
        arrival: { kind: 'closed' as const, clients: count },
        bookings: bookings ?? (quick ? QUICK.bookings : count === 1 ? 50 : 300 + count),
      })),
      ...rates.map((perSecond) => ({
        arrival: { kind: 'open' as const, perSecond },
        bookings: bookings ?? perSecond * 15,
      })),
    ],
    rounds,
    profileFolder,
    out: values.out ?? results(values.publish ? 'published' : `${quick ? 'quick-' : ''}${stamp}`),
  };
}

function engineOf(name: string): EngineName {
  const found = ENGINES.find((engine) => engine === name);
  if (!found) throw new Error(`There is no engine ${name}; there are ${ENGINES.join(', ')}`);
  return found;
}

function scenarioOf(name: string): ScenarioName {
  const found = SCENARIOS.find((scenario) => scenario === name);
  if (!found) throw new Error(`There is no scenario ${name}; there are ${SCENARIOS.join(', ')}, all`);
  return found;
}

function numbers(option: string, list: string): number[] {
  return list
    .split(',')
    .filter(Boolean)
    .map((text) => {
      const value = Number(text);
      if (!Number.isInteger(value) || value < 1) throw new Error(`--${option}: ${text} is not a whole number above 0`);
      return value;
    });
}

async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  if (!options) return console.log(USAGE);
  const told = new AbortController();
  const began = performance.now();
  const say = (line: string) =>
    console.log(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${line}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say('Told to stop: stopping as soon as possible');
      told.abort(new Error('Stopped'));
    });
  }
  const context = { say, signal: told.signal };
  if (options.kind === 'comparison') await runComparison(options, context);
  else {
    const { names, scale, profileFolder } = options;
    await runScenarios(names, { ...context, scale, profileFolder }, (result) => {
      console.log(textOf(result));
      write(options.outOf(result.scenario), result);
      say(`Written to ${options.outOf(result.scenario)}`);
      if (result.contradictions.length > 0) process.exitCode = 1;
    });
  }
}

interface Context {
  say(line: string): void;
  signal: AbortSignal;
}

async function runComparison(options: Comparison, { say, signal }: Context): Promise<void> {
  const machine = await describeMachine();
  if (isBusy(machine)) {
    say(`This machine is busy (${machine.busyCores} of ${machine.cores} cores): the figures will say little.`);
  }
  const leftOut: Record<string, string> = {};
  for (const engine of options.engines) {
    const reason = missingFor(engine);
    if (reason === undefined) continue;
    leftOut[engine] = reason;
    console.log(`Leaving out ${engine}: ${reason}.`);
  }
  const engines = options.engines.filter((engine) => leftOut[engine] === undefined);
  if (engines.length === 0) throw new Error('No engine is left to be measured');
  const { runs, versions } = await compare({ ...options, engines, say, signal });
  console.log(textTable(linesOf(runs)));
  write(options.out, { machine, versions, leftOut, runs });
  say(`Written to ${options.out}`);
  if (options.profileFolder) say(`Flame graphs are in ${options.profileFolder}`);
  if (runs.some(({ contradictions }) => contradictions.length > 0)) process.exitCode = 1;
}

function write(file: string, result: Results | ScenarioResult): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
      console.error(`\n${USAGE}`);
    process.exit(1);
  },
);
