import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import type { DatabaseContext } from '../kernel/modules';
import { databaseName, rolePassword } from './roles';

/**
 * Makes the context's role and database on the server if they are missing, closes the database to every other role and
 * sets the role's password. `serverUrl` must name a user that may create roles and databases.
 * @throws PostgresError when it may not
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
