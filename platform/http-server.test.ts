import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { ProblemError } from '../kernel/errors';
import { type Ask, ask } from '../tests/support/service';
import { serviceTokens, type User } from './auth';
import { type Endpoint, endpoint } from './endpoint';
import { type Call, createService, type Listening, listen, type Readiness } from './http-server';
import { uuidv7 } from './ids';
import { IdParams, PageQuery, Problem, text } from './schemas';
import { createLogger, currentContext } from './telemetry';

const Body = z.strictObject({ name: text(1, 50), size: z.int().optional() });
const Reply = z.strictObject({ id: z.string() });
const contract = {
  create: endpoint({
    method: 'post',
    path: '/api/things',
    operationId: 'createThing',
    summary: 'Create a thing',
    access: ['tutor'],
    idempotency: 'required',
    body: Body,
    replies: { 201: Reply },
  }),
  change: endpoint({
    method: 'patch',
    path: '/api/things/{id}',
    operationId: 'changeThing',
    summary: 'Change a thing',
    access: 'anonymous',
    idempotency: 'optional',
    params: IdParams,
    body: Body,
    replies: { 200: z.strictObject({ id: z.string(), fingerprint: z.string(), key: z.string() }) },
  }),
  list: endpoint({
    method: 'get',
    path: '/api/things',
    operationId: 'listThings',
    summary: 'List things',
    access: 'user',
    query: PageQuery,
    replies: { 200: z.strictObject({ userId: z.string(), limit: z.int() }) },
  }),
  remove: endpoint({
    method: 'delete',
    path: '/internal/things/{id}',
    operationId: 'removeThing',
    summary: 'Remove a thing',
    access: 'service',
    params: IdParams,
    replies: { 204: null },
  }),
  hook: endpoint({
    method: 'post',
    path: '/api/hook',
    operationId: 'hook',
    summary: 'Take news',
    access: 'signed',
    replies: { 200: z.strictObject({ bytes: z.int() }) },
  }),
  fail: endpoint({
    method: 'get',
    path: '/api/fail/{how}',
    operationId: 'fail',
    summary: 'Fail',
    access: 'anonymous',
    params: z.strictObject({ how: z.enum(['internal', 'refuse', 'wait', 'database', 'slow']) }),
    replies: { 200: z.strictObject({ done: z.boolean() }) },
  }),
};

const tutor: User = { id: uuidv7(), role: 'tutor', sessionId: uuidv7() };
const tokens = serviceTokens('a-secret-for-tests-a-secret-for-tests');
const SECRET_TEXT = 'select password from users';
const failures: Record<string, () => unknown> = {
  internal: () => new Error(SECRET_TEXT),
  refuse: () => new ProblemError('conflict', 'Not now', { extras: { thingId: 'x' }, headers: { Link: '</x>' } }),
  wait: () => new ProblemError('upstream_unavailable', undefined, { retryAfterSeconds: 7 }),
  database: () => Object.assign(new Error(SECRET_TEXT), { cause: { code: '57P01' } }),
};

let readiness: () => Promise<Readiness> = async () => ({ ready: true });
let slowCalls: (() => void)[] = [];
let slowBegun = () => undefined as unknown;
let listening: Listening;
let url: string;

async function start() {
  const service = createService({
    name: 'things',
    logger: createLogger('things', 'silent'),
    contract,
    verifyUser: async (token) => {
      if (token === 'tutor') return tutor;
      if (token === 'student') return { ...tutor, role: 'student' };
      throw new ProblemError('unauthenticated');
    },
    serviceTokens: tokens,
    readiness: () => readiness(),
  });
  service.serve(contract.create, async ({ user, body }) => ({
    status: 201 as const,
    body: { id: `${user.role} ${body.name}` },
  }));
  service.serve(contract.change, async (call: Call<typeof contract.change>) => ({
    status: 200 as const,
    body: { id: call.params.id, fingerprint: call.fingerprint, key: call.idempotencyKey ?? 'none' },
  }));
  service.serve(contract.list, async ({ user, query }) => ({
    status: 200 as const,
    body: { userId: user.id, limit: query.limit },
  }));
  service.serve(contract.remove, async () => ({ status: 204 as const, body: undefined }));
  service.serve(contract.hook, async ({ rawBody }) => ({ status: 200 as const, body: { bytes: rawBody.length } }));
  service.serve(contract.fail, async ({ params }) => {
    const failure = failures[params.how];
    if (failure) throw failure();
    slowBegun();
    await new Promise<void>((resolve) => slowCalls.push(resolve));
    return { status: 200 as const, body: { done: true } };
  });
  service.finish();
  const server = await listen(service.app, '127.0.0.1', 0);
  return { server, url: `http://127.0.0.1:${server.port}` };
}

