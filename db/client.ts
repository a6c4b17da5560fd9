import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres, { type Sql } from 'postgres';
import { causesOf } from '../kernel/errors';

// A database of one context. Any context's schema fits: queries name their tables, not the relational query API.
export type Database = PostgresJsDatabase<Record<string, never>>;
/** The handle inside a transaction. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];

export interface DatabaseClient {
  db: Database;
  /** The driver itself, for LISTEN. */
  sql: Sql;
  close(): Promise<void>;
}

/** Opens a pool of at most `poolSize` connections. Nothing is connected until the first query. */
export function openDatabase(url: string, options: { poolSize: number; applicationName: string }): DatabaseClient {
  const sql = postgres(url, {
    max: options.poolSize,
    connect_timeout: 5,
    idle_timeout: 60,
    connection: {
      application_name: options.applicationName,
      // A statement that hangs must not hold its connection, nor a forgotten transaction its locks.
      statement_timeout: 10_000,
      idle_in_transaction_session_timeout: 15_000,
      lock_timeout: 5_000,
    },
    onnotice: () => undefined,
  });
  return { db: drizzle(sql), sql, close: () => sql.end({ timeout: 5 }) };
}

/** The SQLSTATE behind an error of a query, however deep drizzle wrapped it; a system error such as EPIPE has none. */
export function sqlState(error: unknown): string | undefined {
  for (const cause of causesOf(error)) {
    if ('code' in cause && !('errno' in cause) && /^[0-9A-Z]{5}$/.test(String(cause.code))) return String(cause.code);
  }
  return undefined;
}

/** The constraint that an insert or update violated, if one was. */
export function violatedConstraint(error: unknown): string | undefined {
  for (const cause of causesOf(error)) {
    if ('constraint_name' in cause && typeof cause.constraint_name === 'string') return cause.constraint_name;
  }
  return undefined;
}
