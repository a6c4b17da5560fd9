import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { listSettings } from '../../platform/config';

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

/**
 * `count` different ports that were free a moment ago. None is from the range that the system gives to outgoing
 * connections (Linux from 32768 on, others higher), where a connection might take a port before it is used.
 */
export function freePorts(count: number): Promise<number[]> {
  return freePortsBeside([], count);
}

async function freePortsBeside(taken: number[], count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT);
    if (!ports.has(port) && !taken.includes(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

const [LOWEST_PORT, HIGHEST_PORT] = [10_000, 32_000];

function isFree(port: number): Promise<boolean> {
  return listenOnce(port, '127.0.0.1').then(
    () => true,
    () => false,
  );
}

/** More processes than a platform has, each of which has a management port: they count up from the setting's. */
const MANAGEMENT_PORTS = 20;

/** Ports one behind the other that were free a moment ago, from the lowest on. */
async function freePortsInARow(count: number): Promise<number[]> {
  for (;;) {
    const lowest = randomInt(LOWEST_PORT, HIGHEST_PORT - count);
    const ports = Array.from({ length: count }, (_, index) => lowest + index);
    const free = await Promise.all(ports.map(isFree));
    if (!free.includes(false)) return ports;
  }
}

/** A free port for every setting that names one, for a second platform on this machine (tests beside a running one). */
export async function freePortSettings(): Promise<Record<string, string>> {
  const names = listSettings()
    .map((setting) => setting.name)
    .filter((name) => name.endsWith('_PORT') && name !== 'MANAGEMENT_PORT');
  const management = await freePortsInARow(MANAGEMENT_PORTS);
  const ports = await freePortsBeside(management, names.length);
  return {
    ...Object.fromEntries(names.map((name, index) => [name, String(ports[index])])),
    MANAGEMENT_PORT: String(management[0]),
  };
}
