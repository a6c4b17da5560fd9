import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiledPath } from '../dev/machine/paths';
import { until } from '../dev/processes/identify';
import type { ProcessGroup } from './cpu';
import { flameGraph } from './flame';
import { svgOf } from './svg';

/** The processes of Node that are profiled: the product or an engine runs in them. */
const PROFILED = new Set(['services', 'booking', 'workers', 'engine']);
const WRITTEN_WITHIN_MS = 30_000;

/** Settings by which every process of a stack can be profiled. */
export function profileSettings(folder: string): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  return { NODE_OPTIONS: `--require ${compiledPath('bench/profile-hook.js')}`, BENCH_PROFILE_DIR: folder };
}

/**
 * Begins to profile. The function that it returns ends the profile and writes two files for each thread of each
 * process: `<run>-<process>[-thread-<n>].cpuprofile`, which speedscope and the browser's own tools open, and a flame
 * graph of the same in SVG.
 */
export function startProfile(running: readonly ProcessGroup[], folder: string, run: string): () => Promise<string[]> {
  const processes = running.filter(({ name }) => PROFILED.has(name));
  const signalAll = () => {
    for (const { pid } of processes) process.kill(pid, 'SIGUSR2');
  };
  signalAll();
  return async () => {
    signalAll();
    const written: string[] = [];
    for (const { name, pid } of processes) {
      const mainThread = join(folder, `${pid}-0.cpuprofile`);
      if (!(await until(() => existsSync(mainThread), WRITTEN_WITHIN_MS))) throw new Error(`${name} wrote no profile`);
      for (const raw of readdirSync(folder).filter((file) => file.startsWith(`${pid}-`) && file.endsWith('profile'))) {
        const thread = raw === `${pid}-0.cpuprofile` ? '' : `-thread-${raw.split(/[-.]/)[1]}`;
        const file = join(folder, `${run}-${name}${thread}`);
        renameSync(join(folder, raw), `${file}.cpuprofile`);
        writeFileSync(`${file}.svg`, await svgOf(flameGraph(`${file}.cpuprofile`, `${run}: ${name}${thread}`)));
        written.push(`${file}.svg`);
      }
    }
    return written;
  };
}
