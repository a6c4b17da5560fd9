import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildSpec } from './child';
import { identify, until } from './identify';
import { livingChildren, noteChildren, stopLeftBehind } from './run-file';
import { createSupervisor, type Supervisor } from './supervisor';

let dataDir: string;
let said: string[];
let supervisor: Supervisor;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tutorconnect-supervisor-'));
  said = [];
  supervisor = createSupervisor({ dataDir, say: (line) => said.push(line) });
});
afterEach(async () => {
  await supervisor.killAll();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A child that runs `script` in Node and is ready when it prints so. */
function child(name: string, script: string, more: Partial<ChildSpec> = {}): ChildSpec {
  return {
    name,
    command: process.execPath,
    args: ['-e', script],
    env: { PATH: process.env.PATH },
    cwd: dataDir,
    ready: { line: /^ready$/ },
    readyTimeoutMs: 20_000,
    stopSignal: 'SIGTERM',
    graceMs: 10_000,
    show: (line) => (line.startsWith('!') ? line.slice(1) : undefined),
    ...more,
  };
}

const LIVE = `console.log('ready'); setInterval(() => {}, 1000);`;
const status = (name: string) => supervisor.children().find((one) => one.name === name);
const isBack = (name: string, pid: number | undefined) =>
  until(() => status(name)?.state === 'ready' && status(name)?.pid !== pid, 20_000);

test('a killed child comes back, and a line says so', async () => {
  await supervisor.start(child('service', LIVE));
  const { pid } = status('service') ?? {};
  await supervisor.kill('service');
  expect(await isBack('service', pid)).toBe(true);
  expect(said[0]).toBe('service ended (SIGKILL): starting it again');
  expect(said[1]).toMatch(/^service is back \(\d+\.\d s\)$/);
});

test('a child that ends at every start is tried at growing distance, and may still be stopped', async () => {
  const counter = join(dataDir, 'count');
  const once = `
    const fs = require('fs');
    fs.appendFileSync(${JSON.stringify(counter)}, '.');
    if (fs.statSync(${JSON.stringify(counter)}).size > 1) throw new Error('no good');
    ${LIVE}`;
  await supervisor.start(child('moody', once));
  await supervisor.kill('moody');
  expect(await until(() => said.filter((line) => line.includes('Trying again')).length >= 3, 30_000)).toBe(true);
  expect(said.filter((line) => line.includes('Trying again')).map((line) => line.split('\n').at(-1))).toEqual(
    expect.arrayContaining(['Trying again in 0.2 s', 'Trying again in 0.4 s', 'Trying again in 0.8 s']),
  );
  expect(said.join('\n')).toContain('no good');
  await supervisor.halt('moody');
  expect(status('moody')).toMatchObject({ state: 'stopped', pid: undefined });
});

test('a child that cannot start fails the start with its own words', async () => {
  const start = supervisor.start(child('broken', `console.error('Port 1 is taken'); process.exit(1)`));
  await expect(start).rejects.toThrow(/broken ended before it was ready \(exit code 1\)\n {2}Port 1 is taken/);
  await expect(supervisor.start(child('missing', '', { command: '/no/such/program' }))).rejects.toThrow('ENOENT');
});

test('a child that never gets ready is killed and fails the start', async () => {
  const hanging = child('hanging', `console.log('nearly'); setInterval(() => {}, 1000)`, { readyTimeoutMs: 500 });
  await expect(supervisor.start(hanging)).rejects.toThrow('hanging was not ready within 0.5 s');
  expect(await until(() => status('hanging')?.pid === undefined, 5_000)).toBe(true);
});

test('a child that is killed, halted and resumed at once is started once, not once more for its death', async () => {
  const starts = join(dataDir, 'starts');
  await supervisor.start(child('service', `require('fs').appendFileSync(${JSON.stringify(starts)}, '.'); ${LIVE}`));
  const ROUNDS = 5;
  for (let round = 0; round < ROUNDS; round++) {
    await supervisor.kill('service');
    await supervisor.halt('service');
    await supervisor.resume('service');
  }
  const { pid } = status('service') ?? {};
  await supervisor.kill('service'); // until it is back, whatever else was about to start has started
  expect(await isBack('service', pid)).toBe(true);
  expect(readFileSync(starts, 'utf8')).toHaveLength(1 + ROUNDS + 1);
});

test('a halted child stays down until it is resumed', async () => {
  await supervisor.start(child('service', LIVE));
  await supervisor.halt('service');
  expect(status('service')).toMatchObject({ state: 'stopped' });
  expect(livingChildren(dataDir)).toEqual([]);
  await supervisor.resume('service');
  expect(status('service')).toMatchObject({ state: 'ready' });
});

test('children stop step by step in the given order, and one that does not stop is killed', async () => {
  const order = join(dataDir, 'order');
  const note = (name: string) => `
    process.on('SIGTERM', () => setTimeout(() => {
      require('fs').appendFileSync(${JSON.stringify(order)}, '${name} ');
      process.exit(0);
    }, 100));
    ${LIVE}`;
  for (const name of ['ground', 'service', 'worker']) await supervisor.start(child(name, note(name)));
  await supervisor.start(child('deaf', `process.on('SIGTERM', () => {}); ${LIVE}`, { graceMs: 300 }));
  await supervisor.stopAll([['worker', 'deaf'], ['service'], ['ground']]);
  expect(readFileSync(order, 'utf8')).toBe('worker service ground ');
  expect(said).toEqual(['deaf did not stop within 0.3 s: killing it']);
  expect(livingChildren(dataDir)).toEqual([]);
  await expect(supervisor.start(child('late', LIVE))).rejects.toThrow('everything is being stopped');
});

test('all output goes to the log file, and the screen gets what is worth it', async () => {
  await supervisor.start(child('talker', `console.log('quiet'); console.error('!loud'); ${LIVE}`));
  await supervisor.stopAll([]);
  const log = readFileSync(join(dataDir, 'logs', 'talker.log'), 'utf8')
    .trim()
    .split('\n');
  expect(log.toSorted()).toEqual(['!loud', 'quiet', 'ready']);
  expect(said).toEqual(['[talker] loud']);
});

test('what is running is on record, so that the next start can stop it', async () => {
  await supervisor.start(child('service', LIVE));
  const [found] = livingChildren(dataDir);
  expect(found).toMatchObject({ name: 'service', pid: status('service')?.pid, stopSignal: 'SIGTERM' });
  await supervisor.halt('service');

  const orphan = await startOrphan();
  noteChildren(dataDir, [{ name: 'orphan', stopSignal: 'SIGTERM', ...orphan }]);
  await stopLeftBehind(dataDir, 5_000, (line) => said.push(line));
  expect(said).toEqual(['Stopping what a run that was killed left behind: orphan']);
  expect(identify(orphan.pid)).toBeUndefined();
});

test('a process that has the pid of one left behind is not touched', async () => {
  const stranger = await startOrphan();
  noteChildren(dataDir, [{ name: 'service', stopSignal: 'SIGTERM', pid: stranger.pid, born: 'long ago' }]);
  await stopLeftBehind(dataDir, 5_000, (line) => said.push(line));
  expect(said).toEqual([]);
  expect(identify(stranger.pid)).toEqual(stranger);
  process.kill(stranger.pid, 'SIGKILL');
});

async function startOrphan() {
  const { spawn } = await import('node:child_process');
  const { pid } = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  const id = identify(pid ?? 0);
  if (!id) throw new Error('sleep did not start');
  return id;
}
