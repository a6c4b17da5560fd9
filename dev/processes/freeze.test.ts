import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freeze } from './freeze';
import { until } from './identify';

const LONG_MS = 60_000;
const SHORT_MS = 200;

let parent: ChildProcess;
let child: number;
beforeEach(async () => {
  // The child has a session of its own, as the processes of Postgres have.
  const script = `
    const { pid } = require('child_process').spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    console.log(pid); setInterval(() => {}, 1000);`;
  parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  if (!parent.stdout) throw new Error('there is no output');
  const [line] = await once(parent.stdout, 'data');
  child = Number(String(line));
});
afterEach(() => {
  parent.kill('SIGKILL');
  process.kill(child, 'SIGKILL');
});

const isStopped = (pid: number | undefined) =>
  execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('T');

test('a frozen process and its children hang until they are let go', async () => {
  const frozen = freeze(parent.pid ?? 0, LONG_MS);
  expect(await until(() => isStopped(parent.pid) && isStopped(child), 5_000)).toBe(true);
  frozen.thaw();
  expect(await until(() => !isStopped(parent.pid) && !isStopped(child), 5_000)).toBe(true);
  frozen.thaw();
});

test('whoever is not let go in time goes on by itself', async () => {
  freeze(parent.pid ?? 0, SHORT_MS);
  expect(await until(() => !isStopped(parent.pid) && !isStopped(child), 10_000)).toBe(true);
});

test('a process that is gone is nothing to freeze', () => {
  expect(() => freeze(2 ** 22 + 1, SHORT_MS).thaw()).not.toThrow();
});
