import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Sql } from 'postgres';
import { removeDataDir, temporaryDataDir } from '../../dev/machine/temporary-data';
import { buildOnce } from '../../dev/processes/build-once';
import { nodeChild } from '../../dev/processes/node-children';
import { createSupervisor, type Supervisor } from '../../dev/processes/supervisor';
import { openDatabases, ownSettings } from '../../dev/stack/own-platform';
import { graceMs } from '../../dev/stack/parts';
import { type RunningPlatform, startPlatform } from '../../dev/stack/platform';
import { SERVICE_NAMES, WORKER_NAMES } from '../../dev/stack/process-plan';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/contexts';
import { type FaultProxy, startFaultProxy } from './fault-proxy';
import { receivedMails } from './mail';
import { type Ask, ask, type Reply } from './service';

/** Everything there is, running for real: one for a test file, on ports and in a folder of its own. */
export interface TestPlatform {
  /** A request through the gateway. */
  ask(method: string, path: string, options?: Ask): Promise<Reply>;
  /** A request to the Stripe sandbox: its API, or its controls. */
  sandbox(method: string, path: string, body?: unknown): Promise<Reply>;
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
  /** Takes the Temporal server away while `work` runs. Resolves when it answers again. */
  withoutTemporal(work: () => Promise<void>): Promise<void>;
  /** Ends everything and removes the folder. Harmless twice. */
  stop(): Promise<void>;
}

const LIMITS = ['RATE_LIMIT_LOGIN', 'RATE_LIMIT_LOGIN_ADDRESS', 'RATE_LIMIT_REGISTER', 'RATE_LIMIT_API'];
/** The workers by process: that of the booking sagas can be killed alone. */
const BOOKING_WORKER = 'worker-booking';
const WORKERS = {
  [BOOKING_WORKER]: ['worker:booking'],
  workers: WORKER_NAMES.filter((name) => name !== 'worker:booking'),
};

/**
 * Starts all services in one process, and in two others the workers, which call through a fault proxy. Limits of requests are off
 * unless `settings` has others.
 */
export async function startTestPlatform(settings: Record<string, string> = {}): Promise<TestPlatform> {
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
        ...Object.fromEntries(LIMITS.map((name) => [name, 'off'])),
        DATA_DIR: dataDir,
        LOG_LEVEL: 'warn',
        SHUTDOWN_GRACE_SECONDS: '2',
        ...settings,
      },
      envFile: 'no-env-file-in-tests',
      processes: { services: [...SERVICE_NAMES] },
    });
    cleanUps.push(() => platform.stop());
    const { serviceUrl } = platform.config;
    // All but the gateway, which no saga calls.
    const proxy = await startFaultProxy(Object.fromEntries(DATABASE_CONTEXTS.map((name) => [name, serviceUrl[name]])));
    cleanUps.push(() => proxy.close());
    const workersDir = join(dataDir, 'workers');
    mkdirSync(workersDir);
    const workers = createSupervisor({ dataDir: workersDir, say: () => undefined });
    cleanUps.push(() => workers.stopAll([]));
    await startWorkers(workers, platform, proxy, workersDir);
    const connection = await Connection.connect({ address: platform.config.TEMPORAL_ADDRESS });
    cleanUps.push(() => connection.close());
    const databases = openDatabases(platform);
    cleanUps.push(() => databases.close());
    const { mailInbox = '', stripeSandbox = '' } = platform.urls;
    return {
      ask: (method, path, options) => ask(platform.urls.gateway, method, path, options),
      sandbox: (method, path, body) => askSandbox(stripeSandbox, method, path, body),
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
      async withoutTemporal(work) {
        await platform.halt('temporal');
        try {
          await work();
        } finally {
          await platform.resume('temporal');
        }
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startWorkers(
  workers: Supervisor,
  platform: RunningPlatform,
  proxy: FaultProxy,
  dataDir: string,
): Promise<void> {
  const urls = Object.entries(proxy.urls).map(([name, url]) => [`${name.toUpperCase()}_URL`, url]);
  const common = {
    script: 'main.js',
    env: { ...platform.environment, ...Object.fromEntries(urls) },
    dataDir,
    memory: 'workers' as const,
    ready: { line: /^ready$/ },
    graceMs: graceMs(platform.config),
  };
  await Promise.all(Object.entries(WORKERS).map(([name, args]) => workers.start(nodeChild({ name, args, ...common }))));
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

/** Looks every 50 ms until `look` finds something. @throws Error naming `what` when it is not so in time */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  withinMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`Not within ${withinMs / 1_000} s: ${what}`);
    await sleep(50);
  }
}
