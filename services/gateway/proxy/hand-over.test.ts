import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { request } from 'undici';
import { z } from 'zod';
import { ProblemError } from '../../../kernel/errors';
import { serviceTokens } from '../../../platform/auth';
import { endpoint } from '../../../platform/endpoint';
import { createService } from '../../../platform/http-server';
import { type Listening, listen } from '../../../platform/listen';
import { createLogger } from '../../../platform/telemetry';
import { startTestGateway, type TestGateway, until } from '../../../tests/support/gateway';

// The gateway before a service of its own process, and before the same service behind a plain TCP tunnel: what a client sees and
// what the service sees must not tell the one from the other.

const Seen = z.strictObject({
  headers: z.record(z.string(), z.unknown()),
  address: z.string(),
  query: z.record(z.string(), z.string()),
});
const contract = {
  see: endpoint({
    method: 'get',
    path: '/api/tutors/{id}',
    operationId: 'see',
    summary: 'What arrives',
    access: 'anonymous',
    params: z.strictObject({ id: z.string() }),
    query: z.object({ q: z.string() }).partial(),
    replies: { 200: Seen },
  }),
  wait: endpoint({
    method: 'get',
    path: '/api/tutors/{id}/slots',
    operationId: 'wait',
    summary: 'Answers when it is told to',
    access: 'anonymous',
    replies: { 200: z.strictObject({ items: z.array(z.string()) }) },
  }),
  write: endpoint({
    method: 'post',
    path: '/api/tutors/{id}/verify',
    operationId: 'write',
    summary: 'A write',
    access: 'anonymous',
    params: z.strictObject({ id: z.string() }),
    replies: { 200: Seen },
  }),
};

let waiting: (() => void)[] = [];
const connections = new Set<number | undefined>();

async function startService(): Promise<Listening> {
  const service = createService({
    name: 'tutoring',
    logger: createLogger('tutoring', 'silent'),
    contract,
    verifyUser: async () => ({ id: 'nobody', role: 'student', sessionId: 'none', amr: [] }),
    serviceTokens: serviceTokens('a-secret-for-tests-a-secret-for-tests'),
  });
  service.app.use((request, _response, next) => {
    connections.add(request.socket.localPort);
    next();
  });
  service.serve(contract.see, async ({ params, query, headers, address }) => {
    if (params.id === 'refused') throw new ProblemError('conflict', 'Not now', { retryAfterSeconds: 7 });
    return {
      status: 200 as const,
      body: { headers, address, query: { ...query } },
      headers: { 'Cache-Control': 'max-age=5', Link: '</x>' },
    };
  });
  service.serve(contract.wait, async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { status: 200 as const, body: { items: [] } };
  });
  service.serve(contract.write, async ({ headers, address, query }) => ({
    status: 200 as const,
    body: { headers, address, query: { ...query } },
  }));
  service.finish();
  return listen(service.app, '127.0.0.1', 0);
}

async function tunnelTo(port: number): Promise<TcpServer> {
  const tunnel = createTcpServer((from) => {
    const to = connect(port, '127.0.0.1');
    from.pipe(to).pipe(from);
    from.on('error', () => to.destroy());
    to.on('error', () => from.destroy());
  });
  await new Promise<void>((resolve) => tunnel.listen(0, '127.0.0.1', resolve));
  return tunnel;
}

const portOf = (server: Server | TcpServer) => (server.address() as AddressInfo).port;

/** A gateway that finds tutoring at `port`. */
function gatewayBefore(port: number): Promise<TestGateway> {
  return startTestGateway({
    environment: {
      TUTORING_URL: `http://127.0.0.1:${port}`,
      RATE_LIMIT_API: '100000',
      PUBLIC_URL: 'https://api.example.org',
      TRUSTED_PROXIES: '127.0.0.1',
      CORS_ORIGINS: 'https://app.example.org',
    },
    patience: { answer: 1_000 },
  });
}

let service: Listening;
let tunnel: TcpServer;
let beside: TestGateway;
let apart: TestGateway;
beforeAll(async () => {
  service = await startService();
  tunnel = await tunnelTo(service.port);
  beside = await gatewayBefore(service.port);
  apart = await gatewayBefore(portOf(tunnel));
});
afterAll(async () => {
  await beside.close();
  await apart.close();
  await service.close();
  tunnel.close();
});
beforeEach(() => {
  waiting = [];
  connections.clear();
});

