import { createServer } from 'node:http';
import { freePort } from '../tests/support/ports';
import { expectProblem } from '../tests/support/problems';
import { sendRaw } from '../tests/support/raw-http';
import { ask } from '../tests/support/service';
import { loadConfig } from './config';
import type { Listening } from './listen';
import { type ProcessPart, startManagement } from './management';

let parts: ProcessPart[];
let management: Listening;
let port: number;

const settings = (more: Record<string, string> = {}) =>
  loadConfig(
    { LOG_LEVEL: 'silent', SERVICE_TOKEN_SECRET: 's'.repeat(32), MANAGEMENT_PORT: String(port), ...more },
    'no-env-file-in-tests',
  );
const url = () => `http://127.0.0.1:${port}`;
const part = (name: string, ready: boolean, degraded?: string[]): ProcessPart => ({
  name,
  readiness: async () => ({ ready, ...(degraded && { degraded }) }),
});

beforeAll(async () => {
  port = await freePort();
  management = await startManagement(settings(), () => parts);
});
afterAll(() => management.close());

test('a process is ready when all its parts are, and says which are not', async () => {
  const readyz = () => ask(url(), 'GET', '/readyz');
  parts = [part('gateway', true, ['payment']), part('booking', true, ['temporal', 'payment'])];
  expect(await readyz()).toMatchObject({
    status: 200,
    body: { status: 'degraded', degraded: ['payment', 'temporal'], notReady: [] },
  });
  parts = [part('booking', true, []), part('worker:booking', true)];
  expect(await readyz()).toMatchObject({ status: 200, body: { status: 'ready', degraded: [], notReady: [] } });
  parts = [part('booking', true, ['temporal']), part('worker:booking', false)];
  expect(await readyz()).toMatchObject({
    status: 503,
    body: { status: 'not_ready', degraded: ['temporal'], notReady: ['worker:booking'] },
  });
});

test('a part that starts or stops is not ready, and the process lives', async () => {
  parts = [part('booking', true), { name: 'worker:booking', readiness: undefined }];
  expect(await ask(url(), 'GET', '/readyz')).toMatchObject({ status: 503, body: { notReady: ['worker:booking'] } });
  expect(await ask(url(), 'GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
});

test('metrics are in the text format of Prometheus', async () => {
  const { status, body, headers } = await ask(url(), 'GET', '/metrics');
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(body).toMatch(/^# TYPE process_cpu_user_seconds_total counter$/m);
  expect(body).toMatch(/^# TYPE http_request_duration_seconds histogram$/m);
});

test.each([
  '/',
  '/openapi.json',
  '/asyncapi.json',
  '/docs',
  '/api/bookings',
  '/internal/users',
  '/metrics/',
  '/METRICS',
  '/readyz/x',
])('%s is not served', async (path) => {
  expectProblem(await ask(url(), 'GET', path), 404, 'not_found');
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is not allowed', async (method) => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const reply = await ask(url(), method, path);
    expectProblem(reply, 405, 'method_not_allowed');
    expect(reply.headers.allow).toBe('GET, HEAD');
  }
});

test('what is no request is refused as everywhere', async () => {
  expect(await sendRaw(url(), 'GET /metrics HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*malformed_request/);
});

test('a port that is taken is named with the setting that moves it', async () => {
  const holder = createServer();
  const taken = await freePort();
  await new Promise<void>((resolve) => holder.listen(taken, '127.0.0.1', resolve));
  const config = settings({ MANAGEMENT_PORT: String(taken) });
  await expect(startManagement(config, () => [])).rejects.toThrow(
    `Port ${taken} is taken: stop what uses it, or set MANAGEMENT_PORT to another`,
  );
  await new Promise((resolve) => holder.close(resolve));
});

test('it listens on loopback alone, unless a setting says otherwise', async () => {
  expect(settings().MANAGEMENT_HOST).toBe('127.0.0.1');
  await expect(startManagement(settings({ MANAGEMENT_HOST: '192.0.2.1' }), () => [])).rejects.toThrow(
    `Cannot listen on 192.0.2.1:${port} (EADDRNOTAVAIL): change MANAGEMENT_HOST or MANAGEMENT_PORT`,
  );
});
