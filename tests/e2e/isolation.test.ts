import postgres from 'postgres';
import { BUS_ROLES, databaseName } from '../../db/roles';
import { prepareDatabases } from '../../dev/postgres/databases';
import { startThrowawayPostgres } from '../../dev/postgres/throwaway';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
let settings: Record<string, string>;

/** All that processes are given a connection string for. */
const ROLES = [...DATABASE_CONTEXTS, ...BUS_ROLES];
type Role = (typeof ROLES)[number];

jest.setTimeout(60_000);
beforeAll(async () => {
  server = await startThrowawayPostgres();
  const none = Object.fromEntries(DATABASE_CONTEXTS.map((context) => [context, undefined]));
  settings = await prepareDatabases({
    databaseUrl: none as Record<DatabaseContext, undefined>,
    busUrl: {},
    serverUrl: server.url,
    embedded: true,
    roleSecret: 'only-for-tests-only-for-tests-only-for-tests',
    say: () => undefined,
  });
});
afterAll(() => server?.stop());

/** Connects as `role` to a database; the SQLSTATE of the refusal, or who and where one is. */
async function connectAs(role: Role, database: string): Promise<string> {
  const url = urlOf(role);
  url.pathname = `/${database}`;
  const sql = postgres(url.toString(), { max: 1, onnotice: () => undefined });
  try {
    const [row] = await sql<{ is: string }[]>`select current_user || ' in ' || current_database() as is`;
    return row?.is ?? '';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const urlOf = (role: Role) => new URL(settings[`${role.toUpperCase()}_DATABASE_URL`] ?? '');
const databaseOf = (role: Role) => urlOf(role).pathname.slice(1);
const DATABASES = [...DATABASE_CONTEXTS, 'bus' as const].map(databaseName);
const INSUFFICIENT_PRIVILEGE = '42501';

test.each(ROLES)('the role of %s opens its own database, and no other of the server', async (role) => {
  expect(DATABASES).toContain(databaseOf(role));
  expect(await connectAs(role, databaseOf(role))).toMatch(new RegExp(` in ${databaseOf(role)}$`));
  const others = DATABASES.filter((database) => database !== databaseOf(role));
  for (const other of [...others, 'postgres', 'template1']) {
    expect([other, await connectAs(role, other)]).toEqual([other, INSUFFICIENT_PRIVILEGE]);
  }
});

test('what owns the event bus is for migrating it: no process is given it', () => {
  expect(Object.keys(settings).toSorted()).toEqual(
    ROLES.map((role) => `${role.toUpperCase()}_DATABASE_URL`).toSorted(),
  );
});

test('no role may do more than its database needs', async () => {
  const sql = postgres(server.url, { max: 1 });
  const roles = [...ROLES.map((role) => urlOf(role).username), 'bus'];
  const powers = await sql<{ rolname: string }[]>`
    select rolname from pg_roles
    where rolname in ${sql(roles)} and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)`;
  await sql.end();
  expect(powers.map(({ rolname }) => rolname)).toEqual([]);
  expect(new Set(roles).size).toBe(ROLES.length + 1);
});
