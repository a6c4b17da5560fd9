import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import postgres, { type Sql } from 'postgres';
import { type Clients, createClients } from '../activities';
import { type RunningPlatform, startPlatform } from '../dev/platform';
import { freePortSettings, freePorts } from '../dev/ports';
import { readSettings } from '../dev/settings';
import { removeDataDir, temporaryDataDir } from '../dev/temporary-data';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/contexts';
import { type Child, startChild } from './child';
import type { ProcessGroup } from './cpu';
import type { HostedEngine } from './engines';

/** The whole platform in a folder and on ports of its own, with what the bench needs to look into it. */
export interface Stack {
  platform: RunningPlatform;
  clients: Clients;
  temporal: Client;
  database(context: DatabaseContext): Sql;
  /** Starts the process of an engine, with a database of its own that nobody used before. */
  startHost(engine: HostedEngine): Promise<Child>;
  /** Which students lose the answer to the first charge of each booking. */
  setUnlucky(studentIds: string[]): Promise<void>;
  sandboxUrl: string;
  /** Every process whose CPU time counts, by the name it is reported under. */
  processes(): ProcessGroup[];
  stop(): Promise<void>;
}

// Given by nobody's environment: the bench measures what `npm start` would run.
const NOT_GIVEN = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'SMTP_URL',
  'STRIPE_SECRET_KEY',
  'STRIPE_API_BASE',
  'PUBLIC_URL',
];

/**
 * Starts the platform as `npm start` does (all services in one process, all workers in another), with the limit of requests
 * raised: a few people make all the bookings. Everything but the payment service reaches it through the fault proxy.
 */
export async function startStack(say: (line: string) => void, settings: Record<string, string> = {}): Promise<Stack> {
  const dataDir = temporaryDataDir();
  const cleanUps: (() => Promise<unknown>)[] = [async () => removeDataDir(dataDir)];
  const stop = async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) {
      await cleanUp().catch((error: unknown) => say(`While stopping: ${String(error)}`));
    }
  };
  try {
    const ports = await freePortSettings();
    const [proxyPort = 0] = await freePorts(1);
    const given = {
      ...ports,
      ...Object.fromEntries(NOT_GIVEN.map((name) => [name, ''])),
      ...{ DATA_DIR: dataDir, LOG_LEVEL: 'error', SHUTDOWN_GRACE_SECONDS: '5', RATE_LIMIT_API: '1000000' },
      PAYMENT_URL: `http://127.0.0.1:${proxyPort}`,
      ...settings,
    };
    const proxy = await startChild('fault-proxy.js', [String(proxyPort), `http://127.0.0.1:${ports.PAYMENT_PORT}`], {
      env: { PATH: process.env.PATH },
    });
    cleanUps.push(() => proxy.stop());
    const platform = await startPlatform({ settings: given, envFile: 'no-env-file', say });
    cleanUps.push(() => platform.stop());
    const clients = createClients(platform.config);
    cleanUps.push(() => clients.close());
    const connection = await Connection.connect({ address: platform.config.TEMPORAL_ADDRESS });
    cleanUps.push(() => connection.close());
    const databases = new Map(DATABASE_CONTEXTS.map((name) => [name, open(databaseUrl(platform, name))]));
    cleanUps.push(() => Promise.all([...databases.values()].map((sql) => sql.end({ timeout: 1 }))));
    const { secrets } = readSettings(given, 'no-env-file');
    const server = new URL(`postgres://127.0.0.1:${ports.POSTGRES_PORT}/postgres`);
    server.username = 'postgres';
    server.password = secrets.POSTGRES_PASSWORD;
    const superuser = open(server.toString());
    cleanUps.push(() => superuser.end({ timeout: 1 }));
    const hosts = new Map<string, Child>();
    let made = 0;

    return {
      platform,
      clients,
      temporal: new Client({ connection, namespace: platform.config.TEMPORAL_NAMESPACE }),
      database(context) {
        const sql = databases.get(context);
        if (!sql) throw new Error(`${context} has no database`);
        return sql;
      },
      async startHost(engine) {
        made += 1;
        const database = `bench_${engine}_${made}`;
        await superuser.unsafe(`create database ${database}`);
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
        const body = JSON.stringify({ unlucky: studentIds });
        const reply = await fetch(`${proxy.url}/faults`, { method: 'POST', body });
        if (!reply.ok) throw new Error(`The fault proxy answered ${reply.status}`);
      },
      sandboxUrl: platform.urls.stripeSandbox ?? '',
      processes: () => [
        ...platform.children().flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
        { name: 'fault-proxy', pid: proxy.pid },
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

function databaseUrl({ environment }: RunningPlatform, context: DatabaseContext): string {
  return environment[`${context.toUpperCase()}_DATABASE_URL`] ?? '';
}

function open(url: string): Sql {
  return postgres(url, { max: 4, onnotice: () => undefined });
}
