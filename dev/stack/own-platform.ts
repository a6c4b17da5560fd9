import postgres, { type Sql } from 'postgres';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { RATE_LIMITS } from '../../platform/config';
import { listSettings } from '../../platform/settings';
import { freePortSettings } from '../machine/ports';
import type { RunningPlatform } from './platform';

// For tests, recordings, chaos runs and benchmarks: a platform that shares nothing with another one, and a look into its databases.

/** Settings under which everything is started here on free ports and nothing of the environment counts; DATA_DIR is the caller's. */
export async function ownSettings(): Promise<Record<string, string>> {
  return { ...Object.fromEntries(listSettings().map(({ name }) => [name, ''])), ...(await freePortSettings()) };
}

/** Settings without limits of requests, for whoever plays many people from one address. */
export const NO_LIMITS: Readonly<Record<string, string>> = Object.fromEntries(RATE_LIMITS.map((name) => [name, 'off']));

export interface OpenDatabases {
  /** A pool with the rights of the context's own role. */
  database(context: DatabaseContext): Sql;
  /** The event bus, as who reads it sees it. */
  bus: Sql;
  close(): Promise<void>;
}

/** Nothing is connected until it is asked. `max`: connections to each context's database. */
export function openDatabases(
  { environment }: Pick<RunningPlatform, 'environment'>,
  { max = 2, statementTimeoutMs }: { max?: number; statementTimeoutMs?: number } = {},
): OpenDatabases {
  const connection = statementTimeoutMs === undefined ? {} : { statement_timeout: statementTimeoutMs };
  const pools = new Map(
    DATABASE_CONTEXTS.map((context) => {
      const url = environment[`${context.toUpperCase()}_DATABASE_URL`] ?? '';
      return [context, postgres(url, { max, onnotice: () => undefined, connection })];
    }),
  );
  const bus = postgres(environment.BUS_READER_DATABASE_URL ?? '', { max, onnotice: () => undefined, connection });
  return {
    bus,
    database(context) {
      const pool = pools.get(context);
      if (!pool) throw new Error(`${context} has no database`);
      return pool;
    },
    async close() {
      await Promise.all([...pools.values(), bus].map((pool) => pool.end({ timeout: 1 })));
    },
  };
}
