import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { compiledPath } from '../machine/paths';
import { buildOnce } from './build-once';
import { identify, isRunning, until } from './identify';

beforeAll(buildOnce, 120_000);

test('who waits for its end alone comes to what is to be done then', async () => {
  const script = `
    const reaper = require(${JSON.stringify(compiledPath('dev/processes/reaper.js'))}).startReaper();
    reaper.close().then(() => process.exit(7));`;
  // The shell's end and that of its pipe are heard in any order: two of seven ended too early.
  const codes = Array.from({ length: 12 }, async () => {
    const [code] = await once(spawn(process.execPath, ['-e', script], { stdio: 'inherit' }), 'exit');
    return code;
  });
  expect(new Set(await Promise.all(codes))).toEqual(new Set([7]));
});

test('when the supervisor is killed its children end by themselves, the deaf ones too', async () => {
  // A process that has a reaper and two children, one of which ignores SIGTERM, and tells their pids.
  const script = `
    const { spawn } = require('child_process');
    const reaper = require(${JSON.stringify(compiledPath('dev/processes/reaper.js'))}).startReaper(2);
    const sleeper = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const deaf = spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 0.2; done'], { detached: true, stdio: 'ignore' });
    const dropped = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    for (const { pid } of [sleeper, deaf, dropped]) reaper.add(pid, 'SIGTERM');
    reaper.drop(dropped.pid);
    setTimeout(() => console.log([sleeper.pid, deaf.pid, dropped.pid].join(' ')), 200);
    setInterval(() => {}, 1000);`;
  const supervisor = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(supervisor.stdout, 'data');
  const [sleeper, deaf, dropped] = String(line)
    .trim()
    .split(' ')
    .map((pid) => identify(Number(pid)));
  if (!sleeper || !deaf || !dropped) throw new Error('the children did not start');
  supervisor.kill('SIGKILL');
  expect(await until(() => !isRunning(sleeper), 5_000)).toBe(true);
  expect(await until(() => !isRunning(deaf), 20_000)).toBe(true);
  expect(isRunning(dropped)).toBe(true);
  process.kill(dropped.pid, 'SIGKILL');
}, 60_000);
