import { type DatabaseClient, openDatabase } from '../db/client';
import { ownerUrl } from '../db/roles';
import { messageOf } from '../dev/machine/error-code';
import { readSettings } from '../dev/stack/settings';
import { causesOf } from '../kernel/errors';
import type { Config } from '../platform/config';

/**
 * Runs an operator's command on identity's database: the one that the settings name, or the embedded one of the data
 * folder. Prints what `work` says; after an error it prints that and the process ends with 1.
 */
export async function onIdentity(
  name: string,
  work: (deps: { config: Config; database: DatabaseClient }) => Promise<string>,
): Promise<void> {
  try {
    const { config, secrets } = readSettings();
    const embedded = `postgres://127.0.0.1:${config.POSTGRES_PORT}/postgres`;
    const secret = config.DATABASE_ROLE_SECRET ?? secrets.DATABASE_ROLE_SECRET;
    const url = config.databaseUrl.identity ?? ownerUrl(config.DATABASE_URL ?? embedded, 'identity', secret);
    const database = openDatabase(url, { poolSize: 1, applicationName: name });
    try {
      console.log(await work({ config, database }));
    } finally {
      await database.close();
    }
  } catch (error) {
    // The cause is shown, and not drizzle's error around it, which holds the parameters of the statement.
    console.error(messageOf([...causesOf(error)].at(-1)));
    process.exitCode = 1;
  }
}
