import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, connect as tcp } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { busUrl, ownerUrl } from '../../db/roles';
import type { DatabaseContext } from '../../kernel/modules';
import { freePorts } from '../machine/ports';
import { removeDataDir, temporaryDataDir } from '../machine/temporary-data';
import { identify, isRunning } from '../processes/identify';
import { type Launched, type LaunchListener, launch } from '../processes/launch';
import { prepareDatabases } from './databases';
import { embeddedPostgres } from './server';
import { startThrowawayPostgres } from './throwaway';

const ROLE_SECRET = 'role-secret-of-the-tests-role-secret-of-the-tests';
const CONTEXTS: DatabaseContext[] = ['booking', 'payment'];

let dataDir: string;
let port: number;
let said: string[];
let last: ChildProcess | undefined;

jest.setTimeout(60_000);

beforeAll(async () => {
  dataDir = temporaryDataDir();
  [port = 0] = await freePorts(1);
});
beforeEach(() => {
  said = [];
});
afterAll(async () => {
  await kill();
  removeDataDir(dataDir);
});

const keepLast: LaunchListener = {
  born(child) {
    last = child;
  },
  died: () => undefined,
  line: () => undefined,
};

async function kill() {
  if (!last || last.exitCode !== null || last.signalCode !== null) return;
  const exit = once(last, 'exit');
  last.kill('SIGKILL');
  await exit;
}

async function start(password = 'the-first-password') {
  const server = await embeddedPostgres({ dataDir, port, password, say: (line) => said.push(line) });
  let launched: Launched | undefined;
  for (let attempt = 1; !launched; attempt++) {
    launched = await launch(server.spec, keepLast, new AbortController().signal).catch((error: unknown) => {
      if (attempt === server.spec.attempts) throw error;
      return undefined;
    });
  }
  return { ...server, process: launched.process };
}

async function query<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connect_timeout: 5 });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

test('the first start makes a durable database server on the loopback interface only', async () => {
  // What a start that was killed in the middle left behind is no database and no hindrance.
  mkdirSync(join(dataDir, 'postgres.new'));
  writeFileSync(join(dataDir, 'postgres.new', 'PG_VERSION'), '18\n');
  const { url } = await start();
  expect(said).toEqual(['Making the PostgreSQL database, once']);
  await query(url, async (sql) => {
    const shown = await sql<{ name: string; setting: string }[]>`select name, setting from pg_settings where name in
      ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses', 'unix_socket_directories')`;
    expect(Object.fromEntries(shown.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    });
    const [letter] = await sql`select lower('ÉCOLE') as lower`;
    expect(letter).toEqual({ lower: 'école' });
    await sql`create table kept (id int)`;
  });
  for (const { address, internal, family } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
    if (internal || family !== 'IPv4') continue;
    const socket = tcp({ host: address, port });
    await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  }
});

test("each context's role opens its own database and no other", async () => {
  await kill();
  const { url } = await start();
  const options = { serverUrl: url, embedded: true, roleSecret: ROLE_SECRET, busUrl: {}, owners: CONTEXTS };
  const settings = await prepareDatabases({ ...options, databaseUrl: {}, say: () => undefined });
  const booking = ownerUrl(url, 'booking', ROLE_SECRET);
  expect(settings.BOOKING_DATABASE_URL).toBe(booking);
  const rows = await query(booking, (sql) => sql`select current_user as role, current_database() as database`);
  expect(rows[0]).toEqual({ role: 'booking', database: 'booking_db' });
  for (const other of ['payment_db', 'postgres', 'template1']) {
    const foreign = new URL(booking);
    foreign.pathname = `/${other}`;
    await expect(query(foreign.toString(), (sql) => sql`select 1`)).rejects.toMatchObject({ code: '42501' });
  }
  const guess = new URL(ownerUrl(url, 'payment', ROLE_SECRET));
  guess.password = new URL(booking).password;
  await expect(query(guess.toString(), (sql) => sql`select 1`)).rejects.toMatchObject({ code: '28P01' });
});

test('a database that a setting names is used as it is', async () => {
  const url = ownerUrl(`postgres://127.0.0.1:${port}`, 'booking', ROLE_SECRET);
  const given = {
    databaseUrl: { booking: url },
    busUrl: {},
    serverUrl: undefined,
    embedded: false,
    roleSecret: '',
    say: () => undefined,
  };
  const settings = await prepareDatabases({ ...given, owners: ['booking'] });
  expect(settings).toEqual({ BOOKING_DATABASE_URL: url });
  await expect(prepareDatabases({ ...given, owners: ['payment'] })).rejects.toThrow(
    'The database of payment could not be prepared: set PAYMENT_DATABASE_URL, or DATABASE_URL',
  );
});

