import { compiledPath } from '../machine/paths';
import type { ChildSpec } from './child';

/**
 * The young generation of a heap grows to three times its semi-space, 16 MB by default, in the main thread and in every thread
 * that workers run workflows in. Helpers do little and stay small (mail catcher: 69 → 39 MB, measured at rest).
 */
const MEMORY_FLAGS = {
  services: [],
  workers: ['--max-semi-space-size=2'],
  helper: ['--max-semi-space-size=1', '--optimize-for-size'],
};

/**
 * glibc gives every thread a heap of its own, up to eight a core, and gives little of them back: with two for all threads the processes of
 * `npm start` take 550 MB instead of 620 (measured at rest). Other C libraries ignore it.
 */
const MEMORY_ENV = { MALLOC_ARENA_MAX: '2' };

/** A process of ours: Node, compiled code, settings by environment, and the data folder as its own. */
export function nodeChild(
  options: Pick<ChildSpec, 'name' | 'ready' | 'graceMs' | 'env'> & {
    script: string;
    args?: string[];
    dataDir: string;
    memory: keyof typeof MEMORY_FLAGS;
  },
): ChildSpec {
  const { script, args = [], dataDir, memory, env, ...rest } = options;
  return {
    ...rest,
    env: { ...MEMORY_ENV, ...env },
    command: process.execPath,
    // Some dependencies are ES modules, and Node 20 says at each start that requiring those is new.
    args: ['--disable-warning=ExperimentalWarning', ...MEMORY_FLAGS[memory], compiledPath(script), ...args],
    cwd: dataDir,
    readyTimeoutMs: 60_000,
    stopSignal: 'SIGTERM',
    show: warningOf,
  };
}

const PINO_WARN = 40;
const LEVELS: Record<number, string> = { 40: 'warning', 50: 'error', 60: 'fatal' };

/** A warning or worse, in short; the log file has all of it. */
export function warningOf(line: string): string | undefined {
  const entry = asRecord(line);
  if (!entry) return /\b(?:WARN|ERROR|FATAL)\b|^\w*Error\b/.test(line) ? line : undefined;
  const { level, name, msg, err } = entry;
  if (typeof level !== 'number' || level < PINO_WARN) return undefined;
  const cause = typeof err === 'object' && err !== null && 'message' in err ? `: ${String(err.message)}` : '';
  return `${LEVELS[level] ?? 'warning'} ${String(name)}: ${String(msg)}${cause}`;
}

function asRecord(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
