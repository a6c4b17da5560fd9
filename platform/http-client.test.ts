import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { serviceTokens } from './auth';
import { endpoint } from './endpoint';
import { createServiceClient, type ServiceClient } from './http-client';
import { withContext } from './telemetry';

const Thing = z.strictObject({ id: z.string() });
const contract = {
  get: endpoint({
    method: 'get',
    path: '/internal/things/{id}/parts/{part}',
    operationId: 'getPart',
    summary: 'A part',
    access: 'service',
    params: z.strictObject({ id: z.string(), part: z.string() }),
    query: z.strictObject({ after: z.string().optional(), limit: z.number().optional() }),
    replies: { 200: Thing },
  }),
  change: endpoint({
    method: 'post',
    path: '/internal/things',
    operationId: 'changeThing',
    summary: 'Change',
    access: 'service',
    idempotency: 'required',
    body: z.strictObject({ name: z.string() }),
    replies: { 201: Thing, 204: null },
  }),
};

const tokens = serviceTokens('a-secret-for-tests-a-secret-for-tests');
let server: Server;
let url: string;
let client: ServiceClient;
let respond: (request: IncomingMessage, response: ServerResponse) => void;
const seen: { method?: string; url?: string; headers: IncomingMessage['headers']; body: string }[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    respond(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  client = createServiceClient(url, tokens);
});
afterAll(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  seen.length = 0;
  answer(200, { id: 'x' });
});

function answer(status: number, body?: unknown, headers: Record<string, string> = {}): void {
  respond = (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  };
}

const change = (timeoutMs?: number) =>
  client.call(contract.change, {
    body: { name: 'n' },
    idempotencyKey: 'k',
    ...(timeoutMs !== undefined && { timeoutMs }),
  });

test('a call carries a service token, its key, its body and the trace and id of the request it is made for', async () => {
  answer(201, { id: 'x' });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  expect(await withContext({ requestId: 'r1', traceparent }, () => change())).toEqual({ id: 'x' });
  const [call] = seen;
  expect(call).toMatchObject({
    method: 'POST',
    url: '/internal/things',
    body: '{"name":"n"}',
    headers: { 'idempotency-key': 'k', 'x-request-id': 'r1', 'content-type': 'application/json' },
  });
  expect(call?.headers.traceparent).toMatch(
    /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/,
  );
  await tokens.verify(String(call?.headers.authorization).replace('Bearer ', ''));
});

test('whatever stands in a parameter, the path stays that of the operation', async () => {
  const params = { id: '../admin?x=1#', part: 'a/b c' };
  await client.call(contract.get, { params, query: { after: 'ä&b=1', limit: undefined } });
  expect(seen[0]?.url).toBe('/internal/things/..%2Fadmin%3Fx%3D1%23/parts/a%2Fb%20c?after=%C3%A4%26b%3D1');
  expect(seen[0]?.headers).not.toHaveProperty('idempotency-key');
});

test('an empty reply is undefined', async () => {
  answer(204);
  expect(await change()).toBeUndefined();
});

describe('a refusal', () => {
  const problem = { type: 't', title: 'T', status: 409, detail: 'Taken', instance: '/x', requestId: 'r' };

  test('keeps its code, detail, fields, extras and time to wait', async () => {
    const errors = [{ path: 'name', message: 'too short' }];
    answer(422, { ...problem, status: 422, code: 'validation_failed', errors, bookingId: 'b' }, { 'retry-after': '3' });
    await expect(change()).rejects.toMatchObject({
      name: 'ProblemError',
      code: 'validation_failed',
      detail: 'Taken',
      more: { errors, extras: { bookingId: 'b' }, retryAfterSeconds: 3 },
    });
  });

  test('without a usable time to wait names none', async () => {
    answer(503, { ...problem, code: 'upstream_unavailable' }, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' });
    const error = await change().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'upstream_unavailable' });
    expect(error).not.toHaveProperty('more.retryAfterSeconds');
  });
});

describe('a doubtful answer is upstream_unavailable, so that the call is made again', () => {
  test.each<[string, number, unknown]>([
    ['a code that nobody knows', 409, { code: 'surprise' }],
    ['a page of a proxy', 502, '<html>Bad gateway</html>'],
    ['a reply of another form', 201, { id: 7 }],
    ['a reply with more than was promised', 201, { id: 'x', secret: true }],
    ['a success that was not promised', 200, { id: 'x' }],
    ['a redirect', 302, ''],
    ['JSON that breaks off', 201, '{"id":'],
  ])('%s', async (_, status, body) => {
    answer(status, body);
    await expect(change()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  test('a connection that breaks after the request', async () => {
    respond = (_, response) => response.destroy();
    await expect(change()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  test('a connection that breaks inside the reply', async () => {
    respond = (_, response) => {
      response.writeHead(201, { 'content-length': '100' }).write('{"id":');
      setImmediate(() => response.destroy());
    };
    await expect(change()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  test('no answer in time', async () => {
    respond = () => undefined;
    await expect(change(50)).rejects.toMatchObject({
      code: 'upstream_unavailable',
      detail: expect.stringMatching(/in time$/),
    });
  });

  test('an answer that trickles in without end', async () => {
    respond = (_, response) => {
      response.writeHead(201, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 10);
      response.once('close', () => clearInterval(drip));
    };
    await expect(change(100)).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  test('nobody there, said with the code of the system and no address', async () => {
    const nobody = createServiceClient('http://127.0.0.1:1', tokens);
    const error = await nobody.call(contract.change, { body: { name: 'n' }, idempotencyKey: 'k' }).catch(String);
    expect(error).toMatch(/changeThing could not be reached.*\(ECONNREFUSED\)$/);
    expect(error).not.toContain('127.0.0.1');
    await nobody.close();
  });
});

test('a call ends with the time of whoever waits for it, however long it may take by itself', async () => {
  respond = () => undefined;
  const context = { requestId: 'r1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
  for (const inMs of [50, -1]) {
    const called = withContext({ ...context, deadline: Date.now() + inMs }, () => change(60_000));
    await expect(called).rejects.toMatchObject({ code: 'upstream_unavailable' });
  }
});
