import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres, { type Sql } from 'postgres';

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

/** The SQLSTATE behind an error of a query, however deep drizzle wrapped it. */
export function sqlState(error: unknown): string | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    if ('code' in current && /^[0-9A-Z]{5}$/.test(String(current.code))) return String(current.code);
  }
  return undefined;
}

/** The constraint that an insert or update violated, if one was. */
export function violatedConstraint(error: unknown): string | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    if ('constraint_name' in current && typeof current.constraint_name === 'string') return current.constraint_name;
  }
  return undefined;
}
