import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/**
 * What is between a service and its database. `closes`: accepts and hangs up, as a balancer with nothing behind it does. `starting`: is
 * Postgres that starts or stops (SQLSTATE 57P03). `hangs`: accepts and says nothing.
 */
export type FrontMode = 'open' | 'closes' | 'starting' | 'hangs';

export type DatabaseFront = Awaited<ReturnType<typeof startDatabaseFront>>;

/** A front of `server` on a port of its own; as `mode` says for each new connection, and `open` until told otherwise. */
export async function startDatabaseFront(server: string) {
  const behind = new URL(server);
  const sockets = new Set<Socket>();
  let mode: FrontMode = 'open';
  let met = 0;
  let hear = (): void => undefined;
  const front = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    met++;
    hear();
    if (mode === 'open') {
      const through = connect(Number(behind.port), behind.hostname);
      through.on('error', () => socket.destroy());
      socket.on('close', () => through.destroy());
      through.on('close', () => socket.destroy());
      socket.pipe(through).pipe(socket);
    } else if (mode === 'closes') socket.end();
    else if (mode === 'starting') socket.once('data', () => socket.end(STARTING_UP));
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  const address = front.address();
  const url = new URL(server);
  url.port = String(typeof address === 'object' && address ? address.port : 0);
  return {
    /** The address to connect to `database` by. */
    urlOf(database: string): string {
      const { pathname } = new URL(database);
      return new URL(pathname, url).toString();
    },
    become(next: FrontMode): void {
      mode = next;
      met = 0;
    },
    /** Resolves when so many connections have been tried since the last `become`. */
    async tried(times: number): Promise<void> {
      while (met < times)
        await new Promise<void>((resolve) => {
          hear = resolve;
        });
    },
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      front.close();
      await once(front, 'close');
    },
  };
}

const fields = ['SFATAL', 'VFATAL', 'C57P03', 'Mthe database system is starting up'];
const body = Buffer.from(`${fields.join('\0')}\0\0`);
const head = Buffer.from('E\0\0\0\0');
head.writeInt32BE(body.length + 4, 1);
/** An ErrorResponse (PostgreSQL, 55.7 Message Formats). */
const STARTING_UP = Buffer.concat([head, body]);
