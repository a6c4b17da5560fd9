import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import type { DatabaseContext } from '../kernel/contexts';

/** The database and login role of a context: `booking_db` and `booking`. */
export const databaseName = (context: DatabaseContext) => `${context}_db`;

/** The password of a context's role: HMAC-SHA-256 of its name, so that one secret serves all and none can be derived from another. */
export function rolePassword(context: DatabaseContext, secret: string): string {
  return createHmac('sha256', secret).update(`database-role:${context}`).digest('base64url');
}

/** The connection string of `context`'s own role on the server that `serverUrl` names. */
export function contextUrl(serverUrl: string, context: DatabaseContext, secret: string): string {
  const url = new URL(serverUrl);
  url.username = context;
  url.password = rolePassword(context, secret);
  url.pathname = `/${databaseName(context)}`;
  return url.toString();
}

/**
 * Makes the context's role and database on the server if they are missing, closes the database to every other role and
 * sets the role's password. `serverUrl` must name a user that may create roles and databases.
 */
export async function ensureDatabase(serverUrl: string, context: DatabaseContext, secret: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined, connect_timeout: 5 });
  try {
    const role = sql(context);
    const database = sql(databaseName(context));
    // Two processes may start at once: one of them makes it, the other waits.
    await sql`select pg_advisory_lock(hashtext('tutorconnect:migrate'))`;
    const [found] = await sql`select 1 from pg_roles where rolname = ${context}`;
    if (!found) await sql`create role ${role} login`;
    // A password cannot be a bind parameter; it is base64url, so nothing in it needs escaping.
    await sql.unsafe(`alter role "${context}" with login password '${rolePassword(context, secret)}'`);
    await sql.unsafe(`grant "${context}" to current_user`).catch(() => undefined);
    const [exists] = await sql`select 1 from pg_database where datname = ${databaseName(context)}`;
    if (!exists) await sql`create database ${database} owner ${role}`;
    await sql`revoke all on database ${database} from public`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Applies the context's migrations that are missing, as its own role. @throws Error of the failing migration. */
export async function migrateContext(
  url: string,
  context: DatabaseContext,
  folder = migrationsFolder(context),
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connect_timeout: 5 });
  try {
    await sql`select pg_advisory_lock(hashtext('tutorconnect:migrate'))`;
    await migrate(drizzle(sql), { migrationsFolder: folder });
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** `db/migrations/<context>` beside this file, or beside `dist` when compiled: SQL is not copied by the compiler. */
function migrationsFolder(context: DatabaseContext): string {
  const beside = join(__dirname, 'migrations', context);
  return existsSync(beside) ? beside : join(__dirname, '..', '..', 'db', 'migrations', context);
}
