import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensureDatabase, migrateDatabase } from '../db/migrate';
import { ownerUrl } from '../db/roles';
import { compiledPath } from '../dev/machine/paths';
import { freePortSettings } from '../dev/machine/ports';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { buildOnce } from '../dev/processes/build-once';
import { freeze } from '../dev/processes/freeze';
import { serviceTokens } from '../platform/auth';
import { uuidv7 } from '../platform/ids';
import { expectProblem } from './support/problems';
import { ask } from './support/service';

jest.setTimeout(120_000);

const SECRET = randomBytes(32).toString('base64url');
let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
let environment: Record<string, string>;
const children: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), 'tutorconnect-main-'));

beforeAll(async () => {
  await buildOnce();
  server = await startThrowawayPostgres();
  for (const owner of ['bus', 'notification'] as const) {
    await ensureDatabase(server.url, owner, SECRET);
    await migrateDatabase(ownerUrl(server.url, owner, SECRET), owner);
  }
});
afterAll(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  environment = {
    ...(await freePortSettings()),
    LOG_LEVEL: 'warn',
    SERVICE_TOKEN_SECRET: SECRET,
    NOTIFICATION_KEY_SECRET: SECRET,
    DATABASE_URL: server.url,
    DATABASE_ROLE_SECRET: SECRET,
    SHUTDOWN_GRACE_SECONDS: '5',
  };
});

/** The compiled program in a process of its own, with these settings and no others. */
function run(names: string[], settings: Record<string, string> = {}) {
  const child = spawn(process.execPath, [compiledPath('main.js'), ...names], {
    cwd: '/',
    env: { PATH: process.env.PATH ?? '', ...environment, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const logged: { level: number }[] = [];
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, errors, logged }));
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') resolve();
      else logged.push(JSON.parse(line));
    });
    void ended.then(() => reject(new Error(`it ended before it was ready: ${errors}`)));
  });
  ready.catch(() => undefined);
  return { child, ended, ready };
}
const url = (name: string) => `http://127.0.0.1:${environment[`${name}_PORT`]}`;

test.each([[[]], [['bookings']], [['booking', 'constructor']]])('%j is answered with what there is', async (names) => {
  const { code, errors } = await run(names).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(/node dist\/main\.js <name…>, of services, workers, all, gateway, identity, .*worker:booking/);
  for (const name of names.filter((known) => known !== 'booking')) expect(errors).toContain(`There is no ${name}`);
  expect(errors).not.toMatch(/^\s+at /m);
});

test('settings that cannot be used are named, all of them, before anything starts', async () => {
  const { code, errors } = await run(['notification'], { SERVICE_TOKEN_SECRET: '', LOG_LEVEL: 'loud' }).ended;
  expect(code).toBe(1);
  expect(errors).toMatch(/SERVICE_TOKEN_SECRET is missing/);
  expect(errors).toMatch(/LOG_LEVEL/);
});

test('a service without the secret that it seals with is refused, with what to do', async () => {
  const { code, errors } = await run(['notification'], { NOTIFICATION_KEY_SECRET: '' }).ended;
  expect(code).toBe(1);
  expect(errors).toContain('notification has no NOTIFICATION_KEY_SECRET');
  expect(errors).toContain('set it to 32 or more random characters');
  expect(errors).not.toMatch(/^\s+at /m);
});

test('a port that is taken is named with its setting, and what had started beside it is stopped', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(Number(environment.NOTIFICATION_PORT), '127.0.0.1', resolve));
  const { code, errors } = await run(['gateway', 'notification']).ended;
  expect(code).toBe(1);
  expect(errors).toContain(`Port ${environment.NOTIFICATION_PORT} is taken`);
  expect(errors).toContain('NOTIFICATION_PORT');
  await expect(ask(url('GATEWAY'), 'GET', '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await new Promise((resolve) => holder.close(resolve));
});

test('health, readiness and metrics of a process are on its management port, which serves nothing else, and on no public one', async () => {
  const { ready } = run(['gateway', 'notification']);
  await ready;
  for (const name of ['GATEWAY', 'NOTIFICATION']) {
    for (const path of ['/metrics', '/readyz']) expectProblem(await ask(url(name), 'GET', path), 404, 'not_found');
    expect(await ask(url(name), 'GET', '/healthz')).toMatchObject({ status: 200 });
  }
  const { body } = await ask(url('MANAGEMENT'), 'GET', '/metrics');
  for (const service of ['gateway', 'notification'])
    expect(body).toMatch(new RegExp(`^http_request_duration_seconds_count\\{service="${service}"`, 'm'));
  for (const path of [
    '/',
    '/openapi.json',
    '/asyncapi.json',
    '/docs',
    '/api/notifications',
    '/api/auth/.well-known/jwks.json',
  ])
    expectProblem(await ask(url('MANAGEMENT'), 'GET', path), 404, 'not_found');
});

test('a management port that is taken is named with its setting, and nothing starts', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(Number(environment.MANAGEMENT_PORT), '127.0.0.1', resolve));
  const { code, errors } = await run(['gateway']).ended;
  expect(code).toBe(1);
  expect(errors).toContain(`Port ${environment.MANAGEMENT_PORT} is taken`);
  expect(errors).toContain('MANAGEMENT_PORT');
  await new Promise((resolve) => holder.close(resolve));
});

test("from a server's address and the secret of roles each service finds its own database", async () => {
  const { child, ready, ended } = run(['notification', 'notification']);
  await ready;
  expect(await ask(url('MANAGEMENT'), 'GET', '/readyz')).toMatchObject({
    status: 200,
    body: { degraded: ['temporal'], notReady: [] },
  });
  const token = await serviceTokens(SECRET).issue();
  const path = `/internal/users/${uuidv7()}/preferences`;
  const reply = await ask(url('NOTIFICATION'), 'POST', path, { token, key: 'user:x/preferences' });
  expect(reply.status).toBeLessThan(500);
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, errors: '' });
});

