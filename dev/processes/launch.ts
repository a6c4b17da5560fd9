import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildSpec } from './child';
import { identify, type ProcessId } from './identify';

/** A process of a child, ready for work. */
export interface Launched {
  process: ChildProcess;
  /** How it ended, once it has. */
  ended: Promise<string>;
}

export interface LaunchListener {
  /** The process exists, though it is not ready yet. */
  born(process: ChildProcess, id: ProcessId): void;
  died(id: ProcessId): void;
  line(line: string): void;
}

/**
 * Starts the child's process and waits until it is ready.
 * @throws Error with what it said last when it ends or hangs first, or when `unwanted` was aborted before it was started
 */
export async function launch(spec: ChildSpec, listener: LaunchListener, unwanted: AbortSignal): Promise<Launched> {
  await spec.beforeStart?.();
  if (unwanted.aborted) throw new Error(`${spec.name} was told to stop before it was started`);
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    ...spec.user,
    // The child has a session of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops children
    // in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const id = child.pid === undefined ? undefined : identify(child.pid);
  if (id) listener.born(child, id);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    // `close` would wait for the pipes, which a grandchild may hold open for ever.
    child.once('exit', (code, by) => resolve(by ?? `exit code ${code}`));
  });
  if (id) void ended.then(() => listener.died(id));

  const tail: string[] = [];
  const matched = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        tail.push(line);
        if (tail.length > 30) tail.shift();
        if ('line' in spec.ready && spec.ready.line.test(line)) resolve();
        listener.line(line);
      });
    }
  });
  await untilReady(spec, child, matched, ended, tail);
  return { process: child, ended };
}

async function untilReady(
  spec: ChildSpec,
  child: ChildProcess,
  matched: Promise<void>,
  ended: Promise<string>,
  tail: string[],
): Promise<void> {
  const over = new AbortController();
  const probing = async (probe: () => Promise<boolean>) => {
    while (!over.signal.aborted && !(await probe())) await sleep(50);
  };
  const died = ended.then(async (how) => {
    await sleep(50); // its last words may still be in the pipe
    throw new Error([`${spec.name} ended before it was ready (${how})`, ...tail].join('\n  '));
  });
  const late = sleep(spec.readyTimeoutMs, undefined, { signal: over.signal }).then(() => {
    child.kill('SIGKILL');
    throw new Error([`${spec.name} was not ready within ${spec.readyTimeoutMs / 1_000} s`, ...tail].join('\n  '));
  });
  for (const loser of [died, late]) loser.catch(() => undefined);
  try {
    await Promise.race(['probe' in spec.ready ? probing(spec.ready.probe) : matched, died, late]);
  } finally {
    over.abort();
  }
}