test('the event bus of a server is made and its roles are told; one that settings name is only migrated', async () => {
  const serverUrl = await start().then(({ url }) => url);
  const common = { embedded: false, say: () => undefined, owners: ['bus'] as const };
  const made = await prepareDatabases({ databaseUrl: {}, busUrl: {}, serverUrl, roleSecret: ROLE_SECRET, ...common });
  const [appender, reader] = [
    busUrl(serverUrl, 'bus_appender', ROLE_SECRET),
    busUrl(serverUrl, 'bus_reader', ROLE_SECRET),
  ];
  const roles = { BUS_APPENDER_DATABASE_URL: appender, BUS_READER_DATABASE_URL: reader };
  expect(made).toEqual(roles);
  expect(await query(reader, (sql) => sql`select * from topics`)).toEqual([]);

  const given = { databaseUrl: { bus: ownerUrl(serverUrl, 'bus', ROLE_SECRET) }, serverUrl: undefined, roleSecret: '' };
  const both = { bus_appender: appender, bus_reader: reader };
  expect(await prepareDatabases({ ...given, ...common, busUrl: both })).toEqual(roles);
  await expect(prepareDatabases({ ...given, ...common, busUrl: { bus_appender: appender } })).rejects.toThrow(
    'The database of bus could not be prepared: set BUS_READER_DATABASE_URL, or DATABASE_URL',
  );
  await expect(prepareDatabases({ ...given, ...common, busUrl: both, databaseUrl: {} })).rejects.toThrow(
    'The database of bus could not be prepared: set BUS_DATABASE_URL, or DATABASE_URL',
  );
});

test('after kill -9 nothing is lost, also when its pid has gone to another process', async () => {
  await kill();
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
  const stranger = spawn('sleep', ['60']);
  const [, ...rest] = readFileSync(pidFile, 'utf8').split('\n');
  writeFileSync(pidFile, [stranger.pid, ...rest].join('\n'));
  const { url } = await start();
  expect(await query(url, (sql) => sql`select * from kept`)).toHaveLength(0);
  expect(said).toEqual([]);
  expect(stranger.exitCode).toBeNull();
  stranger.kill('SIGKILL');
});

test('a server that a killed run left running is stopped and started anew', async () => {
  const left = identify(last?.pid ?? 0);
  const { process, url } = await start();
  expect(process.pid).not.toBe(left?.pid);
  expect(left && isRunning(left)).toBe(false);
  expect(await query(url, (sql) => sql`select * from kept`)).toHaveLength(0);
});

test('deleting the secrets costs nothing: the next password is taken over', async () => {
  await kill();
  const { url } = await start('the-second-password');
  expect(await query(url, (sql) => sql`select * from kept`)).toHaveLength(0);
  const old = new URL(url);
  old.password = 'the-first-password';
  await expect(query(old.toString(), (sql) => sql`select 1`)).rejects.toMatchObject({ code: '28P01' });
});

test('a port in use is told with the setting that moves it', async () => {
  await kill();
  const taken = createServer().listen(port, '127.0.0.1');
  await once(taken, 'listening');
  await expect(start()).rejects.toThrow(`Port ${port} is taken: stop what uses it, or set POSTGRES_PORT to another`);
  taken.close();
});

test('data of another version are never touched', async () => {
  const version = join(dataDir, 'postgres', 'PG_VERSION');
  writeFileSync(version, '15\n');
  await expect(start()).rejects.toThrow('was made by PostgreSQL 15, and this is 18: move it away');
  writeFileSync(version, '18\n');
  expect(existsSync(join(dataDir, 'postgres', 'base'))).toBe(true);
});

test('it also runs on a folder that only its owner can enter: as root Postgres is another user', async () => {
  const closed = mkdtempSync(join(tmpdir(), 'tutorconnect-closed-')); // mode 700
  const inside = join(closed, 'data');
  mkdirSync(inside);
  const server = await embeddedPostgres({ dataDir: inside, port, password: 'p', say: (line) => said.push(line) });
  const note = join(inside, 'postgres.location');
  const data = existsSync(note) ? readFileSync(note, 'utf8').trim() : join(inside, 'postgres');
  try {
    await launch(server.spec, keepLast, new AbortController().signal);
    expect(await query(server.url, (sql) => sql`show data_directory`)).toEqual([{ data_directory: data }]);
    const moved = `PostgreSQL's own user cannot reach ${inside}: its data are in ${data}`;
    const made = 'Making the PostgreSQL database, once';
    expect(said).toEqual(process.getuid?.() === 0 ? [moved, made] : [made]);
    expect(statSync(closed).mode & 0o777).toBe(0o700);
  } finally {
    await kill();
    removeDataDir(inside);
    rmSync(closed, { recursive: true, force: true });
  }
});

test('a throwaway server works and leaves nothing', async () => {
  const server = await startThrowawayPostgres();
  expect(await query(server.url, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
  const [{ data_directory: data } = {}] = await query(server.url, (sql) => sql`show data_directory`);
  await server.stop();
  await expect(query(server.url, (sql) => sql`select 1`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(existsSync(String(data))).toBe(false);
});
