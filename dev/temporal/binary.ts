import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../machine/cache';
import { findOnPath, runCommand } from '../machine/run-command';
import { withLock } from '../processes/lock';
import { downloadBySdk } from './sdk-download';

/**
 * The newest version that the Go module proxy alone can build; later tags need modules replaced in the checkout of
 * the CLI.
 */
const GO_MODULE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
/** The server inside must know updates with start and eager activities as the sagas use them. */
const LEAST_SERVER = [1, 28] as const;
const GO_MINUTES = 30;

export interface Sources {
  cache: string;
  say(line: string): void;
  onPath(): Promise<string | undefined>;
  /** Downloads the CLI as `into/temporal`; false when that is not possible from here. */
  download(into: string): Promise<boolean>;
  /** Builds it as `into/temporal`. @throws Error saying why not */
  build(into: string): Promise<void>;
}

/**
 * Finds the Temporal CLI, whose dev server is the embedded one: on PATH, in the cache, by the SDK's download, else built
 * with Go (minutes, once; progress is printed). Two starts at once do the work once.
 * @throws Error that names every way out
 */
export async function temporalBinary(say: (line: string) => void, sources: Partial<Sources> = {}): Promise<string> {
  const from: Sources = {
    cache: join(cacheFolder(), 'bin'),
    say,
    onPath: () => findOnPath('temporal'),
    download: (into) => download(into, say),
    build: (into) => buildWithGo(into, say),
    ...sources,
  };
  const { cache } = from;
  const installed = await from.onPath();
  if (installed) {
    const version = await serverVersion(installed);
    if (isRecentEnough(version)) return installed;
    say(`${installed} has Temporal server ${version ?? 'of an unknown version'}, too old: looking for another`);
  }
  const cached = join(cache, 'temporal');
  const usable = async () => isExecutable(cached) && isRecentEnough(await serverVersion(cached));
  if (await usable()) return cached;

  await mkdir(cache, { recursive: true });
  const wait = (pid: number) => say(`Waiting for process ${pid}, which is getting the Temporal server already`);
  return withLock(
    join(cache, 'temporal.lock'),
    async () => {
      if (await usable()) return cached;
      const into = await mkdtemp(join(cache, 'temporal-'));
      try {
        if (!(await from.download(into))) await from.build(into);
        await chmod(join(into, 'temporal'), 0o755);
        await rename(join(into, 'temporal'), cached);
        return cached;
      } finally {
        await rm(into, { recursive: true, force: true });
      }
    },
    wait,
  );
}

/** The version of the server inside a Temporal CLI, `[1, 29]`; undefined when it does not say. */
async function serverVersion(binary: string): Promise<string | undefined> {
  const { output } = await runCommand(binary, ['--version'], { timeoutMs: 20_000 });
  return /Server (\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1];
}

function isRecentEnough(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  return major > LEAST_SERVER[0] || (major === LEAST_SERVER[0] && minor >= LEAST_SERVER[1]);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function download(into: string, say: (line: string) => void): Promise<boolean> {
  say('Downloading the Temporal server, once');
  return withTicks('Still downloading the Temporal server', say, () =>
    downloadBySdk('dev-server', into, join(into, 'temporal')),
  );
}

async function buildWithGo(into: string, say: (line: string) => void): Promise<void> {
  const waysOut =
    'Install Go (https://go.dev/dl) so that it can be built, or the Temporal CLI (https://docs.temporal.io/cli) on PATH, or set TEMPORAL_ADDRESS to a server that runs';
  if (!(await findOnPath('go'))) throw new Error(`The Temporal server could not be downloaded. ${waysOut}`);
  say('It cannot be downloaded from here: building the Temporal server with Go, once (2 to 3 minutes on two cores)');
  let packages = 0;
  const { code, output } = await withTicks(
    () => `Building the Temporal server: ${packages} packages compiled`,
    say,
    () =>
      runCommand('go', ['install', '-v', GO_MODULE], {
        env: { ...process.env, GOBIN: into },
        timeoutMs: GO_MINUTES * 60_000,
        onLine: (line) => {
          if (/^[\w.-]+(\/[\w.@~-]+)*$/.test(line)) packages++;
        },
      }),
  );
  if (code === 0) return;
  const reason = output.split('\n').slice(-5).join('\n  ');
  throw new Error(`The Temporal server could not be built with Go:\n  ${reason}\n${waysOut}`);
}

/** Runs `work` and says every fifteen seconds that it goes on, and for how long it has. */
async function withTicks<T>(what: string | (() => string), say: (line: string) => void, work: () => Promise<T>) {
  const over = new AbortController();
  const started = performance.now();
  const tick = async () => {
    for (;;) {
      await sleep(15_000, undefined, { signal: over.signal });
      const seconds = Math.round((performance.now() - started) / 1_000);
      say(`${typeof what === 'string' ? what : what()} (${seconds} s)`);
    }
  };
  tick().catch(() => undefined);
  try {
    return await work();
  } finally {
    over.abort();
  }
}
