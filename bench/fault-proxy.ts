import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { z } from 'zod';

// A process between the payment service and its callers: `node fault-proxy.js <port> <upstream>`. POST /faults names
// the unlucky students. The proxy passes on the first charge of each of their bookings and closes the connection
// instead of answering: the money has moved, and the caller cannot know. Everything else passes.

const CHARGE = /^\/internal\/bookings\/[0-9a-f-]{36}\/payment$/;
const faultsSchema = z.strictObject({ unlucky: z.array(z.uuid()) });
const chargeSchema = z.looseObject({ payerId: z.string() });

function main(port: number, upstream: string): void {
  const agent = new Agent({ keepAlive: true });
  const unlucky = new Set<string>();
  const seen = new Set<string>();
  let lost = 0;

  const isLost = (incoming: IncomingMessage, body: Buffer): boolean => {
    if (unlucky.size === 0 || !CHARGE.test(incoming.url ?? '')) return false;
    const key = String(incoming.headers['idempotency-key']);
    if (seen.has(key) || !unlucky.has(chargeSchema.parse(JSON.parse(body.toString())).payerId)) return false;
    seen.add(key);
    lost += 1;
    return true;
  };

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks);
    if (incoming.url === '/faults') {
      if (incoming.method === 'POST') {
        unlucky.clear();
        for (const id of faultsSchema.parse(JSON.parse(body.toString())).unlucky) unlucky.add(id);
      }
      return void outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ lost }));
    }
    const lose = isLost(incoming, body);
    const options = { agent, method: incoming.method ?? 'GET', headers: incoming.headers };
    const sent = request(`${upstream}${incoming.url}`, options, (reply) => {
      if (lose) {
        reply.resume().on('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(outgoing);
    });
    sent.on('error', () => outgoing.destroy());
    sent.end(body);
  }

  createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  }).listen(port, '127.0.0.1', () => process.send?.({ port }));
  process.once('SIGTERM', () => process.exit(0));
  process.once('disconnect', () => process.exit(1));
}

main(Number(process.argv[2]), process.argv[3] ?? '');
