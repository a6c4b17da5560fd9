import { createHash } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireFreePort } from '../machine/ports';
import { runCommand } from '../machine/run-command';
import type { ChildSpec } from '../processes/child';
import { commandLine, identify, stopProcess } from '../processes/identify';
import { type PostgresHome, postgresHome } from './home';

export interface EmbeddedPostgres {
  spec: ChildSpec;
  /** Connection string of the superuser, for making roles and databases. */
  url: string;
}

const SUPERUSER = 'postgres';
// Five contexts keep up to eight connections each, in services and in workers, and tests run both as many processes.
const MAX_CONNECTIONS = 200;
const STOP_MS = 10_000;
// What Postgres needs from our environment; its own PG… variables would change which data it opens.
const environment = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

/**
 * A PostgreSQL server of our own with its data under `dataDir`. The first call makes the database, which takes a
 * second or two. The server is durable (fsync stays on), listens on the loopback interface only and has no Unix
 * socket. Nothing is started yet.
 * @throws Error for a person to read when it cannot be set up or its port is taken
 */
export async function embeddedPostgres(options: {
  dataDir: string;
  port: number;
  password: string;
  say: (line: string) => void;
  /** Settings of the server that differ, for tests that keep nothing. */
  settings?: Record<string, string>;
}): Promise<EmbeddedPostgres> {
  const { dataDir, port, password, say, settings } = options;
  const home = await postgresHome(dataDir, say);
  await stopLeftover(home.data);
  await requireFreePort(port, 'POSTGRES_PORT');
  await initialise(home, password, say);
  await usePassword(home, password);
  const url = new URL(`postgres://127.0.0.1:${port}/postgres`);
  url.username = SUPERUSER;
  url.password = password;
  return {
    url: url.toString(),
    spec: {
      name: 'postgres',
      command: join(home.bin, 'postgres'),
      args: [...serverArguments(home, settings), '-p', String(port)],
      env: environment,
      cwd: '/',
      user: home.user,
      beforeStart: () => stopLeftover(home.data),
      ready: { line: /database system is ready to accept connections/ },
      readyTimeoutMs: 60_000, // recovery after a crash replays what was written since the last checkpoint
      attempts: 5, // processes of a killed predecessor may hold its shared memory for another moment
      stopSignal: 'SIGINT', // the "fast" shutdown; SIGTERM would wait for every client to leave
      graceMs: STOP_MS,
      show: (line) => (/\b(?:FATAL|PANIC):/.test(line) ? line.replace(/^.*?(?=FATAL|PANIC)/, '') : undefined),
    },
  };
}

function serverArguments(home: PostgresHome, different: Record<string, string> = {}): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: MAX_CONNECTIONS,
    shared_buffers: '64MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // A refused row is the services' business, and its text may hold personal data: only faults of the server are logged.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    ...different,
  };
  return ['-D', home.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** Makes the database cluster under another name first, so that a half-made one is never taken for whole. */
async function initialise(home: PostgresHome, password: string, say: (line: string) => void): Promise<void> {
  const { data } = home;
  const draft = `${data}.new`;
  const passwordFile = `${data}.password`;
  for (const leftover of [draft, passwordFile]) rmSync(leftover, { recursive: true, force: true });
  if (existsSync(join(data, 'PG_VERSION'))) return checkVersion(home);
  say('Making the PostgreSQL database, once');
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (home.user) for (const path of [draft, passwordFile]) chownSync(path, home.user.uid, home.user.gid);
  try {
    const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
    const access = [`--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    const { code, output } = await runCommand(
      join(home.bin, 'initdb'),
      [`--pgdata=${draft}`, ...access, ...locale, '--no-instructions'],
      { ...home.user, env: environment, cwd: '/' },
    );
    if (code !== 0) throw new Error(`The PostgreSQL database could not be made in ${data}:\n${output}`);
    rmSync(data, { recursive: true, force: true });
    renameSync(draft, data);
    rememberPassword(home, password);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

async function checkVersion(home: PostgresHome): Promise<void> {
  const made = readFileSync(join(home.data, 'PG_VERSION'), 'utf8').trim();
  const { output } = await runCommand(join(home.bin, 'postgres'), ['--version'], { ...home.user, cwd: '/' });
  const now = /(\d+)/.exec(output)?.[1];
  if (now !== made) {
    throw new Error(
      `The database in ${home.data} was made by PostgreSQL ${made}, and this is ${now}: move it away to start with an empty one, or set DATA_DIR to another folder`,
    );
  }
}

const passwordMark = (home: PostgresHome) => `${home.data}.password-mark`;
const markOf = (password: string) => createHash('sha256').update(password).digest('hex');

function rememberPassword(home: PostgresHome, password: string): void {
  writeFileSync(passwordMark(home), markOf(password), { mode: 0o600 });
}

/** Gives the superuser `password` where the data know another one: after secrets.json was deleted and made anew. */
async function usePassword(home: PostgresHome, password: string): Promise<void> {
  const mark = passwordMark(home);
  if (existsSync(mark) && readFileSync(mark, 'utf8') === markOf(password)) return;
  // A connection needs the old password, single-user mode needs none. A password in base64url has nothing to escape.
  const { code, output } = await runCommand(
    join(home.bin, 'postgres'),
    ['--single', ...serverArguments(home), 'postgres'],
    { ...home.user, env: environment, cwd: '/', input: `alter role ${SUPERUSER} password '${password}'\n` },
  );
  if (code !== 0 || /ERROR|FATAL/.test(output)) {
    throw new Error(`The new password of secrets.json could not be given to the database in ${home.data}:\n${output}`);
  }
  rememberPassword(home, password);
}

/**
 * Stops a server that a killed supervisor left running on these data. Postgres refuses to start when the pid in its
 * pid file belongs to another process by now. Such a pid is replaced by one that cannot exist: Postgres sees a dead
 * predecessor, and still checks itself that no old process holds the shared memory.
 */
async function stopLeftover(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const [first = '', ...rest] = readFileSync(file, 'utf8').split('\n');
  const owner = identify(Number(first));
  if (!owner) return;
  if (commandLine(owner.pid).includes(data)) await stopProcess(owner, 'SIGINT', STOP_MS);
  else writeFileSync(file, [IMPOSSIBLE_PID, ...rest].join('\n'));
}

// Linux gives out at most 2^22, macOS 99,999.
const IMPOSSIBLE_PID = 2 ** 31 - 2;
