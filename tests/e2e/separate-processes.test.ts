import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { request } from 'undici';
import { busUrl, ownerUrl } from '../../db/roles';
import { freePortSettings } from '../../dev/machine/ports';
import { startThrowawayPostgres } from '../../dev/postgres/throwaway';
import { buildOnce } from '../../dev/processes/build-once';
import { DATABASE_CONTEXTS } from '../../kernel/modules';
import { loadConfig } from '../../platform/config';
import { services } from '../../services';
import { workers } from '../../workers';
import { eventually } from '../support/platform';

// What the container image runs: compiled code, one name per process, settings by environment alone, a database role each, and those of the
// event bus that it needs.
const ROOT = join(__dirname, '..', '..');
const SECRET = 'for-this-test-only-0123456789-0123456789';
const WITHIN_MS = 60_000;
/** Those that keep something sealed: each has a secret of its own for that. */
const SEALING: ReadonlySet<string> = new Set(['identity', 'notification', 'payment']);

const children: { name: string; process: ChildProcess; output: string[] }[] = [];
let postgres: Awaited<ReturnType<typeof startThrowawayPostgres>>;
let folder: string;
let settings: Record<string, string>;
let reads: Record<string, string>;
let appends: Record<string, string>;

beforeAll(async () => {
  [postgres, folder] = await Promise.all([startThrowawayPostgres(), mkdtemp(join(tmpdir(), 'separate-'))]);
  await buildOnce();
  settings = { ...(await freePortSettings()), NODE_ENV: 'production', LOG_LEVEL: 'warn', SERVICE_TOKEN_SECRET: SECRET };
  reads = { BUS_READER_DATABASE_URL: busUrl(postgres.url, 'bus_reader', SECRET) };
  appends = { BUS_APPENDER_DATABASE_URL: busUrl(postgres.url, 'bus_appender', SECRET) };
}, WITHIN_MS);

afterAll(async () => {
  for (const { process } of children) process.kill('SIGKILL');
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}, WITHIN_MS);

/** Of the nth process of a test. */
const managementPort = (n: number) => ({ MANAGEMENT_PORT: String(Number(settings.MANAGEMENT_PORT) + n) });

function run(name: string, script: string, args: string[], env: Record<string, string>) {
  const path = join(ROOT, 'dist', script);
  // Started in an empty folder: nothing but the environment says what to do.
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, ...args], { cwd: folder, env });
  const output: string[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line);
        if (line === 'ready') resolve();
      });
    }
    child.once('exit', (code) => reject(new Error(`${name} ended (${code}): ${output.join('\n')}`)));
  });
  ready.catch(() => undefined);
  children.push({ name, process: child, output });
  return { child, output, ready };
}

async function migrate(env: Record<string, string>) {
  const { child, output } = run('migrate-all', 'db/migrate-all.js', [], env);
  const [code] = await once(child, 'exit');
  return { code, output };
}

test(
  'migrate-all says what it lacks',
  async () => {
    expect(await migrate({})).toEqual({
      code: 1,
      output: [expect.stringMatching(/^Set BUS_DATABASE_URL, or DATABASE_URL and DATABASE_ROLE_SECRET/)],
    });
  },
  WITHIN_MS,
);

test(
  'migrate-all makes every database, and may be repeated',
  async () => {
    for (const _ of [1, 2]) {
      expect(await migrate({ DATABASE_URL: postgres.url, DATABASE_ROLE_SECRET: SECRET })).toEqual({
        code: 0,
        output: ['bus', ...DATABASE_CONTEXTS].map((owner) => `${owner}: up to date`),
      });
    }
  },
  WITHIN_MS,
);

test(
  'each service runs in a process of its own with its own database role, and ends at SIGTERM',
  async () => {
    const started = Object.keys(services).map((name, index) => {
      const context = DATABASE_CONTEXTS.find((candidate) => candidate === name);
      const own = context && { [`${name.toUpperCase()}_DATABASE_URL`]: ownerUrl(postgres.url, context, SECRET) };
      const keys = SEALING.has(name) && { [`${name.toUpperCase()}_KEY_SECRET`]: SECRET };
      const bus = context ? { ...reads, ...appends } : reads;
      return {
        name,
        ...run(name, 'main.js', [name], { ...settings, ...own, ...bus, ...keys, ...managementPort(index) }),
      };
    });
    await Promise.all(started.map(({ ready }) => ready));

    const { servicePort } = loadConfig(settings, 'none');
    for (const [name, port] of Object.entries(servicePort)) {
      const health = await request(`http://127.0.0.1:${port}/healthz`);
      expect([name, health.statusCode, await health.body.json()]).toEqual([name, 200, { status: 'ok' }]);
    }
    // No Temporal here: a service's reads do not need it, and the gateway nothing but to have read whose session has ended.
    for (const [index, { name }] of started.entries()) {
      const readiness = await eventually(`${name} is ready`, async () => {
        const reply = await request(`http://127.0.0.1:${managementPort(index).MANAGEMENT_PORT}/readyz`);
        return reply.statusCode === 200 && reply;
      });
      const degraded = name === 'gateway' ? [] : ['temporal'];
      const status = name === 'gateway' ? 'ready' : 'degraded';
      expect([name, readiness.statusCode, await readiness.body.json()]).toEqual([
        name,
        200,
        { status, degraded, notReady: [] },
      ]);
    }

    const ends = started.map(async ({ name, child }) => [name, ...(await once(child, 'exit'))]);
    for (const { child } of started) child.kill('SIGTERM');
    expect(await Promise.all(ends)).toEqual(started.map(({ name }) => [name, 0, null]));
  },
  WITHIN_MS,
);

test(
  'a worker waits for a Temporal that is not there yet, not ready until then, and a service says which database it lacks, its own or the bus',
  async () => {
    const [name = ''] = Object.keys(workers);
    const worker = run(name, 'main.js', [name], { ...settings, TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const booking = run('booking', 'main.js', ['booking'], { ...settings, ...managementPort(1) });
    await expect(booking.ready).rejects.toThrow('set BOOKING_DATABASE_URL');
    const own = { BOOKING_DATABASE_URL: ownerUrl(postgres.url, 'booking', SECRET) };
    const silent = run('booking', 'main.js', ['booking'], { ...settings, ...own, ...reads, ...managementPort(2) });
    await expect(silent.ready).rejects.toThrow('set BUS_APPENDER_DATABASE_URL');
    const deaf = run('gateway', 'main.js', ['gateway'], { ...settings, ...managementPort(3) });
    await expect(deaf.ready).rejects.toThrow('set BUS_READER_DATABASE_URL');
    while (!worker.output.join().includes('Temporal is not answering yet')) await once(worker.child.stdout, 'data');
    const readiness = await request(`http://127.0.0.1:${settings.MANAGEMENT_PORT}/readyz`);
    expect([readiness.statusCode, await readiness.body.json()]).toEqual([
      503,
      { status: 'not_ready', degraded: [], notReady: [name] },
    ]);
  },
  WITHIN_MS,
);
