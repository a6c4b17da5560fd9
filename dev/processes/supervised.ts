import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../machine/error-code';
import type { ChildSpec } from './child';
import { signal } from './identify';
import { type Launched, type LaunchListener, launch } from './launch';

export type ChildState = 'starting' | 'ready' | 'waiting' | 'stopped';

/** One child process that is started again whenever it ends without having been told to. */
export interface Supervised {
  readonly spec: ChildSpec;
  state(): ChildState;
  pid(): number | undefined;
  /** Resolves when the child is ready. @throws Error with what the child said last when it does not get there */
  start(): Promise<void>;
  /** Tells it to stop, waits, and kills it when its time is over. It stays down until `start`. */
  stop(): Promise<void>;
  /**
   * Sends a signal as a crash would: a child that ends by it is started again. After SIGKILL it resolves when the
   * process is gone.
   */
  kill(name: NodeJS.Signals): Promise<void>;
}

// The pause before a restart begins so short and doubles each time. A child that stayed up for a while begins with
// the first pause again.
const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 10_000;
const STEADY_MS = 8_000;

export function supervised(spec: ChildSpec, listener: LaunchListener, say: (line: string) => void): Supervised {
  let state: ChildState = 'stopped';
  let wanted = false;
  let process: Launched['process'] | undefined;
  let delay = FIRST_DELAY_MS;
  let unwanted = new AbortController();

  /** `life` is over once it was told to stop: what began before must not start it again, even if it has been started anew meanwhile. */
  const up = async (life: AbortSignal) => {
    state = 'starting';
    const own: LaunchListener = {
      ...listener,
      born(child, id) {
        process = child;
        listener.born(child, id);
      },
      died(id) {
        if (process?.pid === id.pid) process = undefined;
        listener.died(id);
      },
    };
    const launched = await launch(spec, own, life);
    state = 'ready';
    const since = performance.now();
    void launched.ended.then((how) => {
      if (life.aborted) return;
      const upMs = performance.now() - since;
      if (upMs > STEADY_MS) delay = FIRST_DELAY_MS;
      say(`${spec.name} ended (${how}): starting it again`);
      void bringBack(life);
    });
  };

  const bringBack = async (life: AbortSignal) => {
    const since = performance.now();
    while (!life.aborted) {
      state = 'waiting';
      await sleep(delay, undefined, { signal: life }).catch(() => undefined);
      delay = Math.min(delay * 2, LAST_DELAY_MS);
      if (life.aborted) return;
      try {
        await up(life);
        return say(`${spec.name} is back (${((performance.now() - since) / 1_000).toFixed(1)} s)`);
      } catch (error) {
        if (!life.aborted) say(`${messageOf(error)}\nTrying again in ${delay / 1_000} s`);
      }
    }
  };

  return {
    spec,
    state: () => state,
    pid: () => process?.pid,
    async start() {
      if (wanted) return;
      wanted = true;
      unwanted = new AbortController();
      const life = unwanted.signal;
      delay = FIRST_DELAY_MS;
      for (let attempt = 1; !life.aborted; attempt++) {
        try {
          return await up(life);
        } catch (error) {
          if (attempt < (spec.attempts ?? 1) && !life.aborted) {
            await sleep(500);
            continue;
          }
          if (!life.aborted) {
            wanted = false;
            state = 'stopped';
          }
          throw error;
        }
      }
    },
    async stop() {
      wanted = false;
      unwanted.abort();
      const child = process;
      if (child?.pid && child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit');
        const pipesClosed = once(child, 'close');
        signal(child.pid, spec.stopSignal);
        const late = setTimeout(() => {
          say(`${spec.name} did not stop within ${spec.graceMs / 1_000} s: killing it`);
          child.kill('SIGKILL');
        }, spec.graceMs);
        await exit;
        clearTimeout(late);
        await Promise.race([pipesClosed, sleep(200)]); // its last words belong in its log
      }
      state = 'stopped';
    },
    async kill(name) {
      const child = process;
      if (!child?.pid) return;
      const exit = name === 'SIGKILL' ? once(child, 'exit') : undefined;
      signal(child.pid, name);
      await exit;
    },
  };
}