beforeAll(async () => {
  ({ server: listening, url } = await start());
});
afterAll(() => listening.close(0));

const post = (options: Ask) => ask(url, 'POST', '/api/things', { token: 'tutor', key: 'k', ...options });

/** Sends bytes as they are and reads until the server closes. */
function raw(bytes: string, port = listening.port): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let reply = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      reply += chunk;
    });
    socket.once('error', reject).once('close', () => resolve(reply));
  });
}

function problemIn(reply: string) {
  const [head = '', body = ''] = reply.split('\r\n\r\n');
  expect(head).toMatch(/^content-type: application\/problem\+json/im);
  expect(head).toMatch(/^x-request-id: \S+$/im);
  expect(head).toMatch(/^connection: close$/im);
  return Problem.parse(JSON.parse(body));
}

describe('a request is checked before its handler sees it', () => {
  test('a valid one is answered with the status and body of the handler', async () => {
    expect(await post({ body: { name: ' Ünï ' } })).toMatchObject({ status: 201, body: { id: 'tutor Ünï' } });
    const id = uuidv7();
    expect(await ask(url, 'DELETE', `/internal/things/${id}`, { token: await tokens.issue() })).toMatchObject({
      status: 204,
      body: '',
    });
  });

  test.each<[string, Ask, number, string]>([
    ['no token', { token: '' }, 401, 'unauthenticated'],
    ['a bad token', { token: 'forged' }, 401, 'unauthenticated'],
    ['another role', { token: 'student' }, 403, 'forbidden'],
    ['no key', { key: '' }, 400, 'idempotency_key_required'],
    ['a key with a space', { key: 'a b' }, 400, 'invalid_idempotency_key'],
    ['a key of 256 characters', { key: 'k'.repeat(256) }, 400, 'invalid_idempotency_key'],
    ['broken JSON', { raw: '{"name":' }, 400, 'malformed_body'],
    ['bytes that are not UTF-8', { raw: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'malformed_body'],
    ['no body', {}, 422, 'validation_failed'],
    [
      'a body of another type',
      { raw: 'name=x', headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    [
      'JSON in another character set',
      { raw: '{"name":"x"}', headers: { 'content-type': 'application/json; charset=latin1' } },
      415,
      'unsupported_media_type',
    ],
    [
      'an encoding nobody knows',
      { raw: 'x', headers: { 'content-encoding': 'snappy' } },
      415,
      'unsupported_media_type',
    ],
    ['a body that does not inflate', { raw: 'x', headers: { 'content-encoding': 'gzip' } }, 400, 'malformed_body'],
    ['100 KiB and one byte', { raw: `"${'x'.repeat(100 * 1024 - 1)}"` }, 413, 'payload_too_large'],
    [
      'a small body that inflates to a large one',
      { raw: gzipSync('x'.repeat(200_000)), headers: { 'content-encoding': 'gzip' } },
      413,
      'payload_too_large',
    ],
    ['nesting without end', { raw: '['.repeat(40_000) + ']'.repeat(40_000) }, 422, 'validation_failed'],
    ['NUL in a text', { body: { name: 'a\u0000b' } }, 422, 'validation_failed'],
    ['half a surrogate pair', { raw: '{"name":"\\ud800"}' }, 422, 'validation_failed'],
  ])('%s is refused', async (_, options, status, code) => {
    const reply = await post({
      ...(options.raw === undefined && code !== 'validation_failed' && { body: { name: 'x' } }),
      ...options,
    });
    expect(reply).toMatchObject({ status, body: { code, status } });
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(Problem.safeParse(reply.body).error).toBeUndefined();
    expect(reply.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
  });

  test('a compressed body is read', async () => {
    const packed = gzipSync(JSON.stringify({ name: 'x' }));
    expect(await post({ raw: packed, headers: { 'content-encoding': 'gzip' } })).toMatchObject({ status: 201 });
  });

  test('every wrong field is named, unknown ones and those of the query too', async () => {
    const { body } = await post({ body: { size: 1.5, role: 'admin' } });
    expect(body.errors.map((error: { path: string }) => error.path).sort()).toEqual(['name', 'role', 'size']);
    const query = await ask(url, 'GET', '/api/things?limit=0&sort=x', { token: 'student' });
    expect(query.body.errors.map((error: { path: string }) => error.path).sort()).toEqual([
      'query.limit',
      'query.sort',
    ]);
  });

  test('a limit that is empty, doubled or no number is refused and not taken for one', async () => {
    for (const query of ['limit=', 'limit=1&limit=2', 'limit=ten', 'limit=%20', 'limit=1.5', 'limit[]=1'])
      expect(await ask(url, 'GET', `/api/things?${query}`, { token: 'student' })).toMatchObject({ status: 422 });
    expect((await ask(url, 'GET', '/api/things?limit=7', { token: 'student' })).body.limit).toBe(7);
    expect((await ask(url, 'GET', '/api/things', { token: 'student' })).body).toEqual({ userId: tutor.id, limit: 20 });
  });

  test('an internal operation takes no user token and a public one no service token', async () => {
    const path = `/internal/things/${uuidv7()}`;
    for (const token of [undefined, 'tutor']) {
      expect(await ask(url, 'DELETE', path, token ? { token } : {})).toMatchObject({ status: 401 });
    }
    expect(await ask(url, 'GET', '/api/things', { token: await tokens.issue() })).toMatchObject({ status: 401 });
  });

  test('an id that is none, and a path that cannot be decoded, are not found', async () => {
    for (const id of ['1', 'x'.repeat(5_000), '%00', '%ff', '%E0%A4%A'])
      expect(await ask(url, 'PATCH', `/api/things/${id}`, { body: { name: 'x' } })).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
  });

  test('a signed call sees the bytes as they came, whatever they are', async () => {
    const reply = await ask(url, 'POST', '/api/hook', {
      raw: Buffer.from([0, 255, 10]),
      headers: { 'content-type': 'x/y' },
    });
    expect(reply).toMatchObject({ status: 200, body: { bytes: 3 } });
  });
});

describe('what two requests under one key must share', () => {
  const change = async (id: string, options: Ask) =>
    (await ask(url, 'PATCH', `/api/things/${id}`, options)).body.fingerprint as string;
  const id = uuidv7();

  test('is the same for another order of members, white space and an id in capitals', async () => {
    const first = await change(id, { raw: '{"name":"x","size":1}' });
    expect(await change(id, { raw: '{ "size": 1, "name": "x" }' })).toBe(first);
    expect(await change(id.toUpperCase(), { raw: '{"name":"x","size":1}' })).toBe(first);
    expect(await change(`${id}/`, { raw: '{"name":"x","size":1}' })).toBe(first);
  });

  test('differs for another body and another resource', async () => {
    const first = await change(id, { body: { name: 'x' } });
    expect(await change(id, { body: { name: 'y' } })).not.toBe(first);
    expect(await change(id, { body: { name: 'x', size: 1 } })).not.toBe(first);
    expect(await change(uuidv7(), { body: { name: 'x' } })).not.toBe(first);
  });

  test('an id reaches the handler in lower case', async () => {
    const reply = await ask(url, 'PATCH', `/api/things/${id.toUpperCase()}`, { body: { name: 'x' }, key: 'k' });
    expect(reply.body).toMatchObject({ id, key: 'k' });
  });
});

describe('errors', () => {
  test('nothing of an unexpected error is told', async () => {
    for (const how of ['internal', 'database']) {
      const reply = await ask(url, 'GET', `/api/fail/${how}`);
      expect(JSON.stringify([reply.body, reply.headers])).not.toContain(SECRET_TEXT);
      expect(reply.status).toBe(how === 'internal' ? 500 : 503);
    }
  });

  test('a refusal carries its extras, headers and time to wait', async () => {
    expect(await ask(url, 'GET', '/api/fail/refuse?token=secret')).toMatchObject({
      status: 409,
      headers: { link: '</x>' },
      body: { code: 'conflict', detail: 'Not now', thingId: 'x', instance: '/api/fail/refuse' },
    });
    expect((await ask(url, 'GET', '/api/fail/wait')).headers['retry-after']).toBe('7');
  });

  test('unknown paths and wrong methods are told apart, and the right methods are named', async () => {
    expect(await ask(url, 'GET', '/api/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await ask(url, 'GET', '/API/things')).toMatchObject({ status: 404 });
    const wrong = await ask(url, 'PUT', '/api/things', { token: 'tutor' });
    expect(wrong).toMatchObject({ status: 405, body: { code: 'method_not_allowed' }, headers: { allow: 'POST, GET' } });
  });
});

describe('every service', () => {
  test('is alive, and ready when its reads can be answered', async () => {
    expect(await ask(url, 'GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await ask(url, 'GET', '/readyz')).toMatchObject({ status: 200, body: { status: 'ready', degraded: [] } });
    readiness = async () => ({ ready: true, degraded: ['temporal'] });
    expect(await ask(url, 'GET', '/readyz')).toMatchObject({
      status: 200,
      body: { status: 'degraded', degraded: ['temporal'] },
    });
    readiness = async () => ({ ready: false });
    expect(await ask(url, 'GET', '/readyz')).toMatchObject({ status: 503, body: { status: 'not_ready' } });
  });

  test('measures answers by operation and status', async () => {
    await ask(url, 'GET', '/api/fail/refuse');
    const { body } = await ask(url, 'GET', '/metrics');
    expect(body).toMatch(/http_request_duration_seconds_count\{service="things",operation="fail",status="409"\} [1-9]/);
  });

  test('publishes its public operations', async () => {
    const { body } = await ask(url, 'GET', '/openapi.json');
    expect(Object.keys(body.paths).sort()).toEqual(['/api/fail/{how}', '/api/hook', '/api/things', '/api/things/{id}']);
  });

  test('keeps a request id that is a plain token and makes its own otherwise', async () => {
    const idFor = async (given: string) =>
      (await ask(url, 'GET', '/healthz', { headers: { 'x-request-id': given } })).headers['x-request-id'];
    expect(await idFor('order-7.retry_1')).toBe('order-7.retry_1');
    for (const bad of ['a b', '<script>', 'x'.repeat(129)]) expect(await idFor(bad)).toMatch(/^[0-9a-f-]{36}$/);
    const problem = await ask(url, 'GET', '/nothing', { headers: { 'x-request-id': 'mine' } });
    expect(problem).toMatchObject({ headers: { 'x-request-id': 'mine' }, body: { requestId: 'mine' } });
  });

  test('tells nobody what it is built with', async () => {
    const { headers } = await ask(url, 'GET', '/healthz');
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('server');
  });
});

describe('what is not a request', () => {
  test('is refused with problem+json and the connection is closed', async () => {
    const reply = await raw('NONSENSE\r\n\r\n');
    expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(problemIn(reply)).toMatchObject({ code: 'malformed_request', status: 400 });
  });

  test('headers beyond 16 KiB are refused', async () => {
    const reply = await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
    expect(problemIn(reply)).toMatchObject({ code: 'header_fields_too_large' });
  });

  test('headers that only drip in are cut off, so that slow clients cannot fill the server', async () => {
    const { port } = new URL(url);
    const reply = await new Promise<string>((resolve, reject) => {
      let received = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n'));
      const drip = setInterval(() => socket.write('X-Drip: 1\r\n'), 500);
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.on('error', reject);
      socket.on('close', () => {
        clearInterval(drip);
        resolve(received);
      });
    });
    expect(reply).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(problemIn(reply)).toMatchObject({ code: 'request_timeout' });
    // Ten seconds for headers and five until that is noticed; with Node's own interval it would be up to forty.
  }, 20_000);

  test('a body that breaks off its own framing is refused once', async () => {
    const head = 'POST /api/hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const reply = await raw(`${head}zz\r\n`);
    expect(reply.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(problemIn(reply)).toMatchObject({ code: 'malformed_request' });
  });

  test('garbage behind a request that is being answered gets no answer that could be taken for its reply', async () => {
    const begun = new Promise((resolve) => {
      slowBegun = () => resolve(undefined);
    });
    const replied = raw('GET /api/fail/slow HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n');
    await begun;
    expect(await replied).not.toMatch(/ 400 /);
    for (const release of slowCalls.splice(0)) release();
  });
});

describe('closing', () => {
  async function slowRequest(port: number, keepAlive: boolean) {
    const begun = new Promise((resolve) => {
      slowBegun = () => resolve(undefined);
    });
    const connection = keepAlive ? 'keep-alive' : 'close';
    const reply = raw(`GET /api/fail/slow HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n\r\n`, port);
    await begun;
    return { reply };
  }

  test('lets a running request end and does not wait for its connection to be given up', async () => {
    const other = await start();
    const { reply } = await slowRequest(other.server.port, true);
    const started = performance.now();
    const closed = other.server.close(60_000);
    await expect(ask(other.url, 'GET', '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    for (const release of slowCalls.splice(0)) release();
    await closed;
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await reply).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*\{"done":true\}$/);
  });

  test('ends a request that outlasts the time it is given', async () => {
    const other = await start();
    const { reply } = await slowRequest(other.server.port, true);
    await other.server.close(50);
    expect(await reply).toBe('');
    slowCalls = [];
  });

  test('does not wait for connections that idle', async () => {
    const other = await start();
    const socket = connect(other.server.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await other.server.close(60_000);
    await ended;
  });
});

test('a port that is taken is said with its code', async () => {
  const { server } = await start();
  const express = createService({
    name: 'x',
    logger: createLogger('x', 'silent'),
    contract: {},
    verifyUser: async () => tutor,
    serviceTokens: tokens,
    readiness,
  });
  await expect(listen(express.app, '127.0.0.1', server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await server.close(0);
});

test('what fails is logged, and what is refused because it is too much is not', async () => {
  const lines: string[] = [];
  const probe: Endpoint = { ...contract.hook, operationId: 'probe', path: '/api/probe' };
  const service = createService({
    name: 'busy',
    logger: createLogger('busy', 'info', { write: (line: string) => void lines.push(line) }),
    contract: { probe },
    verifyUser: async () => tutor,
    serviceTokens: tokens,
    readiness,
  });
  const refusals = [new ProblemError('overloaded'), new ProblemError('upstream_unavailable')];
  service.serve(probe, async () => {
    throw refusals.shift();
  });
  service.finish();
  const server = await listen(service.app, '127.0.0.1', 0);
  const post = () => ask(`http://127.0.0.1:${server.port}`, 'POST', '/api/probe', { body: {} });
  const [busy, down] = [await post(), await post()];
  expect([busy.body.code, down.body.code]).toEqual(['overloaded', 'upstream_unavailable']);
  expect(busy.headers['retry-after']).toBe('1');
  expect(lines.map((line) => JSON.parse(line).code)).toEqual(['upstream_unavailable']);
  await server.close(0);
});

test('code below a request knows its id and is in the trace of its caller', async () => {
  const seen: unknown[] = [];
  const probe: Endpoint = { ...contract.hook, operationId: 'probe', path: '/api/probe' };
  const service = createService({
    name: 'trace',
    logger: createLogger('trace', 'silent'),
    contract: { probe },
    verifyUser: async () => tutor,
    serviceTokens: tokens,
    readiness,
  });
  service.serve(probe, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(currentContext());
    return { status: 200 as const, body: {} };
  });
  service.finish();
  const server = await listen(service.app, '127.0.0.1', 0);
  const trace = '0af7651916cd43dd8448eb211c80319c';
  await ask(`http://127.0.0.1:${server.port}`, 'POST', '/api/probe', {
    headers: { 'x-request-id': 'r1', traceparent: `00-${trace}-b7ad6b7169203331-01` },
  });
  expect(seen).toEqual([
    { requestId: 'r1', traceparent: expect.stringMatching(`^00-${trace}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`) },
  ]);
  await server.close(0);
});
