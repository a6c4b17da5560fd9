import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres, { type Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/modules';
import { sqlState } from './client';
import { ensureDatabase, migrateDatabase } from './migrate';
import { databaseName, ownerUrl, rolePassword } from './roles';

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
const urlOf = (context: DatabaseContext) => ownerUrl(server.url, context, secret);
const inDatabase = (role: DatabaseContext, database: string) => {
  const url = new URL(urlOf(role));
  url.pathname = `/${database}`;
  return url.toString();
};

test('several processes that start at once make each database once and migrate it once', async () => {
  for (const context of DATABASE_CONTEXTS) {
    await Promise.all(
      [1, 2, 3].map(async () => {
        await ensureDatabase(server.url, context, secret);
        await migrateDatabase(urlOf(context), context);
      }),
    );
    const applied = await connected(urlOf(context), (sql) => sql`select hash from drizzle.__drizzle_migrations`);
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
    for (const other of DATABASE_CONTEXTS.filter((name) => name !== role))
      expect(await stateOf(inDatabase(role, databaseName(other)), (sql) => sql`select 1`)).toBe('42501');
  }
}, 30_000);

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
