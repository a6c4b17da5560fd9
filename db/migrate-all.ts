import { contextsOf, DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/modules';
import { ensureDatabase, migrateContext } from './migrate';
import { contextUrl } from './roles';

/**
 * `node dist/db/migrate-all.js [context…]`: makes the database and role of every context that lacks them and applies the
 * migrations that are missing; repeating it does no harm. Without names: of the modules that MODULES switches on. It needs
 * - DATABASE_URL, a user that may create roles and databases, and DATABASE_ROLE_SECRET, from which each role's password
 *   is derived; or
 * - `<CONTEXT>_DATABASE_URL` for a context whose database and role somebody else has made: it is only migrated.
 */
async function main(names: string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const unknown = names.filter((name) => !isContext(name));
  if (unknown.length > 0) throw new Error(`There is no ${unknown.join(', ')}, only ${DATABASE_CONTEXTS.join(', ')}`);
  const on = contextsOf(environment.MODULES ?? '');
  const chosen = names.length > 0 ? names.filter(isContext) : DATABASE_CONTEXTS.filter((context) => on.has(context));
  for (const context of chosen) {
    await migrateContext(await urlOf(context, environment), context);
    process.stdout.write(`${context}: up to date\n`);
  }
}

function isContext(name: string): name is DatabaseContext {
  return DATABASE_CONTEXTS.some((context) => context === name);
}

async function urlOf(context: DatabaseContext, environment: NodeJS.ProcessEnv): Promise<string> {
  const setting = `${context.toUpperCase()}_DATABASE_URL`;
  const { [setting]: given, DATABASE_URL: server, DATABASE_ROLE_SECRET: secret } = environment;
  if (given) return given;
  if (!server || !secret || secret.length < 32) {
    throw new Error(`Set ${setting}, or DATABASE_URL and DATABASE_ROLE_SECRET (32 or more random characters)`);
  }
  await ensureDatabase(server, context, secret);
  return contextUrl(server, context, secret);
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
