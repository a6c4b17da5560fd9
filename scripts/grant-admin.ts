import { openDatabase } from '../db/client';
import { contextUrl } from '../db/roles';
import { readSettings } from '../dev/settings';
import { grantAdmin } from '../services/identity/roles.store';

/** `npm run grant-admin -- <e-mail>`: nobody can register as an admin, so the holder of the database makes the first one. */
async function main(email: string | undefined): Promise<void> {
  if (!email) throw new Error('Say whose role changes: npm run grant-admin -- somebody@example.com');
  const { config, secrets } = readSettings();
  const embedded = `postgres://127.0.0.1:${config.POSTGRES_PORT}/postgres`;
  const secret = config.DATABASE_ROLE_SECRET ?? secrets.DATABASE_ROLE_SECRET;
  const url = config.databaseUrl.identity ?? contextUrl(config.DATABASE_URL ?? embedded, 'identity', secret);
  const database = openDatabase(url, { poolSize: 1, applicationName: 'grant-admin' });
  try {
    console.log(`${await grantAdmin(database.db, email)} is an admin from the next login on`);
  } finally {
    await database.close();
  }
}

main(process.argv[2]).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
