import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Sql } from 'postgres';
import { removeDataDir, temporaryDataDir } from '../../dev/machine/temporary-data';
import { buildOnce } from '../../dev/processes/build-once';
import type { ChildSpec } from '../../dev/processes/child';
import { freeze } from '../../dev/processes/freeze';
import { nodeChild } from '../../dev/processes/node-children';
import { createSupervisor } from '../../dev/processes/supervisor';
import { NO_LIMITS, openDatabases, ownSettings } from '../../dev/stack/own-platform';
import { graceMs } from '../../dev/stack/parts';
import { type RunningPlatform, startPlatform } from '../../dev/stack/platform';
import { type PlannedProcess, SERVICE_NAMES, WORKER_NAMES } from '../../dev/stack/process-plan';
import { uncaughtIn } from '../../dev/stack/uncaught';
import { type ContextName, DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { type FaultProxy, startFaultProxy } from './fault-proxy';
import { receivedMails } from './mail';
import { freePort } from './ports';
import { type Ask, ask, type Reply } from './service';

/** Everything there is, running for real: one for a test file, on ports and in a folder of its own. */
export interface TestPlatform {
  /** A request through the gateway. */
  ask(method: string, path: string, options?: Ask): Promise<Reply>;
  /** A request to the Stripe sandbox: its API, or its controls. */
  sandbox(method: string, path: string, body?: unknown): Promise<Reply>;
  /** What the process of the services counts. */
  metrics(): Promise<string>;
  temporal: Client;
  /** Looks into a context's database with the rights of its own role. */
  database(context: DatabaseContext): Sql;
  /** Between the workers and the services. */
  proxy: FaultProxy;
  mails: () => ReturnType<typeof receivedMails>;
  webhookSecret: string;
  gatewayUrl: string;
  /** SIGKILL; the next one is started after `whileGone`. Resolves when that one is ready. */
  killBookingWorker(whileGone?: () => Promise<void>): Promise<void>;
  /** Starts a second worker of booking sagas beside the first, which keeps those that it has. Resolves when it is ready. */
  addBookingWorker(): Promise<void>;
  /**
   * SIGKILL to a service that is alone in its process, or to the workers of all sagas but bookings, once it is up; it is started again by
   * itself. Resolves when the process is gone.
   */
  crash(part: ContextName | 'workers'): Promise<void>;
  /** Takes the Temporal server, or a service that is alone in its process, away while `work` runs. Resolves when it is ready again. */
  without(part: 'temporal' | ContextName, work: () => Promise<void>): Promise<void>;
  /** Lets a service that is alone in its process hang while `work` runs: it accepts connections and says nothing. */
  whileHanging(service: ContextName, work: () => Promise<void>): Promise<void>;
  /** Ends everything and removes the folder. Harmless twice. */
  stop(): Promise<void>;
}

/** The workers by process: that of the booking sagas can be killed alone. */
const BOOKING_WORKER = 'worker-booking';
const WORKERS = {
  [BOOKING_WORKER]: ['worker:booking'],
  workers: WORKER_NAMES.filter((name) => name !== 'worker:booking'),
};
/** What hangs is let go by then, whatever becomes of the test. */
const HANGS_AT_MOST_MS = 120_000;

/**
 * Starts all services in one process, and in two others the workers, which call through a fault proxy. Limits of requests are off
 * unless `settings` has others. `alone`: services that get a process each.
 */
export async function startTestPlatform(
  settings: Record<string, string> = {},
  alone: readonly ContextName[] = [],
): Promise<TestPlatform> {
  await buildOnce();
  const dataDir = temporaryDataDir();
  const cleanUps: (() => Promise<unknown>)[] = [async () => removeDataDir(dataDir)];
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= inTurn(cleanUps.reverse());
    return stopped;
  };
  try {
    const platform = await startPlatform({
      settings: {
        ...(await ownSettings()),
        ...NO_LIMITS,
        DATA_DIR: dataDir,
        LOG_LEVEL: 'warn',
        SHUTDOWN_GRACE_SECONDS: '2',
        ...settings,
      },
      envFile: 'no-env-file-in-tests',
      processes: {
        services: SERVICE_NAMES.filter((name) => !alone.some((one) => one === name)),
        ...Object.fromEntries(alone.map((name) => [name, [name]])),
      },
    });
    cleanUps.push(() => noneUncaught(dataDir));
    cleanUps.push(() => platform.stop());
    const { serviceUrl } = platform.config;
    // All but the gateway, which no saga calls.
    const proxy = await startFaultProxy(Object.fromEntries(DATABASE_CONTEXTS.map((name) => [name, serviceUrl[name]])));
    cleanUps.push(() => proxy.close());
    const folder = join(dataDir, 'workers');
    mkdirSync(folder);
    const workers = createSupervisor({ dataDir: folder, say: () => undefined });
    cleanUps.push(() => noneUncaught(folder));
    cleanUps.push(() => workers.stopAll([]));
    const startWorker = async (name: string, args: string[]) =>
      workers.start(worker({ name, args, managementPort: await freePort() }, platform, proxy, folder));
    await Promise.all(Object.entries(WORKERS).map(([name, args]) => startWorker(name, args)));
    const connection = await Connection.connect({ address: platform.config.TEMPORAL_ADDRESS });
    cleanUps.push(() => connection.close());
    const databases = openDatabases(platform);
    cleanUps.push(() => databases.close());
    const { mailInbox = '', stripeSandbox = '' } = platform.urls;
    return {
      ask: (method, path, options) => ask(platform.urls.gateway, method, path, options),
      sandbox: (method, path, body) => askSandbox(stripeSandbox, method, path, body),
      metrics: async () => String((await ask(platform.management.services ?? '', 'GET', '/metrics')).body),
      temporal: new Client({ connection, namespace: platform.config.TEMPORAL_NAMESPACE }),
      database: databases.database,
      proxy,
      mails: () => receivedMails(mailInbox),
      webhookSecret: platform.environment.STRIPE_WEBHOOK_SECRET ?? '',
      gatewayUrl: platform.urls.gateway,
      async killBookingWorker(whileGone = async () => undefined) {
        await workers.kill(BOOKING_WORKER);
        await workers.halt(BOOKING_WORKER);
        await whileGone();
        await workers.resume(BOOKING_WORKER);
      },
      addBookingWorker: () => startWorker(`${BOOKING_WORKER}-2`, WORKERS[BOOKING_WORKER]),
      async crash(part) {
        const of = part === 'workers' ? workers : platform;
        await eventually(`${part} is up`, async () =>
          of.children().some(({ name, state }) => name === part && state === 'ready'),
        );
        await of.kill(part);
      },
      async without(part, work) {
        await platform.halt(part);
        try {
          await work();
        } finally {
          await platform.resume(part);
        }
      },
      async whileHanging(service, work) {
        const { pid } = platform.children().find(({ name }) => name === service) ?? {};
        if (pid === undefined) throw new Error(`${service} is not alone in a process`);
        const frozen = freeze(pid, HANGS_AT_MOST_MS);
        try {
          await work();
        } finally {
          frozen.thaw();
        }
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function worker(
  { name, args, managementPort }: PlannedProcess,
  platform: RunningPlatform,
  proxy: FaultProxy,
  folder: string,
): ChildSpec {
  const urls = Object.entries(proxy.urls).map(([service, url]) => [`${service.toUpperCase()}_URL`, url]);
  return nodeChild({
    name,
    script: 'main.js',
    args,
    env: { ...platform.environment, ...Object.fromEntries(urls), MANAGEMENT_PORT: String(managementPort) },
    dataDir: folder,
    memory: 'workers',
    ready: { line: /^ready$/ },
    graceMs: graceMs(platform.config),
  });
}

/** @throws Error when a process died of an error that nobody caught: whatever was expected of it was answered by another */
async function noneUncaught(dataDir: string): Promise<void> {
  const found = uncaughtIn(dataDir);
  if (found.length > 0) throw new Error(`Processes died of errors that nobody caught:\n${found.join('\n')}`);
}

/** JSON to the controls; a form, with a key, to Stripe's own API. */
function askSandbox(url: string, method: string, path: string, body: unknown): Promise<Reply> {
  if (!path.startsWith('/v1/')) return ask(url, method, path, body === undefined ? {} : { body });
  const authorization = 'Bearer sk_test_sandbox';
  return ask(url, method, path, {
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    raw: new URLSearchParams(body as Record<string, string>).toString(),
  });
}

/** All of them, whichever fail; then the first failure. */
async function inTurn(works: (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const work of works) await work().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** The pauses between two looks: a twentieth of what has been waited, so that what takes long is not asked for all the time. */
const [SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS] = [50, 500];

/** Looks again and again until `look` finds something. @throws Error naming `what` when it is not so in time */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  withinMs = 20_000,
): Promise<T> {
  const since = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    const waited = performance.now() - since;
    if (waited > withinMs) throw new Error(`Not within ${withinMs / 1_000} s: ${what}`);
    await sleep(Math.min(Math.max(waited / 20, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS));
  }
}
