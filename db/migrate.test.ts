import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres, { type Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/modules';
import { sqlState } from './client';
import { ensureDatabase, migrateDatabase } from './migrate';
import { BUS_ROLES, type BusRole, busUrl, type DatabaseOwner, databaseName, ownerUrl, rolePassword } from './roles';

// A server of its own: roles are shared by all databases of a server.
let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
const secret = randomBytes(32).toString('base64url');
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

async function connected<T>(url: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}
const stateOf = (url: string, work: (sql: Sql) => Promise<unknown>) =>
  connected(url, work).then(() => 'done', sqlState);
const OWNERS: readonly DatabaseOwner[] = [...DATABASE_CONTEXTS, 'bus'];
const urlOf = (owner: DatabaseOwner) => ownerUrl(server.url, owner, secret);
const busUrlOf = (role: BusRole) => busUrl(server.url, role, secret);
const elsewhere = (address: string, database: string) => {
  const url = new URL(address);
  url.pathname = `/${database}`;
  return url.toString();
};
const inDatabase = (role: DatabaseContext, database: string) => elsewhere(urlOf(role), database);

test('several processes that start at once make each database once and migrate it once', async () => {
  for (const owner of OWNERS) {
    await Promise.all(
      [1, 2, 3].map(async () => {
        await ensureDatabase(server.url, owner, secret);
        await migrateDatabase(urlOf(owner), owner);
      }),
    );
    const applied = await connected(urlOf(owner), (sql) => sql`select hash from drizzle.__drizzle_migrations`);
    expect(applied.length).toBeGreaterThan(0);
    expect(new Set(applied.map(({ hash }) => hash)).size).toBe(applied.length);
  }
}, 60_000);

test('every context has its outbox and its idempotency keys', async () => {
  for (const context of DATABASE_CONTEXTS) {
    const tables = await connected(
      urlOf(context),
      (sql) => sql`select tablename from pg_tables where schemaname = 'public'`,
    );
    const names = tables.map(({ tablename }) => tablename);
    expect(names).toEqual(expect.arrayContaining(['events', 'idempotency_keys']));
  }
});

test('a role opens its own database and no other', async () => {
  for (const role of DATABASE_CONTEXTS) {
    expect(await stateOf(urlOf(role), (sql) => sql`select 1`)).toBe('done');
    for (const other of OWNERS.filter((name) => name !== role))
      expect(await stateOf(inDatabase(role, databaseName(other)), (sql) => sql`select 1`)).toBe('42501');
  }
}, 30_000);

describe('the event bus', () => {
  const FUNCTIONS = {
    take_lease: `take_lease('test.events', 'test', 60)`,
    keep_lease: `keep_lease('test.events', 1, 60)`,
    append_events: `append_events('test.events', 1, 60, false, '[]')`,
    end_lease: `end_lease('test.events', 1)`,
  };
  const WRITES = [
    `insert into topics (name) values ('mine.events')`,
    'update topics set next_offset = 0',
    'delete from topics',
    `insert into messages select * from messages`,
    'update messages set data = null',
    'delete from messages',
    'truncate messages',
    'create table intruder ()',
    'create temporary table intruder ()',
  ];
  const refusalsOf = async (role: BusRole, statements: readonly string[]) => {
    const states: [string, string | undefined][] = [];
    for (const statement of statements)
      states.push([statement, await stateOf(busUrlOf(role), (sql) => sql.unsafe(statement))]);
    return states.filter(([, state]) => state !== '42501');
  };
  /** The functions of the bus that a role may call. */
  const callable = async (role: BusRole) => {
    const rows = await connected(
      urlOf('bus'),
      (sql) => sql<{ name: string }[]>`
        select proname as name from pg_proc
        where pronamespace = 'public'::regnamespace and has_function_privilege(${role}, oid, 'execute') order by 1`,
    );
    return rows.map(({ name }) => name);
  };

  test('is appended to by four functions, by a role that neither reads nor writes its tables', async () => {
    await connected(busUrlOf('bus_appender'), async (sql) => {
      for (const call of Object.values(FUNCTIONS)) await sql.unsafe(`select ${call}`);
    });
    expect(await callable('bus_appender')).toEqual(Object.keys(FUNCTIONS).toSorted());
    expect(await refusalsOf('bus_appender', ['select from topics', 'select from messages', ...WRITES])).toEqual([]);
  });

  test('is read by a role that neither writes its tables nor appends', async () => {
    for (const statement of ['select name from topics', 'select * from messages', 'listen changed'])
      expect([statement, await stateOf(busUrlOf('bus_reader'), (sql) => sql.unsafe(statement))]).toEqual([
        statement,
        'done',
      ]);
    expect(await callable('bus_reader')).toEqual([]);
    const calls = Object.values(FUNCTIONS).map((call) => `select ${call}`);
    expect(await refusalsOf('bus_reader', [...calls, ...WRITES])).toEqual([]);
  });

  test.each(BUS_ROLES)("%s opens no context's database", async (role) => {
    for (const context of DATABASE_CONTEXTS)
      expect(await stateOf(elsewhere(busUrlOf(role), databaseName(context)), (sql) => sql`select 1`)).toBe('42501');
  });

  test('has new passwords for all its roles with a new secret', async () => {
    const next = randomBytes(32).toString('base64url');
    await ensureDatabase(server.url, 'bus', next);
    for (const role of BUS_ROLES) {
      expect(await stateOf(busUrlOf(role), (sql) => sql`select 1`)).toBe('28P01');
      expect(await stateOf(busUrl(server.url, role, next), (sql) => sql`select 1`)).toBe('done');
    }
    await ensureDatabase(server.url, 'bus', secret);
  });
});

test("a role has no rights that reach beyond it: it makes no roles and databases and reads no server's files", async () => {
  expect(await stateOf(urlOf('booking'), (sql) => sql`create role intruder`)).toBe('42501');
  expect(await stateOf(urlOf('booking'), (sql) => sql`create database intruder`)).toBe('42501');
  expect(await stateOf(urlOf('booking'), (sql) => sql`set role payment`)).toBe('42501');
  expect(await stateOf(urlOf('booking'), (sql) => sql`select pg_read_file('/etc/hostname')`)).toBe('42501');
});

test("another role's password, or that of another secret, opens nothing", async () => {
  const url = new URL(urlOf('payment'));
  url.password = rolePassword('booking', secret);
  expect(await stateOf(url.toString(), (sql) => sql`select 1`)).toBe('28P01');
  const guess = ownerUrl(server.url, 'payment', `${secret}x`);
  expect(await stateOf(guess, (sql) => sql`select 1`)).toBe('28P01');
});

test('a new secret takes effect at the next start, and the data stays', async () => {
  const next = randomBytes(32).toString('base64url');
  await connected(urlOf('booking'), (sql) => sql`create table kept ()`);
  await ensureDatabase(server.url, 'booking', next);
  expect(await stateOf(urlOf('booking'), (sql) => sql`select 1`)).toBe('28P01');
  expect(await stateOf(ownerUrl(server.url, 'booking', next), (sql) => sql`drop table kept`)).toBe('done');
  await ensureDatabase(server.url, 'booking', secret);
});

test('a user that may make roles and databases, though no superuser, is enough', async () => {
  await connected(server.url, async (sql) => {
    await sql`drop database identity_db with (force)`;
    await sql`drop role identity`;
    await sql`create role operator login createrole createdb password 'operator'`;
  });
  const url = new URL(server.url);
  url.username = 'operator';
  url.password = 'operator';
  await ensureDatabase(url.toString(), 'identity', secret);
  await ensureDatabase(url.toString(), 'identity', secret);
  await migrateDatabase(urlOf('identity'), 'identity');
  expect(await stateOf(inDatabase('booking', 'identity_db'), (sql) => sql`select 1`)).toBe('42501');
}, 30_000);

test('a migration that fails is reported with its cause and leaves nothing of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutorconnect-migrations-'));
  mkdirSync(join(folder, 'meta'));
  const entry = { idx: 0, version: '7', when: Date.now(), tag: '0000_bad', breakpoints: true };
  const journal = { version: '7', dialect: 'postgresql', entries: [entry] };
  writeFileSync(join(folder, 'meta/_journal.json'), JSON.stringify(journal));
  writeFileSync(join(folder, '0000_bad.sql'), 'create table half ();--> statement-breakpoint\nselect nonsense;');
  const failure = await migrateDatabase(urlOf('booking'), 'booking', folder).catch((error: unknown) => error);
  expect(sqlState(failure)).toBe('42703');
  expect(await stateOf(urlOf('booking'), (sql) => sql`select from half`)).toBe('42P01');
  rmSync(folder, { recursive: true });
});

test('the connection string names role and database and keeps the rest of the server address', () => {
  const url = new URL(ownerUrl('postgres://root:a%40b@db.example:6000/postgres?sslmode=require', 'booking', secret));
  expect([url.username, url.host, url.pathname, url.search]).toEqual([
    'booking',
    'db.example:6000',
    '/booking_db',
    '?sslmode=require',
  ]);
  expect(url.password).toMatch(/^[\w-]{43}$/);
  expect(() => ownerUrl('not a url', 'booking', secret)).toThrow('Invalid URL');
});
