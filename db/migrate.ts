import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres, { type Sql } from 'postgres';
import { BUS_ROLES, type BusRole, type DatabaseOwner, databaseName, rolePassword } from './roles';

/**
 * Makes the owner's role and database on the server if they are missing, closes the database to every other role and
 * sets the role's password; of the event bus also the roles that append and read. `serverUrl` must name a user that may create roles and
 * databases. @throws PostgresError when it may not
 */
export async function ensureDatabase(serverUrl: string, owner: DatabaseOwner, secret: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined, connect_timeout: 5 });
  try {
    const database = sql(databaseName(owner));
    // Two processes may start at once: one of them makes it, the other waits.
    await sql`select pg_advisory_lock(hashtext('tutorconnect:migrate'))`;
    await ensureRole(sql, owner, secret);
    await sql.unsafe(`grant "${owner}" to current_user`).catch(() => undefined);
    const [exists] = await sql`select 1 from pg_database where datname = ${databaseName(owner)}`;
    if (!exists) await sql`create database ${database} owner ${sql(owner)}`;
    await sql`revoke all on database ${database} from public`;
    if (owner !== 'bus') return;
    for (const role of BUS_ROLES) {
      await ensureRole(sql, role, secret);
      await sql`grant connect on database ${database} to ${sql(role)}`;
    }
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function ensureRole(sql: Sql, role: DatabaseOwner | BusRole, secret: string): Promise<void> {
  const [found] = await sql`select 1 from pg_roles where rolname = ${role}`;
  if (!found) await sql`create role ${sql(role)} login`;
  // A password cannot be a bind parameter; it is base64url, so nothing in it needs escaping.
  await sql.unsafe(`alter role "${role}" with login password '${rolePassword(role, secret)}'`);
}

/** Applies the migrations that a database lacks, as the role that owns it. @throws Error of the failing migration. */
export async function migrateDatabase(
  url: string,
  owner: DatabaseOwner,
  folder = migrationsFolder(owner),
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connect_timeout: 5 });
  try {
    await sql`select pg_advisory_lock(hashtext('tutorconnect:migrate'))`;
    await migrate(drizzle(sql), { migrationsFolder: folder });
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** `db/migrations/<owner>` beside this file, or beside `dist` when compiled: SQL is not copied by the compiler. */
function migrationsFolder(owner: DatabaseOwner): string {
  const beside = join(__dirname, 'migrations', owner);
  return existsSync(beside) ? beside : join(__dirname, '..', '..', 'db', 'migrations', owner);
}
