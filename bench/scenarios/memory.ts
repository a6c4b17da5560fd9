import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiledPath } from '../../dev/machine/paths';
import { removeDataDir, temporaryDataDir } from '../../dev/machine/temporary-data';
import { until } from '../../dev/processes/identify';
import { ownSettings } from '../../dev/stack/own-platform';
import { FULL_SCALE } from './names';
import { type Memory, memoryOf, treeOf } from './process-memory';
import type { RunScenario, ScenarioOptions } from './scenario';
import { contradictions, onStage, type Stage } from './stage';

const DEFAULTS = FULL_SCALE.memory;
const START_WITHIN_MS = 120_000;
/** How long after the start memory is measured: what only the start needed has been given back by then. */
const AT_REST_MS = 10_000;
const COLLECTED_WITHIN_MS = 30_000;
/**
 * The share of bookings that come before the first measurement. Caches that fill up with use are full by then, so
 * that what grows afterwards grows for ever.
 */
const WARM_UP_SHARE = 0.25;

/** What `npm start` takes, and what its services and workers keep after many bookings. */
export const memory: RunScenario = async (options) => {
  const { say, scale } = options;
  const count = scale.count ?? DEFAULTS.count;
  const clients = scale.clients ?? DEFAULTS.clients;
  if (process.platform !== 'linux') throw new Error('Memory is read from /proc, which only Linux has');
  const atStart = await memoryAfterStart(options);
  say(`After the start: ${JSON.stringify(rounded(atStart))}`);
  const folder = temporaryDataDir();
  const settings = { NODE_OPTIONS: `--require ${compiledPath('bench/scenarios/gc-hook.js')}`, BENCH_GC_DIR: folder };
  try {
    return await onStage(options, { settings }, async (stage) => {
      const warmUp = Math.ceil(count * WARM_UP_SHARE);
      say(`${warmUp} bookings by ${clients} clients, then ${count} more`);
      await stage.book(warmUp, clients);
      const before = await collected(stage, folder);
      const { samples } = await stage.book(count, clients);
      const after = await collected(stage, folder);
      const wrong = await contradictions(stage, samples);
      const grown = (name: string, of: keyof Memory) => toMb((after[name]?.[of] ?? 0) - (before[name]?.[of] ?? 0));
      const figures = {
        ...atStart,
        servicesBefore: toMb(before.services?.pss ?? 0),
        servicesAfter: toMb(after.services?.pss ?? 0),
        workersBefore: toMb(before.workers?.pss ?? 0),
        workersAfter: toMb(after.workers?.pss ?? 0),
        servicesGrowth: grown('services', 'pss'),
        workersGrowth: grown('workers', 'pss'),
        servicesGrowthRss: grown('services', 'rss'),
        workersGrowthRss: grown('workers', 'rss'),
        growth: grown('services', 'pss') + grown('workers', 'pss'),
      };
      return [
        {
          scenario: 'memory',
          scale: { count, clients, warmUp },
          figures,
          contradictions: wrong,
          versions: stage.versions,
        },
      ];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Runs `npm start`'s own script and adds up its processes. MB. */
async function memoryAfterStart({ say }: ScenarioOptions): Promise<Record<string, number>> {
  const dataDir = temporaryDataDir();
  mkdirSync(dataDir, { recursive: true });
  const env = {
    ...process.env,
    ...(await ownSettings()),
    DATA_DIR: dataDir,
  };
  say('Starting the platform by itself');
  const args = ['--disable-warning=ExperimentalWarning', compiledPath('dev/start.js')];
  const platform = spawn(process.execPath, args, { cwd: dataDir, env, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await ready(platform);
    await sleep(AT_REST_MS);
    const all = treeOf(platform.pid ?? 0);
    const node = all.filter(({ isNode }) => isNode).map(({ pid }) => memoryOf(pid));
    const others = all.filter(({ isNode }) => !isNode).map(({ pid }) => memoryOf(pid));
    const sum = (list: Memory[], of: keyof Memory) => toMb(list.reduce((total, one) => total + one[of], 0));
    return {
      nodeProcesses: node.length,
      nodePss: sum(node, 'pss'),
      nodeRss: sum(node, 'rss'),
      otherPss: sum(others, 'pss'),
      otherRss: sum(others, 'rss'),
    };
  } finally {
    if (platform.exitCode === null) {
      const exit = once(platform, 'exit');
      platform.kill('SIGTERM');
      await exit;
    }
    removeDataDir(dataDir);
  }
}

async function ready(platform: ChildProcess): Promise<void> {
  if (!platform.stdout) throw new Error('The platform has no output');
  const lines = createInterface({ input: platform.stdout });
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('npm start is not ready in time')), START_WITHIN_MS);
    lines.on('line', (line) => {
      if (!line.includes('Ready after')) return;
      clearTimeout(late);
      resolve();
    });
    platform.once('exit', (code) => reject(new Error(`npm start ended (${code})`)));
  });
}

/** Has services and workers collect their garbage, see `gc-hook.ts`. @returns what each keeps then, in bytes */
async function collected({ stack }: Stage, folder: string): Promise<Record<string, Memory>> {
  const kept: Record<string, Memory> = {};
  for (const { name, pid } of stack.platform.children()) {
    if (pid === undefined || (name !== 'services' && name !== 'workers')) continue;
    const file = join(folder, String(pid));
    process.kill(pid, 'SIGUSR2');
    if (!(await until(() => existsSync(file), COLLECTED_WITHIN_MS))) throw new Error(`${name} collects no garbage`);
    rmSync(file);
    kept[name] = memoryOf(pid);
  }
  return kept;
}

const toMb = (bytes: number) => bytes / 2 ** 20;

const rounded = (figures: Record<string, number>) =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(value)]));
