import { ProblemError } from '../kernel/errors';
import { expectProblem } from '../tests/support/problems';
import { ask } from '../tests/support/service';
import { contract, thingsService, tokens, tutor } from '../tests/support/things';
import type { Endpoint } from './endpoint';
import { createService } from './http-server';
import { listen } from './listen';
import { ok } from './replies';
import { createLogger, currentContext, metrics } from './telemetry';

const { url } = thingsService();

describe('every service', () => {
  test('says that it is alive, and neither its metrics nor its readiness', async () => {
    expect(await ask(url(), 'GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    for (const path of ['/metrics', '/readyz']) expectProblem(await ask(url(), 'GET', path), 404, 'not_found');
  });

  test('lets nobody keep a refusal', async () => {
    for (const path of ['/nothing', '/api/fail/refuse', '/api/fail/internal'])
      expect((await ask(url(), 'GET', path)).headers).toMatchObject({ 'cache-control': 'no-store' });
  });

  test('measures answers by operation and status', async () => {
    await ask(url(), 'GET', '/api/fail/refuse');
    expect(await metrics.metrics()).toMatch(
      /http_request_duration_seconds_count\{service="things",operation="fail",status="409"\} [1-9]/,
    );
  });

  test('publishes its public operations', async () => {
    const { body } = await ask(url(), 'GET', '/openapi.json');
    expect(Object.keys(body.paths).sort()).toEqual(['/api/fail/{how}', '/api/hook', '/api/things', '/api/things/{id}']);
  });

  test('keeps a request id that is a plain token and makes its own otherwise', async () => {
    const idFor = async (given: string) =>
      (await ask(url(), 'GET', '/healthz', { headers: { 'x-request-id': given } })).headers['x-request-id'];
    expect(await idFor('order-7.retry_1')).toBe('order-7.retry_1');
    for (const bad of ['a b', '<script>', 'x'.repeat(129)]) expect(await idFor(bad)).toMatch(/^[0-9a-f-]{36}$/);
    const problem = await ask(url(), 'GET', '/nothing', { headers: { 'x-request-id': 'mine' } });
    expect(problem).toMatchObject({ headers: { 'x-request-id': 'mine' }, body: { requestId: 'mine' } });
  });

  test('tells nobody what it is built with', async () => {
    const { headers } = await ask(url(), 'GET', '/healthz');
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('server');
  });
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
  });
  service.serve(probe, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(currentContext());
    return ok({});
  });
  service.finish();
  const server = await listen(service.app, '127.0.0.1', 0);
  const trace = '0af7651916cd43dd8448eb211c80319c';
  await ask(`http://127.0.0.1:${server.port}`, 'POST', '/api/probe', {
    headers: { 'x-request-id': 'r1', traceparent: `00-${trace}-b7ad6b7169203331-01` },
  });
  expect(seen).toEqual([
    {
      requestId: 'r1',
      traceparent: expect.stringMatching(`^00-${trace}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`),
      operation: probe,
    },
  ]);
  await server.close(0);
});
