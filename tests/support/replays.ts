import { PassThrough } from 'node:stream';
import { type ReplayWorkerOptions, Worker } from '@temporalio/worker';

/**
 * Replays histories one after another in one worker, which is started with the first: to start another for each takes longer than to replay
 * them.
 */
export function replays(options: ReplayWorkerOptions) {
  let running: { given: PassThrough; results: ReturnType<typeof Worker.runReplayHistories> } | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function next(workflowId: string, history: unknown): Promise<void> {
    if (!running) {
      const given = new PassThrough({ objectMode: true });
      running = { given, results: Worker.runReplayHistories(options, given) };
    }
    running.given.write({ workflowId, history });
    const { done, value } = await running.results.next();
    if (done) throw new Error(`the worker ended before it had replayed ${workflowId}`);
    if (value.error) throw value.error;
  }

  return {
    /** Rejects when the code would not have made the history. */
    replay(workflowId: string, history: unknown): Promise<void> {
      const replayed = last.then(() => next(workflowId, history));
      last = replayed.catch(() => undefined);
      return replayed;
    },

    async close(): Promise<void> {
      await last;
      running?.given.end();
      await running?.results.next();
    },
  };
}
