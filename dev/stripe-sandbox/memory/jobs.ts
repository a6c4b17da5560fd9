import type { Store } from './store';
import type { Job, Queue } from './tables';

/** A job whose run threw is tried again after this, so that a defect does not spin. */
const AFTER_DEFECT_MS = 1000;
/** setTimeout's limit is 2³¹ − 1 ms, 25 days. */
const LONGEST_SLEEP_MS = 24 * 3600 * 1000;

/**
 * Runs a queue's jobs when they are due, also those left by an earlier process. A job is done once its run has removed
 * it from the store; until then it runs again.
 */
export function startQueue(store: Store, queue: Queue, concurrency: number, run: (job: Job) => Promise<void>) {
  const running = new Map<number, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let wakesAt = Number.POSITIVE_INFINITY;
  let stopped = false;

  function sleepUntil(time: number): void {
    if (stopped || time >= wakesAt) return;
    clearTimeout(timer);
    wakesAt = time;
    timer = setTimeout(pump, Math.min(Math.max(time - Date.now(), 0), LONGEST_SLEEP_MS));
  }

  function pump(): void {
    clearTimeout(timer);
    wakesAt = Number.POSITIVE_INFINITY;
    if (stopped) return;
    const now = Date.now();
    for (const job of store.dueJobs(queue, now)) {
      if (running.size >= concurrency) return;
      if (!running.has(job.seq)) start(job);
    }
    const next = store.nextJobDueAt(queue, now);
    if (next !== undefined) sleepUntil(next);
  }

  function start(job: Job): void {
    const finished = run(job)
      .then(
        () => 0,
        (error: unknown) => {
          if (!stopped) console.error(`stripe sandbox: ${job.task.kind} failed:`, error);
          return AFTER_DEFECT_MS;
        },
      )
      .then((pause) => {
        if (pause === 0 || stopped) running.delete(job.seq);
        else setTimeout(() => running.delete(job.seq), pause).unref();
        sleepUntil(Date.now() + pause);
      });
    running.set(job.seq, finished);
  }

  return {
    wake: sleepUntil,
    /** Starts nothing more and waits for what runs. */
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await Promise.all(running.values());
    },
  };
}
