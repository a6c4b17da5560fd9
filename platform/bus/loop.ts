import { setTimeout as pause } from 'node:timers/promises';
import type { Change } from '../changes';

export interface Loop {
  /** Ends after the step that is under way. */
  close(): Promise<void>;
}

/**
 * Takes one step after the other: at once while a step says that there may be more, else when `wait` is over. It goes on after an error, which
 * `failed` is told, with whether the step before failed too; true has it go on at once.
 */
export function startLoop(work: {
  /** Called before a step, so that what happens during it is not waited for. */
  wait(): Change;
  /** Waits so long once it is woken, so that what comes at the same time is one step's. */
  gatherMs?: number;
  step(): Promise<boolean>;
  failed(error: unknown, again: boolean): boolean;
}): Loop {
  let closed = false;
  let change: Change | undefined;

  async function run(): Promise<void> {
    let failing = false;
    while (!closed) {
      change = work.wait();
      let atOnce: boolean;
      try {
        atOnce = await work.step();
        failing = false;
      } catch (error) {
        atOnce = work.failed(error, failing);
        failing = true;
      }
      if (!atOnce && !closed) {
        await change.happened;
        if (work.gatherMs !== undefined && !closed) await pause(work.gatherMs);
      }
      change.stop();
    }
  }

  const running = run();
  return {
    async close() {
      closed = true;
      change?.stop();
      await running;
    },
  };
}
