import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `hangs`: accepts and says nothing. `drips`: what the mail server says comes a byte a second. */
export type MailLineState = 'open' | 'hangs' | 'drips';

/** The line between the notification service and the mail catcher. */
export interface MailLine {
  smtpUrl: string;
  /** Also for conversations that are under way. */
  becomes(state: MailLineState): void;
  close(): Promise<void>;
}

const BYTE_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 50;

/** Opens a line on `port` to the catcher at `catcherPort`, which may be down at any moment. */
export async function openMailLine(port: number, catcherPort: number): Promise<MailLine> {
  let state: MailLineState = 'open';
  const sockets = new Set<Socket>();

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  };

  /** Passes on what one side says, as the state allows it at every byte. */
  async function pass(from: Socket, to: Socket, isServer: boolean): Promise<void> {
    for await (const chunk of from) {
      let rest = Buffer.from(chunk);
      while (rest.length > 0) {
        while (state === 'hangs' && !to.destroyed) await sleep(LOOK_EVERY_MS);
        if (to.destroyed) return;
        const part = state === 'drips' && isServer ? rest.subarray(0, 1) : rest;
        to.write(part);
        rest = rest.subarray(part.length);
        if (rest.length > 0) await sleep(BYTE_EVERY_MS);
      }
    }
    to.end();
  }

  const server = createServer((client) => {
    const catcher = connect(catcherPort, '127.0.0.1');
    keep(client);
    keep(catcher);
    for (const [from, to] of [
      [client, catcher],
      [catcher, client],
    ] as const) {
      // A side that is gone takes the other one with it.
      pass(from, to, from === catcher).catch(() => to.destroy());
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    smtpUrl: `smtp://127.0.0.1:${port}`,
    becomes(next) {
      state = next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
