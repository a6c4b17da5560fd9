import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sourcePath } from '../dev/paths';
import { type ComparePlan, compare } from './compare';
import { ENGINES, type EngineName, missingFor } from './engines';
import { describeMachine } from './machine';
import { linesOf, textTable } from './table';

const USAGE = `npm run bench                          all engines, closed and open loop, 3 rounds
npm run bench -- --quick               the same in short: K=16, one round, under 3 minutes
npm run bench -- --engines bare,ours   only these, of ${ENGINES.join(', ')}
npm run bench -- --clients 1,16,64     closed loop with so many clients
npm run bench -- --rates 10,20         open loop with so many bookings a second
npm run bench -- --profile             also flame graphs of services, workers and engine (figures suffer)
npm run bench -- --rounds 3 --bookings 300 --out results/mine.json`;

interface Options extends Omit<ComparePlan, 'say' | 'signal'> {
  out: string;
}

/** @throws Error for a person to read */
function readOptions(args: string[]): Options | undefined {
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
    },
  });
  if (values.help) return undefined;
  const quick = values.quick ?? false;
  const clients = numbers('clients', values.clients ?? (quick ? '16' : '1,16,64'));
  const rates = numbers('rates', values.rates ?? (quick ? '' : '10,20'));
  const bookings = values.bookings === undefined ? undefined : numbers('bookings', values.bookings)[0];
  const [rounds = 1] = numbers('rounds', values.rounds ?? (quick ? '1' : '3'));
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  return {
    engines: values.engines === undefined ? [...ENGINES] : values.engines.split(',').map(engineOf),
    loads: [
      ...clients.map((count) => ({
        arrival: { kind: 'closed' as const, clients: count },
        bookings: bookings ?? (quick ? 100 : count === 1 ? 50 : 300 + count),
      })),
      ...rates.map((perSecond) => ({
        arrival: { kind: 'open' as const, perSecond },
        bookings: bookings ?? perSecond * 15,
      })),
    ],
    rounds,
    profileFolder: values.profile ? join(sourcePath('bench/results'), `profile-${stamp}`) : undefined,
    out: values.out ?? join(sourcePath('bench/results'), `${quick ? 'quick-' : ''}${stamp}.json`),
  };
}

function engineOf(name: string): EngineName {
  const found = ENGINES.find((engine) => engine === name);
  if (!found) throw new Error(`There is no engine ${name}; there are ${ENGINES.join(', ')}`);
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
  const machine = describeMachine();
  const leftOut: Record<string, string> = {};
  for (const engine of options.engines) {
    const reason = missingFor(engine);
    if (reason === undefined) continue;
    leftOut[engine] = reason;
    console.log(`Leaving out ${engine}: ${reason}.`);
  }
  const engines = options.engines.filter((engine) => leftOut[engine] === undefined);
  if (engines.length === 0) throw new Error('No engine is left to be measured');
  if (machine.loadBefore > machine.cores / 2) {
    console.log(
      `This machine is busy (load ${machine.loadBefore} on ${machine.cores} cores): the figures will say little.`,
    );
  }
  const told = new AbortController();
  const began = performance.now();
  const say = (line: string) =>
    console.log(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${line}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say('Told to stop: stopping after this run');
      told.abort(new Error('Stopped'));
    });
  }
  const { runs, versions } = await compare({ ...options, engines, say, signal: told.signal });
  console.log(textTable(linesOf(runs)));
  mkdirSync(join(options.out, '..'), { recursive: true });
  writeFileSync(options.out, `${JSON.stringify({ machine, versions, leftOut, runs }, null, 1)}\n`);
  say(`Written to ${options.out}`);
  if (options.profileFolder) say(`Flame graphs are in ${options.profileFolder}`);
  if (runs.some(({ contradictions }) => contradictions.length > 0)) process.exitCode = 1;
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
