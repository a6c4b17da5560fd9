import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, isRunning, stopProcess } from './identify';
import { lockHolder, tryLock, withLock } from './lock';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutorconnect-lock-'));
  file = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function deadProcess() {
  const child = spawn('sleep', ['60']);
  const id = identify(child.pid ?? 0);
  child.kill('SIGKILL');
  await once(child, 'close');
  if (!id) throw new Error('sleep did not start');
  return id;
}

test('of many who ask at once exactly one gets the lock', async () => {
  const releases = await Promise.all(Array.from({ length: 20 }, () => tryLock(file)));
  expect(releases.filter(Boolean)).toHaveLength(1);
  expect(lockHolder(file)?.pid).toBe(process.pid);
  for (const release of releases) release?.();
  expect(readdirSync(folder)).toEqual([]);
});

test('of many who find the lock of a dead process exactly one takes it over', async () => {
  writeFileSync(file, JSON.stringify(await deadProcess()));
  expect(lockHolder(file)).toBeUndefined();
  const releases = await Promise.all(Array.from({ length: 20 }, () => tryLock(file)));
  expect(releases.filter(Boolean)).toHaveLength(1);
});

test('a number given to another process since does not count as the holder', async () => {
  const self = identify(process.pid);
  writeFileSync(file, JSON.stringify({ ...self, born: 'another time' }));
  const release = await tryLock(file);
  expect(release).toBeDefined();
  release?.();
});

test('work under the lock never overlaps, and a failure gives the lock back', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise(setImmediate);
    inside--;
  };
  await Promise.all(Array.from({ length: 4 }, () => withLock(file, work)));
  expect(most).toBe(1);
  await expect(withLock(file, async () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(existsSync(file)).toBe(false);
});

test('a process is recognised while it lives, as a zombie no more, and stubborn ones are killed', async () => {
  const stubborn = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(stubborn.stdout, 'data');
  const id = identify(stubborn.pid ?? 0);
  if (!id) throw new Error('sh did not start');
  expect(isRunning(id)).toBe(true);
  await stopProcess(id, 'SIGTERM', 200);
  expect(isRunning(id)).toBe(false);
});
