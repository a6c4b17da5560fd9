import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import postgres, { type Sql } from 'postgres';
import { createClients, type OpenClients } from '../activities';
import { freePorts } from '../dev/machine/ports';
import { removeDataDir, temporaryDataDir } from '../dev/machine/temporary-data';
import { openDatabases, ownSettings } from '../dev/stack/own-platform';
import { type RunningPlatform, startPlatform } from '../dev/stack/platform';
import { type ProcessPlan, SERVICE_NAMES, WORKER_NAMES } from '../dev/stack/process-plan';
import { readSettings } from '../dev/stack/settings';
import type { DatabaseContext } from '../kernel/modules';
import { type Child, startChild } from './child';
import type { ProcessGroup } from './cpu';
import type { HostedEngine } from './engines';

/** The whole platform in a folder and on ports of its own, with what the bench needs to look into it. */
export interface Stack {
  platform: RunningPlatform;
  clients: OpenClients;
  temporal: Client;
  database(context: DatabaseContext): Sql;
  /** The event bus, as who reads it sees it. */
  bus: Sql;
  /** Does with a database what its owner may not. */
  asSuperuser(database: string, work: (sql: Sql) => Promise<unknown>): Promise<void>;
  /** Runs a script of the bench on the ports and with the settings of the services, in place of the product's process of them, to the end. */
  replaceServices(script: string): Promise<void>;
  /** Starts the process of an engine, with a database of its own that nobody used before. */
  startHost(engine: HostedEngine): Promise<Child>;
  /** Which students lose the answer to the first charge of each booking. @throws Error without a fault proxy */
  setUnlucky(studentIds: string[]): Promise<void>;
  sandboxUrl: string;
  /** Every process whose CPU time counts, by the name it is reported under. */
  processes(): ProcessGroup[];
  stop(): Promise<void>;
}

/** Which of the product's processes there are: those of `npm start`, or booking and its worker together in one. */
export type Layout = 'apart' | 'together';

const PLANS: Record<Layout, ProcessPlan> = {
  apart: { services: [...SERVICE_NAMES], workers: [...WORKER_NAMES] },
  together: {
    services: SERVICE_NAMES.filter((name) => name !== 'booking'),
    booking: ['booking', 'worker:booking'],
    workers: WORKER_NAMES.filter((name) => name !== 'worker:booking'),
  },
};

export interface StackOptions {
  say(line: string): void;
  /** Default `apart`. */
  layout?: Layout;
  /** Settings that win over those of the bench. */
  settings?: Record<string, string>;
  /** Whether everybody reaches the payment service through the fault proxy. */
  faults: boolean;
}

/**
 * Starts the platform, with the limit of requests raised: a few people make all the bookings. Mails go to a server that
 * forgets them, see `smtp-sink.ts`.
 */
export async function startStack({ say, layout = 'apart', settings = {}, faults }: StackOptions): Promise<Stack> {
  const dataDir = temporaryDataDir();
  const cleanUps: (() => Promise<unknown>)[] = [async () => removeDataDir(dataDir)];
  const stop = async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) {
      await cleanUp().catch((error: unknown) => say(`While stopping: ${String(error)}`));
    }
  };
  try {
    const own = await ownSettings();
    const [proxyPort = 0, smtpPort = 0] = await freePorts(2);
    const given = {
      ...own,
      DATA_DIR: dataDir,
      LOG_LEVEL: 'error',
      SHUTDOWN_GRACE_SECONDS: '5',
      RATE_LIMIT_API: '1000000',
      SMTP_URL: `smtp://127.0.0.1:${smtpPort}`,
      ...(faults && { PAYMENT_URL: `http://127.0.0.1:${proxyPort}` }),
      ...settings,
    };
    const env = { PATH: process.env.PATH };
    const sink = await startChild('smtp-sink.js', [String(smtpPort)], { env });
    cleanUps.push(() => sink.stop());
    const upstream = `http://127.0.0.1:${own.PAYMENT_PORT}`;
    const proxy = faults ? await startChild('fault-proxy.js', [String(proxyPort), upstream], { env }) : undefined;
    cleanUps.push(async () => proxy?.stop());
    const platform = await startPlatform({ settings: given, envFile: 'no-env-file', processes: PLANS[layout], say });
    cleanUps.push(() => platform.stop());
    const clients = createClients(platform.config);
    cleanUps.push(() => clients.close());
    const connection = await Connection.connect({ address: platform.config.TEMPORAL_ADDRESS });
    cleanUps.push(() => connection.close());
    const databases = openDatabases(platform, { max: 4 });
    cleanUps.push(() => databases.close());
    const { secrets } = readSettings(given, 'no-env-file');
    const server = new URL(`postgres://127.0.0.1:${own.POSTGRES_PORT}/postgres`);
    server.username = 'postgres';
    server.password = secrets.POSTGRES_PASSWORD;
    const asSuperuser: Stack['asSuperuser'] = async (database, work) => {
      const sql = postgres(server.toString(), { database, max: 1, onnotice: () => undefined });
      try {
        await work(sql);
      } finally {
        await sql.end({ timeout: 1 });
      }
    };
    const hosts = new Map<string, Child>();
    let services: Child | undefined;
    let made = 0;

    return {
      platform,
      clients,
      temporal: new Client({ connection, namespace: platform.config.TEMPORAL_NAMESPACE }),
      database: databases.database,
      bus: databases.bus,
      asSuperuser,
      async replaceServices(script) {
        await platform.halt('services');
        // As `nodeChild` starts the product's.
        services = await startChild(script, [], { env: { ...platform.environment, MALLOC_ARENA_MAX: '2' } });
        cleanUps.push(async () => services?.stop());
      },
      async startHost(engine) {
        made += 1;
        const database = `bench_${engine}_${made}`;
        await asSuperuser('postgres', (sql) => sql.unsafe(`create database ${database}`));
        const url = new URL(server);
        url.pathname = `/${database}`;
        const folder = join(dataDir, database);
        mkdirSync(folder);
        const host = await startChild('host.js', [engine], {
          env: { ...platform.environment, BENCH_DATABASE_URL: url.toString(), BENCH_FOLDER: folder },
          nodeArgs: ['--expose-gc'],
        });
        hosts.set(engine, host);
        const stopHost = async () => {
          hosts.delete(engine);
          await host.stop();
        };
        cleanUps.push(stopHost);
        return { ...host, stop: stopHost };
      },
      async setUnlucky(studentIds) {
        if (!proxy) throw new Error('This stack has no fault proxy');
        const body = JSON.stringify({ unlucky: studentIds });
        const reply = await fetch(`${proxy.url}/faults`, { method: 'POST', body });
        if (!reply.ok) throw new Error(`The fault proxy answered ${reply.status}`);
      },
      sandboxUrl: platform.urls.stripeSandbox ?? '',
      processes: () => [
        ...platform.children().flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
        ...(proxy ? [{ name: 'fault-proxy', pid: proxy.pid }] : []),
        ...(services ? [{ name: 'services', pid: services.pid }] : []),
        { name: 'mail', pid: sink.pid },
        ...[...hosts.values()].map(({ pid }) => ({ name: 'engine', pid })),
        { name: 'load', pid: process.pid },
      ],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