describe('a read of a service in the same process', () => {
  const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const sent = {
    'x-forwarded-for': '203.0.113.9',
    'x-request-id': 'web-42',
    traceparent: TRACE,
    'x-custom': 'kept',
    te: 'trailers',
    origin: 'https://app.example.org',
    via: '1.0 somebody',
  };

  // The moment, and what belongs to one connection or says how long the rest is.
  const passing = new Set(['date', 'connection', 'keep-alive', 'content-length', 'ratelimit', 'host']);
  const lasting = (headers: object) =>
    Object.entries(headers)
      .filter(([name]) => !passing.has(name))
      .sort();

  async function reply(gateway: TestGateway, method: 'GET' | 'HEAD', path: string) {
    const { statusCode, headers, body } = await request(`${gateway.url}${path}`, { method, headers: sent });
    const text = (await body.text())
      .replaceAll(`:${gateway.port}`, '')
      .replaceAll(/(-[0-9a-f]{32}-)[0-9a-f]{16}/g, '$1');
    const seen = text === '' ? {} : JSON.parse(text);
    return { statusCode, headers: lasting(headers), body: { ...seen, headers: lasting(seen.headers ?? {}) } };
  }

  test.each([
    ['GET', '/api/tutors/a%20b?q=%C3%BC'],
    ['HEAD', '/api/tutors/1'],
    ['GET', '/api/v1/tutors/1'],
    ['GET', '/api/tutors/1?q=1&q=2'],
    ['GET', '/api/tutors/refused?q=x'],
    ['GET', '/api/tutors/1/nothing'],
    ['GET', '/api/tutors/1/verify'],
  ] as const)(
    '%s %s is what it would be over a connection, for the client and for the service',
    async (method, path) => {
      expect(await reply(beside, method, path)).toEqual(await reply(apart, method, path));
    },
  );

  test('travels over no connection but the client’s; a write does', async () => {
    await beside.ask('GET', '/api/tutors/1');
    expect([...connections]).toEqual([beside.port]);
    connections.clear();
    await beside.ask('POST', '/api/tutors/1/verify', { body: {} });
    expect([...connections]).toEqual([service.port]);
    connections.clear();
    await apart.ask('GET', '/api/tutors/1');
    expect([...connections]).toEqual([service.port]);
  });

  test('says the client’s address, which a trusted proxy before the gateway names', async () => {
    const reply = await beside.ask('GET', '/api/tutors/1', { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(reply.body).toMatchObject({ address: '203.0.113.9', headers: { 'x-forwarded-for': '203.0.113.9' } });
  });

  test('keeps what the service says about caching, and says no-store when it does not', async () => {
    expect((await beside.ask('GET', '/api/tutors/1')).headers).toMatchObject({ 'cache-control': 'max-age=5' });
    expect((await beside.ask('GET', '/api/tutors/refused')).headers).toMatchObject({ 'cache-control': 'no-store' });
  });

  test('that is not answered in time is refused, and the late answer does no harm', async () => {
    const late = await beside.ask('GET', '/api/tutors/1/slots');
    expect(late).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
    expect(late.headers).toMatchObject({ 'retry-after': '2', connection: 'close' });
    for (const answer of waiting) answer();
    expect(await beside.ask('GET', '/api/tutors/1')).toMatchObject({ status: 200 });
  });

  test('whose client goes away harms nobody', async () => {
    const socket = connect(beside.port, '127.0.0.1', () => {
      socket.write('GET /api/tutors/1/slots HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    await until(() => waiting.length === 1);
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    for (const answer of waiting) answer();
    expect(await beside.ask('GET', '/api/tutors/1')).toMatchObject({ status: 200 });
  });
});

test('a service that stops answers the reads it has taken, and no others', async () => {
  const stopping = await startService();
  const gateway = await gatewayBefore(stopping.port);
  const taken = gateway.ask('GET', '/api/tutors/1/slots');
  await until(() => waiting.length === 1);
  const stopped = stopping.close(5_000);
  const refused = await gateway.ask('GET', '/api/tutors/1');
  expect(refused).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
  for (const answer of waiting) answer();
  expect(await taken).toMatchObject({ status: 200 });
  await stopped;
  await gateway.close();
});

test('a service that is told to stop at once does not wait for a read', async () => {
  const stopping = await startService();
  const gateway = await gatewayBefore(stopping.port);
  const taken = gateway.ask('GET', '/api/tutors/1/slots').catch((error: unknown) => error);
  await until(() => waiting.length === 1);
  await stopping.close(1);
  expect(await taken).toBeInstanceOf(Error);
  for (const answer of waiting) answer();
  await gateway.close();
});

test('another process at another address is never taken for the one beside', async () => {
  const other = createServer((_, response) => void response.setHeader('content-type', 'text/plain').end('other'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const gateway = await gatewayBefore(portOf(other));
  expect(await gateway.ask('GET', '/api/tutors/1')).toMatchObject({ status: 200, body: 'other' });
  await gateway.close();
  other.close();
});
