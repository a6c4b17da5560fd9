import { type DatabaseClient, openDatabase } from '../db/client';
import { busUrl, ownerUrl } from '../db/roles';
import { messageOf } from '../dev/machine/error-code';
import { readSettings } from '../dev/stack/settings';
import { causesOf } from '../kernel/errors';
import type { DatabaseContext } from '../kernel/modules';
import { openReader, type Reading } from '../platform/bus/postgres';
import type { Config } from '../platform/config';
import { createLogger } from '../platform/telemetry';

/** What an operator's command works on. Nothing is connected before it is asked for. */
export interface Operated {
  config: Config;
  /** A context's database, by one connection. */
  database(context: DatabaseContext): DatabaseClient;
  bus(): Reading;
}

/**
 * Runs an operator's command on the databases that the settings name, or on the embedded ones of the data folder. Prints what `work` says; after
 * an error it prints that and the process ends with 1.
 */
export async function asOperator(name: string, work: (operated: Operated) => Promise<string>): Promise<void> {
  try {
    const { config, secrets } = readSettings();
    const server = config.DATABASE_URL ?? `postgres://127.0.0.1:${config.POSTGRES_PORT}/postgres`;
    const secret = config.DATABASE_ROLE_SECRET ?? secrets.DATABASE_ROLE_SECRET;
    const opened = new Map<DatabaseContext, DatabaseClient>();
    let reading: Reading | undefined;
    try {
      const said = await work({
        config,
        database(context) {
          const url = config.databaseUrl[context] ?? ownerUrl(server, context, secret);
          const database = opened.get(context) ?? openDatabase(url, { poolSize: 1, applicationName: name });
          opened.set(context, database);
          return database;
        },
        bus() {
          const url = config.busUrl.bus_reader ?? busUrl(server, 'bus_reader', secret);
          reading ??= openReader(url, name, createLogger(name, config.LOG_LEVEL));
          return reading;
        },
      });
      console.log(said);
    } finally {
      await Promise.all([reading?.close(), ...[...opened.values()].map((database) => database.close())]);
    }
  } catch (error) {
    // The cause is shown, and not drizzle's error around it, which holds the parameters of the statement.
    console.error(messageOf([...causesOf(error)].at(-1)));
    process.exitCode = 1;
  }
}
