import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { freePortSettings, freePorts } from './ports';

test('no port of a platform is given twice, and behind that of management there is room for all its processes', async () => {
  const { MANAGEMENT_PORT, ...others } = await freePortSettings();
  const ports = Object.values(others).map(Number);
  expect(new Set(ports).size).toBe(ports.length);
  const first = Number(MANAGEMENT_PORT);
  expect(first).toBeGreaterThan(0);
  expect(ports.filter((port) => port >= first && port < first + 15)).toEqual([]);
});

test('who asks at the same moment is given other ports, though none of them is used yet', async () => {
  const given = (await Promise.all(Array.from({ length: 30 }, () => freePorts(7)))).flat();
  expect(new Set(given).size).toBe(30 * 7);
});

describe('beside others', () => {
  const others: ChildProcess[] = [];
  const startOther = (source: string) => {
    const other = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
    others.push(other);
    return createInterface({ input: other.stdout });
  };
  afterEach(async () => {
    const ended = others.splice(0).map((other) => {
      other.kill('SIGKILL');
      return once(other, 'exit');
    });
    await Promise.all(ended);
  });

  test('no port is given that another process was given, though none of them is used yet', async () => {
    const askAndStay = `
      const { freePorts } = require('./dist/dev/machine/ports.js');
      freePorts(90).then((ports) => { console.log(JSON.stringify(ports)); setInterval(() => {}, 1_000); });`;
    const theirs = Array.from({ length: 8 }, async (): Promise<number[]> => {
      const [line] = await once(startOther(askAndStay), 'line');
      return JSON.parse(line);
    });
    const all = (await Promise.all([freePorts(90), ...theirs])).flat();
    expect(all).toHaveLength(9 * 90);
    expect(new Set(all).size).toBe(all.length);
  });

  test('a port that somebody else uses is passed over', async () => {
    const [port = 0] = await freePorts(1);
    const next = port + 1;
    await once(
      startOther(`require('node:net').createServer().listen(${next}, '127.0.0.1', () => console.log())`),
      'line',
    );
    expect(await freePorts(2)).not.toContain(next);
  });
});

test('more ports than a process may have in one go are refused', async () => {
  await expect(freePorts(100)).rejects.toThrow('No more than 99 ports are given at once');
});
