import { connect } from 'node:net';

/** A connection on which nothing happens for this long is an error: the server cuts a slow client off before that. */
const OPEN_MS = 20_000;

/**
 * Sends `bytes` to the host and port of `url` as no client would send them. Resolves with all that the server answered until it ended
 * the connection. @throws Error when the server leaves the connection open
 */
export function sendRaw(url: string, bytes: string, drip?: Drip): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let reply = '';
    socket.setTimeout(OPEN_MS, () => socket.destroy(new Error('the connection was left open')));
    socket.setEncoding('utf8').on('data', (chunk) => {
      reply += chunk;
    });
    socket.once('error', reject).once('close', () => resolve(reply));
    socket.write(bytes);
    if (!drip) return;
    const dripping = setInterval(() => socket.writable && socket.write(drip.bytes), drip.everyMs);
    socket.once('close', () => clearInterval(dripping));
  });
}

/** What a client goes on to send, so often, for as long as it can. */
export interface Drip {
  bytes: string;
  everyMs: number;
}
