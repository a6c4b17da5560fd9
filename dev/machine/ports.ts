import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { listSettings } from '../../platform/settings';

/** Whether something answers at the port on this machine. */
export function answersAt(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 1_000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

/** Checks that the port can be had. @throws Error naming the setting that moves it when the port is taken */
export async function requireFreePort(port: number, setting: string, host = '127.0.0.1'): Promise<void> {
  await listenOnce(port, host).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE'
      ? new Error(`Port ${port} is taken: stop what uses it, or set ${setting} to another`)
      : new Error(`Port ${port} cannot be used (${error.code}): set ${setting} to another`);
  });
}

/** Takes the port and gives it back. Rejects with Node's error when it cannot be had. */
function listenOnce(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

/** Ports for tests and trials, below the range that the system gives to outgoing connections (Linux from 32768 on, others higher). */
const [LOWEST_PORT, HIGHEST_PORT] = [10_000, 32_000];

/**
 * A process gives out the ports of a block that is its own: it listens at the first of them as long as it lives, so that no other
 * process takes the block. A port is often used only seconds after it was given, and whoever merely looks may see it free till then.
 */
const BLOCK = 100;
const block = { next: 0, end: 0 };
let claiming: Promise<void> | undefined;

/**
 * `count` ports one behind the other, free now and given to nobody else that asks here, in this process or another.
 * @throws RangeError for more than a block has; Error when no block of ports can be had
 */
export async function freePorts(count: number): Promise<number[]> {
  if (count >= BLOCK) throw new RangeError(`No more than ${BLOCK - 1} ports are given at once`);
  for (;;) {
    if (block.end - block.next < count) {
      claiming ??= claimBlock().finally(() => {
        claiming = undefined;
      });
      await claiming;
      continue;
    }
    const first = block.next;
    block.next += count;
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map(isFree));
    if (!free.includes(false)) return ports;
  }
}

async function claimBlock(): Promise<void> {
  const blocks = Math.floor((HIGHEST_PORT - LOWEST_PORT) / BLOCK);
  const start = randomInt(blocks);
  for (let tried = 0; tried < blocks; tried++) {
    const first = LOWEST_PORT + ((start + tried) % blocks) * BLOCK;
    if (!(await keepListening(first))) continue;
    block.next = first + 1;
    block.end = first + BLOCK;
    return;
  }
  throw new Error(`Every block of ports from ${LOWEST_PORT} to ${HIGHEST_PORT} is taken`);
}

/** Listens at the port until this process ends, which it does not keep from ending. False when the port is taken. */
function keepListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const keeper = createServer((socket) => socket.destroy()).unref();
    keeper.once('error', () => resolve(false));
    keeper.listen(port, '127.0.0.1', () => resolve(true));
  });
}

function isFree(port: number): Promise<boolean> {
  return listenOnce(port, '127.0.0.1').then(
    () => true,
    () => false,
  );
}

/** More processes than a platform has, each of which has a management port: they count up from the setting's. */
const MANAGEMENT_PORTS = 20;

/** A free port for every setting that names one, for a second platform on this machine (tests beside a running one). */
export async function freePortSettings(): Promise<Record<string, string>> {
  const names = listSettings()
    .map((setting) => setting.name)
    .filter((name) => name.endsWith('_PORT') && name !== 'MANAGEMENT_PORT');
  const ports = await freePorts(names.length + MANAGEMENT_PORTS);
  return Object.fromEntries([...names, 'MANAGEMENT_PORT'].map((name, index) => [name, String(ports[index])]));
}
