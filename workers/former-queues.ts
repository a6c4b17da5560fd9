import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from '../platform/telemetry';

/** A worker that serves one former queue. */
export interface FormerWorker {
  /** Lets what runs end. */
  close(): Promise<void>;
}

/** How often Temporal is asked. A saga that a process of before starts on a former queue waits no longer than this for its first task. */
const ASK_EVERY_MS = 60_000;

/**
 * Serves `queues`, on which sagas were started before, for as long as Temporal counts open runs of them: each is asked for at once and
 * every minute from then on. A queue costs tens of megabytes as long as it is served, so none is served for nothing. A count that cannot
 * be had changes nothing, and is asked for again.
 * @returns what ends it; it resolves when the workers that it started have
 */
export function serveFormerQueues(
  queues: readonly string[],
  {
    openRuns,
    serve,
    logger,
    everyMs = ASK_EVERY_MS,
  }: {
    openRuns(queue: string): Promise<number>;
    serve(queue: string): Promise<FormerWorker>;
    logger: Logger;
    everyMs?: number;
  },
): { close(): Promise<void> } {
  const serving = new Map<string, FormerWorker>();
  let closed = false;

  async function look(queue: string): Promise<void> {
    const open = await openRuns(queue);
    const worker = serving.get(queue);
    if (open > 0 && !worker && !closed) {
      logger.info({ queue, open }, 'sagas of before are served on their former queue');
      serving.set(queue, await serve(queue));
    } else if (open === 0 && worker) {
      serving.delete(queue);
      await worker.close();
      logger.info({ queue }, 'no saga is left on a former queue');
    }
  }

  async function lookAtAll(): Promise<void> {
    for (const queue of queues) {
      if (closed) return;
      await look(queue).catch((error: unknown) =>
        logger.warn({ err: error, queue }, 'a former queue was not looked at'),
      );
    }
  }

  let looking = lookAtAll();
  const timer = setInterval(() => {
    looking = looking.then(lookAtAll);
  }, everyMs);
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await looking;
      await Promise.all([...serving.values()].map((worker) => worker.close()));
    },
  };
}

const COUNT_MS = 10_000;

/** How many runs of workflows on a task queue are open, as Temporal's visibility knows it: a moment late. */
export async function countOpenRuns(connection: NativeConnection, namespace: string, queue: string): Promise<number> {
  const query = `TaskQueue = "${queue}" AND ExecutionStatus = "Running"`;
  const { count } = await connection.withDeadline(Date.now() + COUNT_MS, () =>
    connection.workflowService.countWorkflowExecutions({ namespace, query }),
  );
  return Number(count ?? 0);
}