test('while the event bus is away a service works and says so, a gateway that has read nothing is not ready, and both can be stopped', async () => {
  const away = 'postgres://nobody@127.0.0.1:1/bus_db';
  const settings = { BUS_APPENDER_DATABASE_URL: away, BUS_READER_DATABASE_URL: away };
  const { child, ready, ended } = run(['notification'], settings);
  await ready;
  expect(await ask(url('MANAGEMENT'), 'GET', '/readyz')).toMatchObject({
    status: 200,
    body: { status: 'degraded', degraded: ['bus', 'temporal'], notReady: [] },
  });
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, errors: '' });

  const gateway = run(['gateway'], settings);
  await gateway.ready;
  expect(await ask(url('GATEWAY'), 'GET', '/healthz')).toMatchObject({ status: 200 });
  expect(await ask(url('MANAGEMENT'), 'GET', '/readyz')).toMatchObject({
    status: 503,
    body: { notReady: ['gateway'] },
  });
  gateway.child.kill('SIGTERM');
  expect(await gateway.ended).toMatchObject({ code: 0, errors: '' });
});

/** A request that is under way: its head has arrived, and its body is yet to be sent. */
async function unfinishedRequest(key: string) {
  const token = await serviceTokens(SECRET).issue();
  const socket = connect(Number(environment.NOTIFICATION_PORT), '127.0.0.1');
  let reply = '';
  socket.setEncoding('utf8').on('data', (text) => {
    reply += text;
  });
  const closed = once(socket, 'close');
  const head = [
    `POST /internal/users/${uuidv7()}/preferences HTTP/1.1`,
    ...['Host: x', `Authorization: Bearer ${token}`, `Idempotency-Key: ${key}`],
    ...['Content-Type: application/json', 'Content-Length: 2', 'Expect: 100-continue'],
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  await once(socket, 'data'); // 100 Continue
  return { socket, closed, answered: () => reply };
}

/** Resolves when the service takes no more requests. */
async function refused(): Promise<void> {
  const isRefused = () =>
    ask(url('NOTIFICATION'), 'GET', '/healthz').then(
      () => false,
      () => true,
    );
  while (!(await isRefused()));
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s lets a request that is under way be answered, and ends with 0',
  async (signal) => {
    const { child, ready, ended } = run(['notification']);
    await ready;
    const { socket, closed, answered } = await unfinishedRequest(signal);
    child.kill(signal);
    await refused();
    expect(await ask(url('MANAGEMENT'), 'GET', '/readyz')).toMatchObject({ status: 503 });
    socket.write('{}');
    await closed;
    expect(answered()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 \d{3} /);
    expect(await ended).toMatchObject({ code: 0, signal: null, errors: '' });
  },
);

test.each([
  ['thrown', 'setImmediate(() => { throw error; })'],
  ['rejected with', 'void Promise.reject(error)'],
])(
  'an error that is %s and that nobody catches is logged; what runs is ended, and the exit code is 1',
  async (_, fails) => {
    const hook = join(folder, 'fails-when-told.js');
    const lines = `process.on('SIGUSR2', () => { const error = new Error('nobody thought of this'); ${fails}; });`;
    writeFileSync(hook, lines);
    const { child, ready, ended } = run(['notification'], { NODE_OPTIONS: `--require ${hook}` });
    await ready;
    const { socket, closed, answered } = await unfinishedRequest('uncaught');
    child.kill('SIGUSR2');
    await refused();
    expect(await ask(url('MANAGEMENT'), 'GET', '/readyz')).toMatchObject({ status: 503 });
    socket.write('{}');
    await closed;
    expect(answered()).toMatch(/\r\n\r\nHTTP\/1\.1 \d{3} /);
    const { code, logged } = await ended;
    expect(code).toBe(1);
    expect(logged.filter(({ level }) => level === 60)).toEqual([
      expect.objectContaining({ err: expect.objectContaining({ message: 'nobody thought of this' }) }),
    ]);
  },
);

test('an error that nobody catches ends the process also where something does not let itself be ended', async () => {
  const hook = join(folder, 'never-closes.js');
  const lines = [
    `require('node:net').Server.prototype.close = function () { return this; };`,
    `process.on('SIGUSR2', () => void Promise.reject(new Error('nobody thought of this')));`,
  ];
  writeFileSync(hook, lines.join('\n'));
  const settings = { NODE_OPTIONS: `--require ${hook}`, SHUTDOWN_GRACE_SECONDS: '1' };
  const { child, ready, ended } = run(['notification'], settings);
  await ready;
  child.kill('SIGUSR2');
  expect(await ended).toMatchObject({ code: 1, signal: null });
});

test('a process whose databases and bus hang can be stopped', async () => {
  const { child, ready, ended } = run(['notification', 'gateway'], { SHUTDOWN_GRACE_SECONDS: '1' });
  await ready;
  const frozen = freeze(server.pid, 60_000);
  try {
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, signal: null });
  } finally {
    frozen.thaw();
  }
});

test('a worker that still waits for Temporal is not ready, and can be stopped', async () => {
  const { child, ended } = run(['notification', 'worker:core'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
  for (;;) {
    const alive = await ask(url('NOTIFICATION'), 'GET', '/healthz').then(
      () => true,
      () => false,
    );
    if (alive) break;
  }
  expect(await ask(url('MANAGEMENT'), 'GET', '/readyz')).toMatchObject({
    status: 503,
    body: { status: 'not_ready', notReady: ['worker:core'] },
  });
  expect(await ask(url('MANAGEMENT'), 'GET', '/healthz')).toMatchObject({ status: 200 });
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
});
