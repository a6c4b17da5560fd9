import postgres from 'postgres';
import { prepareDatabases } from '../../dev/postgres/databases';
import { startThrowawayPostgres } from '../../dev/postgres/throwaway';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
let urls: Map<DatabaseContext, string>;

jest.setTimeout(60_000);
beforeAll(async () => {
  server = await startThrowawayPostgres();
  const none = Object.fromEntries(DATABASE_CONTEXTS.map((context) => [context, undefined]));
  const settings = await prepareDatabases({
    databaseUrl: none as Record<DatabaseContext, undefined>,
    busUrl: {},
    serverUrl: server.url,
    embedded: true,
    roleSecret: 'only-for-tests-only-for-tests-only-for-tests',
    say: () => undefined,
  });
  urls = new Map(
    DATABASE_CONTEXTS.map((context) => [context, settings[`${context.toUpperCase()}_DATABASE_URL`] ?? '']),
  );
});
afterAll(() => server?.stop());

/** Connects as `role` to a database; the SQLSTATE of the refusal, or who and where one is. */
async function connectAs(role: DatabaseContext, database: string): Promise<string> {
  const url = new URL(urls.get(role) ?? '');
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

const databaseOf = (context: DatabaseContext) => new URL(urls.get(context) ?? '').pathname.slice(1);
const INSUFFICIENT_PRIVILEGE = '42501';

test.each(DATABASE_CONTEXTS)('the role of %s opens its own database, and no other of the server', async (role) => {
  expect(await connectAs(role, databaseOf(role))).toMatch(new RegExp(` in ${databaseOf(role)}$`));
  const others = DATABASE_CONTEXTS.filter((context) => context !== role).map(databaseOf);
  for (const other of [...others, 'postgres', 'template1']) {
    expect([other, await connectAs(role, other)]).toEqual([other, INSUFFICIENT_PRIVILEGE]);
  }
});

test('no role may do more than its database needs', async () => {
  const sql = postgres(server.url, { max: 1 });
  const roles = DATABASE_CONTEXTS.map((context) => new URL(urls.get(context) ?? '').username);
  const powers = await sql<{ rolname: string }[]>`
    select rolname from pg_roles
    where rolname in ${sql(roles)} and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)`;
  await sql.end();
  expect(powers.map(({ rolname }) => rolname)).toEqual([]);
  expect(new Set(roles).size).toBe(DATABASE_CONTEXTS.length);
});
