import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres, { type Sql, type TransactionSql } from 'postgres';
import { causesOf } from '../kernel/errors';

// A database of one context. Any context's schema fits: queries name their tables, not the relational query API.
export type Database = PostgresJsDatabase<Record<string, never>>;
/** The handle inside a transaction. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];

export interface DatabaseClient {
  db: Database;
  /** The driver itself, for LISTEN. */
  sql: Sql;
  /** The same pool for work whose statements are told to somebody else. */
  countedBy(onStatement: () => void): Database;
  close(): Promise<void>;
}

export interface PoolOptions {
  poolSize: number;
  applicationName: string;
  /** Told of every statement of `db` before it is sent, also of those that begin and end a transaction. */
  onStatement?: (() => void) | undefined;
  /**
   * Has Postgres plan each statement for its values, not once for all: where a value decides which index serves best
   * (PostgreSQL, `plan_cache_mode`).
   */
  planByValue?: boolean | undefined;
  /** How long a statement waits for a connection. By default so long that whoever asks still listens to the refusal. */
  connectedWithinSeconds?: number;
}

/** A restart of Postgres is waited for; whoever asks while it is away for longer is told so while they still listen. */
const CONNECTED_WITHIN_SECONDS = 1.5;
/** The pauses before connecting again grow between these, for the whole pool: once Postgres is back nobody waits for longer. */
const SHORTEST_PAUSE_SECONDS = 0.025;
const LONGEST_PAUSE_SECONDS = 0.5;

/** Opens a pool of at most `poolSize` connections. Nothing is connected until the first query. */
export function openDatabase(url: string, options: PoolOptions): DatabaseClient {
  const sql = postgres(url, { ...driverOptions(options), idle_timeout: 60 });
  const countedBy = (onStatement?: () => void) => drizzle(preparing(sql, onStatement));
  return { db: countedBy(options.onStatement), sql, countedBy, close: () => sql.end({ timeout: 5 }) };
}

/** One connection that both asks and hears what others notify. */
export interface ListeningClient {
  sql: Sql;
  /** Hears a channel from now on, also on later connections. `listening` is called whenever it begins to: what was told before nobody heard. */
  listen(channel: string, heard: (payload: string) => void, listening: () => void): Promise<void>;
  close(): Promise<void>;
}

/** By itself the driver listens on a connection beside its pool. This is one connection for both, for where connections are counted. */
export function openListening(url: string, applicationName: string): ListeningClient {
  const channels = new Map<string, { heard: (payload: string) => void; listening: () => void }>();
  const asked = new Set<string>();
  let closed = false;
  const options = {
    ...driverOptions({ poolSize: 1, applicationName }),
    // What the driver calls for its own listening connection.
    onnotify: (channel: string, payload: string) => channels.get(channel)?.heard(payload),
    onclose: () => {
      for (const channel of channels.keys()) void hear(channel);
    },
  };
  const sql = postgres(url, options);

  /** Asks until it is granted; a connection that ends meanwhile is one reason more to go on. */
  async function hear(channel: string): Promise<void> {
    if (asked.has(channel)) return;
    asked.add(channel);
    while (!closed && asked.has(channel)) {
      try {
        await sql`listen ${sql(channel)}`;
        asked.delete(channel);
        channels.get(channel)?.listening();
      } catch {
        // The server is away. Whoever asks for rows meanwhile is told so.
        await new Promise((resolve) => setTimeout(resolve, LONGEST_PAUSE_SECONDS * 1_000).unref());
      }
    }
  }

  return {
    sql,
    listen(channel, heard, listening) {
      channels.set(channel, { heard, listening });
      return hear(channel);
    },
    close() {
      closed = true;
      // What it asks is asked again by whoever goes on: nothing is lost by not waiting for a server that is away.
      return sql.end({ timeout: 1 });
    },
  };
}

function driverOptions(options: PoolOptions) {
  return {
    // Patched (decision 30): as published, postgres.js 3.4.9 ends the process when connections end under load.
    max: options.poolSize,
    connect_timeout: options.connectedWithinSeconds ?? CONNECTED_WITHIN_SECONDS,
    connection_wait: options.connectedWithinSeconds ?? CONNECTED_WITHIN_SECONDS,
    backoff: (retries: number) => Math.min(SHORTEST_PAUSE_SECONDS * 2 ** Math.min(retries, 10), LONGEST_PAUSE_SECONDS),
    connection: {
      application_name: options.applicationName,
      // A statement that hangs must not hold its connection, nor a forgotten transaction its locks.
      statement_timeout: 10_000,
      idle_in_transaction_session_timeout: 15_000,
      lock_timeout: 5_000,
      ...(options.planByValue && { plan_cache_mode: 'force_custom_plan' }),
    },
    onnotice: () => undefined,
  };
}

/**
 * The same driver, for drizzle: statements are prepared once per connection. By itself drizzle has the driver parse each one anew and ask
 * for its types first, which is two round trips a statement; this is one, and halved the processor time of Postgres.
 */
function preparing<Handle extends Sql | TransactionSql>(
  sql: Handle,
  onStatement: () => void = () => undefined,
): Handle {
  return new Proxy(sql, {
    get(target, name) {
      if (name === 'unsafe') {
        return (query: string, parameters: Parameters<Sql['unsafe']>[1], options: object) => {
          onStatement();
          return target.unsafe(query, parameters, { ...options, prepare: true });
        };
      }
      const value: unknown = Reflect.get(target, name);
      if ((name !== 'begin' && name !== 'savepoint') || typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        const work = given.pop();
        if (typeof work !== 'function') throw new TypeError(`${name} needs a function`);
        // The one that opens it, and the one that ends it, whichever way.
        onStatement();
        onStatement();
        return Reflect.apply(value, target, [
          ...given,
          (inside: TransactionSql) => work(preparing(inside, onStatement)),
        ]);
      };
    },
  });
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

/** How many values a shape may have on one handle: each is a statement that every connection keeps. */
const MOST_SHAPES = 256;

/**
 * A query that is built once for each handle and each `shape`, what its text depends on: with values as placeholders and
 * `.prepare()`, a call costs drizzle no building of SQL and Postgres no parsing, and planning only where it finds that it pays.
 */
export function builtOnce<Handle extends object, Query, Shape extends object = Record<string, never>>(
  build: (handle: Handle, shape: Shape) => Query,
): (handle: Handle, shape: Shape) => Query {
  const builtFor = new WeakMap<Handle, Map<string, Query>>();
  return (handle, shape) => {
    const built = builtFor.get(handle) ?? new Map<string, Query>();
    builtFor.set(handle, built);
    const key = JSON.stringify(shape);
    const query = built.get(key) ?? build(handle, shape);
    if (built.size < MOST_SHAPES) built.set(key, query);
    return query;
  };
}

/** The one row that a statement on a locked or new row, or a count, gives back. @throws Error when it gave none: a defect, never a refusal */
export function theOnly<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('a row that must be there is not');
  return row;
}
