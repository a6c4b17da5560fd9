import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { ChildSpec } from './child';
import { signal } from './identify';
import { startReaper } from './reaper';
import { noteChildren, type RunningChild } from './run-file';
import { type ChildState, type Supervised, supervised } from './supervised';

export interface ChildStatus {
  name: string;
  state: ChildState;
  pid: number | undefined;
}

/** Keeps a set of child processes alive, writes their output to log files, and leaves none behind however it ends. */
export interface Supervisor {
  /** Starts the child and resolves when it is ready. @throws Error with what it said last */
  start(spec: ChildSpec): Promise<void>;
  children(): ChildStatus[];
  /** Kills it as a crash would (default SIGKILL); it is started again by itself. */
  kill(name: string, by?: NodeJS.Signals): Promise<void>;
  /** Stops it in order; it stays down until `resume`. */
  halt(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /**
   * Stops the children that `order` does not name, then those of each step of `order`. Children of one step stop
   * together.
   */
  stopAll(order: string[][]): Promise<void>;
  /** SIGKILL to all, for somebody who cannot wait. */
  killAll(): Promise<void>;
}

const LOG_LIMIT_BYTES = 10_000_000;

export function createSupervisor(options: { dataDir: string; say: (line: string) => void }): Supervisor {
  const { dataDir, say } = options;
  const logs = join(dataDir, 'logs');
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const reaper = startReaper();
  const children = new Map<string, { child: Supervised; log: WriteStream }>();
  const running = new Map<number, RunningChild>();
  let closing = false;

  const get = (name: string) => {
    const found = children.get(name);
    if (!found) throw new Error(`There is no child ${name}; there are ${[...children.keys()].join(', ')}`);
    return found.child;
  };

  const add = (spec: ChildSpec) => {
    const log = openLog(join(logs, `${spec.name}.log`));
    const child = supervised(
      spec,
      {
        born(_, id) {
          reaper.add(id.pid, spec.stopSignal);
          running.set(id.pid, { name: spec.name, stopSignal: spec.stopSignal, ...id });
          noteChildren(dataDir, [...running.values()]);
        },
        died(id) {
          reaper.drop(id.pid);
          running.delete(id.pid);
          noteChildren(dataDir, [...running.values()]);
        },
        line(line) {
          log.write(`${line}\n`);
          const shown = spec.show(line);
          if (shown !== undefined) say(`[${spec.name}] ${shown}`);
        },
      },
      say,
    );
    children.set(spec.name, { child, log });
    return child;
  };

  const close = async () => {
    await reaper.close();
    await Promise.all([...children.values()].map(({ log }) => new Promise<void>((done) => log.end(done))));
  };

  return {
    async start(spec) {
      if (closing) throw new Error(`${spec.name} is not started any more: everything is being stopped`);
      await (children.get(spec.name)?.child ?? add(spec)).start();
    },
    children: () =>
      [...children.values()].map(({ child }) => ({ name: child.spec.name, state: child.state(), pid: child.pid() })),
    kill: (name, by = 'SIGKILL') => get(name).kill(by),
    halt: (name) => get(name).stop(),
    resume: (name) => get(name).start(),
    async stopAll(order) {
      closing = true;
      const named = new Set(order.flat());
      const rest = [...children.keys()].filter((name) => !named.has(name));
      for (const step of [rest, ...order]) {
        await Promise.all(step.map((name) => children.get(name)?.child.stop()));
      }
      await close();
    },
    async killAll() {
      closing = true;
      const stopped = [...children.values()].map(({ child }) => child.stop());
      for (const { pid } of running.values()) signal(pid, 'SIGKILL');
      await Promise.all(stopped);
      await close();
    },
  };
}

/** Opens a log file to append to. A file that passed the limit is kept as `.1`, one at most. */
function openLog(file: string): WriteStream {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`);
  const log = createWriteStream(file, { flags: 'a', mode: 0o600 });
  log.on('error', () => undefined); // a full disk must not end the platform
  return log;
}
