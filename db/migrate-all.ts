import { contextsOf, DATABASE_CONTEXTS } from '../kernel/modules';
import { ensureDatabase, migrateDatabase } from './migrate';
import { type DatabaseOwner, ownerUrl } from './roles';

const OWNERS: readonly DatabaseOwner[] = ['bus', ...DATABASE_CONTEXTS];

/**
 * `node dist/db/migrate-all.js [name…]`: makes the database and role of every context and of the event bus (`bus`) that lack them and applies
 * the migrations that are missing; repeating it does no harm. Without names: of the bus and of the modules that MODULES switches on. It needs
 * - DATABASE_URL, a user that may create roles and databases, and DATABASE_ROLE_SECRET, from which each role's password
 *   is derived; or
 * - `<NAME>_DATABASE_URL` for one whose database and role somebody else has made, of the bus also the roles bus_appender and bus_reader: it is
 *   only migrated.
 */
async function main(names: string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const unknown = names.filter((name) => !isOwner(name));
  if (unknown.length > 0) throw new Error(`There is no ${unknown.join(', ')}, only ${OWNERS.join(', ')}`);
  const on = contextsOf(environment.MODULES ?? '');
  const chosen = names.length > 0 ? names.filter(isOwner) : OWNERS.filter((owner) => owner === 'bus' || on.has(owner));
  for (const owner of chosen) {
    await migrateDatabase(await urlOf(owner, environment), owner);
    process.stdout.write(`${owner}: up to date\n`);
  }
}

function isOwner(name: string): name is DatabaseOwner {
  return OWNERS.some((owner) => owner === name);
}

async function urlOf(owner: DatabaseOwner, environment: NodeJS.ProcessEnv): Promise<string> {
  const setting = `${owner.toUpperCase()}_DATABASE_URL`;
  const { [setting]: given, DATABASE_URL: server, DATABASE_ROLE_SECRET: secret } = environment;
  if (given) return given;
  if (!server || !secret || secret.length < 32) {
    throw new Error(`Set ${setting}, or DATABASE_URL and DATABASE_ROLE_SECRET (32 or more random characters)`);
  }
  await ensureDatabase(server, owner, secret);
  return ownerUrl(server, owner, secret);
}

main(process.argv.slice(2), process.env).catch((error: unknown) => {
  process.stderr.write(`${describe(error)}\n`);
  process.exit(1);
});

/** drizzle's message says which statement failed, its cause why. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
