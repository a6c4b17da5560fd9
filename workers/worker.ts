import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerInterceptors } from '@temporalio/worker';
import { createActivities, createClients } from '../activities';
import { formerQueuesOf, type TaskQueue, workerOf } from '../kernel/modules';
import { answers } from '../platform/management';
import type { Platform, Running } from '../platform/service';
import { createLogger } from '../platform/telemetry';
import { activityContext } from './activity-context';
import { countOpenRuns, serveFormerQueues } from './former-queues';

/**
 * How long a saga's next task waits for the worker that has the saga in memory, before any other may take it and read its history. By
 * default 10 s, which is all the patience of the client of a command: after a worker's death nobody would be heard for so long.
 */
const STICKY_PATIENCE = '1s';

/**
 * Serves a task queue, and its former ones for as long as sagas run there. Waits until Temporal answers.
 * @throws Error when the workflows cannot be loaded
 */
export async function startWorker(queue: TaskQueue, { config, sagas }: Omit<Platform, 'bus'>): Promise<Running> {
  const name = workerOf(queue);
  const logger = createLogger(name, config.LOG_LEVEL);
  installRuntime(config.LOG_LEVEL);
  const connection = await connect(config.TEMPORAL_ADDRESS, (error) =>
    logger.warn({ err: error }, 'Temporal is not answering yet'),
  );
  const clients = createClients(config);
  const activities = createActivities(clients)[queue];
  const serve = async (taskQueue: string) => {
    const worker = await Worker.create({
      connection,
      namespace: config.TEMPORAL_NAMESPACE,
      taskQueue,
      ...workflowCode({ activity: [activityContext] }),
      activities,
      // By default as many as fit the machine: thousands of bookings, each of which then waits for days without being needed.
      maxCachedWorkflows: config.WORKER_CACHED_SAGAS,
      stickyQueueScheduleToStartTimeout: STICKY_PATIENCE,
      // 0 by default: running activities would be cut off at every deploy. Those that take longer are told to cancel, get
      // what is left until the second limit, and run again elsewhere.
      shutdownGraceTime: `${config.SHUTDOWN_GRACE_SECONDS}s`,
      shutdownForceTime: `${config.SHUTDOWN_GRACE_SECONDS + 10}s`,
    });
    const running = worker.run();
    running.catch((error: unknown) => {
      logger.fatal({ err: error }, 'the worker died');
      process.exitCode = 1;
      process.kill(process.pid, 'SIGTERM');
    });
    return {
      worker,
      async close() {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await running;
      },
    };
  };
  const { worker, close } = await serve(queue);
  const former = serveFormerQueues(formerQueuesOf(queue), {
    openRuns: (taskQueue) => countOpenRuns(connection, config.TEMPORAL_NAMESPACE, taskQueue),
    serve,
    logger,
  });
  // Of use where the service that starts these sagas runs in this process too; elsewhere nobody asks.
  const startByQueue = sagas.startEagerly(queue, connection);
  return {
    name,
    port: 0,
    readiness: async () => ({ ready: polls(worker) && (await answers(() => ping(connection))) }),
    async close() {
      startByQueue();
      await Promise.all([close(), former.close()]);
      await clients.close();
      await connection.close();
    },
  };
}

function polls(worker: Worker): boolean {
  const { runState, workflowPollerState, activityPollerState } = worker.getStatus();
  return runState === 'RUNNING' && workflowPollerState === 'POLLING' && activityPollerState === 'POLLING';
}

const PING_MS = 1_000;

/** While its server is away a worker goes on asking for work, and its state does not change: so the server is asked. */
async function ping(connection: NativeConnection): Promise<void> {
  await connection.withDeadline(Date.now() + PING_MS, () => connection.workflowService.getSystemInfo({}));
}

/** The bundle made by the build saves about two seconds a start; without one the sources are bundled now. */
function workflowCode(interceptors: WorkerInterceptors) {
  const codePath = join(__dirname, '..', 'workflow-bundle.js');
  if (existsSync(codePath)) return { workflowBundle: { codePath }, interceptors };
  return {
    workflowsPath: require.resolve('../workflows'),
    interceptors: { ...interceptors, workflowModules: [require.resolve('../workflows/interceptors')] },
  };
}

let runtimeInstalled = false;

/** One runtime for all workers of a process: it logs as everything else does, and leaves signals to `main.ts`. */
function installRuntime(level: string): void {
  if (runtimeInstalled) return;
  runtimeInstalled = true;
  const logger = createLogger('temporal-sdk', level);
  const write = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('DEBUG', ({ level: severity, message, meta: { error, ...facts } = {} }) => {
      logger[write[severity]]({ ...facts, ...(error !== undefined && { err: error }) }, message);
    }),
  });
}

const RETRY_MS = 1_000;

/** Keeps trying: a worker that starts before its server waits for it. */
async function connect(address: string, onFailure: (error: unknown) => void): Promise<NativeConnection> {
  for (;;) {
    try {
      return await NativeConnection.connect({ address });
    } catch (error) {
      onFailure(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
