import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClients } from '../activities';
import { loadConfig } from '../platform/config';
import { HOSTED, type HostedEngine } from './engines';
import { orderSchema } from './order';

// The process of one engine: `node host.js <engine>`, with settings from the environment. The process takes bookings
// over HTTP, so that every engine is asked the same way and its CPU time can be told from the load generator's.

const CLOSE_WITHIN_MS = 20_000;

async function main(name: string | undefined): Promise<void> {
  if (!name || !(name in HOSTED)) throw new Error(`There is no engine ${name}`);
  const start = await HOSTED[name as HostedEngine]();
  const config = loadConfig(process.env, 'no-env-file');
  const clients = createClients(config);
  const engine = await start({
    config,
    clients,
    databaseUrl: process.env.BENCH_DATABASE_URL ?? '',
    folder: process.env.BENCH_FOLDER ?? '',
    poolSize: Number(process.env.BENCH_POOL_SIZE ?? 16),
  });
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    if (request.url === '/collect-garbage') {
      globalThis.gc?.();
      return void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(process.memoryUsage()));
    }
    const outcome = await engine.book(orderSchema.parse(JSON.parse(Buffer.concat(chunks).toString())));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(outcome));
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    setTimeout(() => process.exit(1), CLOSE_WITHIN_MS).unref();
    server.close();
    server.closeAllConnections();
    engine
      .close()
      .then(() => clients.close())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  process.once('SIGTERM', stop);
  process.once('disconnect', () => process.exit(1)); // the benchmark that started this process is gone
  process.send?.({ port: (server.address() as AddressInfo).port });
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
