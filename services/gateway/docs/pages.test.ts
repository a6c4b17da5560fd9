import { z } from 'zod';
import { ERROR_CODES } from '../../../kernel/errors';
import { contextOf, DATABASE_CONTEXTS, type RoutedContext } from '../../../kernel/modules';
import { asyncApiDocument } from '../../../platform/asyncapi';
import { type Endpoint, endpoint } from '../../../platform/endpoint';
import { event, Id } from '../../../platform/event-schema';
import { openApiDocument } from '../../../platform/openapi';
import { type Answer, echo, startTestGateway, type TestGateway, until } from '../../../tests/support/gateway';

function contract(path: string, operationId: string, schema: z.ZodType = z.string()): Record<string, Endpoint> {
  return {
    [operationId]: endpoint({
      method: 'get',
      path,
      operationId,
      summary: operationId,
      access: 'user',
      replies: { 200: schema },
    }),
  };
}

/** The one path that a context describes here. */
const pathOf = (context: RoutedContext) => `${contextOf(context).prefixes[0]}/{id}`;
const pathsWithout = (...missing: RoutedContext[]) =>
  DATABASE_CONTEXTS.filter((context) => !missing.includes(context)).map(pathOf);

function describing(context: RoutedContext, described = contract(pathOf(context), `read_${context}`)): Answer {
  return (received, response, request) => {
    const documents = new Map<string | undefined, () => unknown>([
      ['/openapi.json', () => openApiDocument(context, described)],
      ['/asyncapi.json', () => asyncApiDocument(context, { events: { Happened: event('Something.', { id: Id }) } })],
    ]);
    const document = documents.get(received.url);
    if (!document) return echo(received, response, request);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document()));
  };
}

const down: Answer = (_received, _response, request) => void request.socket.destroy();

async function startDescribed(): Promise<TestGateway> {
  const gateway = await startTestGateway({
    environment: { PUBLIC_URL: 'https://api.example.org/' },
    patience: { probe: 500 },
  });
  for (const context of DATABASE_CONTEXTS) gateway.upstreams[context].answer = describing(context);
  return gateway;
}

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startDescribed();
});
afterEach(() => gateway.close());

describe('/openapi.json', () => {
  test('describes every service, and asks them once for many readers', async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('GET', '/openapi.json')));
    for (const { status, headers, body } of replies) {
      expect(status).toBe(200);
      expect(headers).not.toHaveProperty('x-degraded');
      expect(body).not.toHaveProperty('x-degraded');
      expect(body.servers).toEqual([{ url: 'https://api.example.org' }]);
      expect(Object.keys(body.paths)).toEqual(pathsWithout());
    }
    expect(gateway.reached()).toBe(DATABASE_CONTEXTS.length);
  });

  test('says which part is missing while a service is down, and has it again soon after', async () => {
    gateway.upstreams.booking.answer = down;
    gateway.upstreams.payment.answer = (_received, response) => void response.writeHead(500).end();
    const without = await gateway.ask('GET', '/openapi.json');
    expect(without).toMatchObject({
      status: 200,
      headers: { 'x-degraded': 'booking, payment' },
      body: { 'x-degraded': ['booking', 'payment'] },
    });
    expect(Object.keys(without.body.paths)).toEqual(pathsWithout('booking', 'payment'));
    gateway.upstreams.booking.answer = describing('booking');
    gateway.upstreams.payment.answer = describing('payment');
    const described = async () => Object.keys((await gateway.ask('GET', '/openapi.json')).body.paths).length;
    await until(async () => (await described()) === DATABASE_CONTEXTS.length, 4_000);
    // One that was known stays known: the parts are kept when services go away later.
    expect((await gateway.ask('GET', '/openapi.json')).headers).not.toHaveProperty('x-degraded');
  });

  test('keeps the last copy of a service that went away', async () => {
    gateway.upstreams.payment.answer = down; // so that the services are asked again after two seconds
    expect((await gateway.ask('GET', '/openapi.json')).headers['x-degraded']).toBe('payment');
    gateway.upstreams.booking.answer = down;
    await until(
      async () => (await gateway.ask('GET', '/openapi.json')).headers['x-degraded'] === 'booking, payment',
      4_000,
    );
    expect(Object.keys((await gateway.ask('GET', '/openapi.json')).body.paths)).toContain(pathOf('booking'));
  });

  test('leaves out a service that contradicts another one, and says so', async () => {
    const other = (schema: z.ZodType) => schema.meta({ id: 'Thing' });
    gateway.upstreams.tutoring.answer = describing(
      'tutoring',
      contract('/api/tutors', 'searchTutors', other(z.object({ a: z.string() }))),
    );
    gateway.upstreams.booking.answer = describing(
      'booking',
      contract('/api/bookings', 'listBookings', other(z.object({ b: z.int() }))),
    );
    const { headers, body } = await gateway.ask('GET', '/openapi.json');
    expect(headers['x-degraded']).toBe('booking');
    expect(Object.keys(body.paths)).not.toContain('/api/bookings');
    expect(body.components.schemas.Thing).toMatchObject({ required: ['a'] });
  });

  test('is not misled by a service that answers something else', async () => {
    gateway.upstreams.booking.answer = (_received, response) => void response.end('{"openapi":"2.0","paths":{}}');
    expect((await gateway.ask('GET', '/openapi.json')).headers['x-degraded']).toBe('booking');
  });
});

describe('/asyncapi.json', () => {
  test('describes what every service tells, and asks them once for many readers', async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('GET', '/asyncapi.json')));
    for (const { status, headers, body } of replies) {
      expect({ status, cache: headers['cache-control'] }).toEqual({ status: 200, cache: 'no-cache' });
      expect(headers).not.toHaveProperty('x-degraded');
      expect(body).toMatchObject({ asyncapi: '3.0.0', info: { contact: { url: 'https://api.example.org/docs' } } });
      expect(Object.keys(body.channels)).toEqual(DATABASE_CONTEXTS.map((context) => `${context}.events`));
      expect(Object.keys(body.operations)).toEqual(Object.keys(body.channels));
    }
    expect(gateway.reached()).toBe(DATABASE_CONTEXTS.length);
  });

  test('says which part is missing while a service is down', async () => {
    gateway.upstreams.booking.answer = down;
    const without = await gateway.ask('GET', '/asyncapi.json');
    expect(without).toMatchObject({ headers: { 'x-degraded': 'booking' }, body: { 'x-degraded': ['booking'] } });
    expect(Object.keys(without.body.channels)).not.toContain('booking.events');
    expect(Object.keys(without.body.channels)).toContain('payment.events');
  });

  test('takes of a service what is its own to tell, and nothing else for a description', async () => {
    const foreign = asyncApiDocument('payment', { events: {} });
    gateway.upstreams.booking.answer = (_received, response) => void response.end(JSON.stringify(foreign));
    gateway.upstreams.tutoring.answer = (_received, response) => void response.end('{"asyncapi":"2.6.0"}');
    const { headers, body } = await gateway.ask('GET', '/asyncapi.json');
    expect(headers['x-degraded']).toBe('tutoring');
    const told = DATABASE_CONTEXTS.filter((context) => context !== 'booking' && context !== 'tutoring');
    expect(Object.keys(body.channels)).toEqual(told.map((context) => `${context}.events`));
    expect(body.channels['payment.events'].messages).toHaveProperty('Happened');
  });
});

describe('the pages', () => {
  test('/ leads to the reference', async () => {
    expect(await gateway.ask('GET', '/')).toMatchObject({ status: 302, headers: { location: '/docs' } });
  });

  test('everything they load comes from here and is allowed by their own policy', async () => {
    const page = await gateway.ask('GET', '/docs');
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    const loaded = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => String(url));
    expect(loaded).toEqual(
      expect.arrayContaining(['/docs/assets/swagger-ui-bundle.js', '/docs/assets/swagger-ui.css']),
    );
    for (const url of loaded) {
      expect(url).toMatch(/^\//);
      expect((await gateway.ask('GET', url)).status).toBe(200);
    }
    expect(page.body).not.toMatch(/<script>|<style|style=|\son\w+=/);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("connect-src 'self' https://api.example.org");
    expect(policy).not.toContain('unsafe');
    expect((await gateway.ask('GET', '/docs/start.js')).headers['content-type']).toMatch(/^text\/javascript/);
    expect((await gateway.ask('GET', '/docs/assets/swagger-ui.css')).headers).toMatchObject({
      'content-type': expect.stringMatching(/^text\/css/),
      'cache-control': 'public, max-age=86400',
    });
  });

  test('nothing else of the package or the disk is served', async () => {
    for (const path of [
      '/docs/assets/package.json',
      '/docs/assets/',
      '/docs/assets/..%2fpackage.json',
      '/docs/../package.json',
    ])
      expect((await gateway.ask('GET', path)).status).toBe(404);
  });

  test('the type of every problem leads to an explanation of its code', async () => {
    const { type } = (await gateway.ask('GET', '/nothing')).body;
    expect(type).toBe('/docs/errors#not_found');
    const { status, body } = await gateway.ask('GET', '/docs/errors');
    expect(status).toBe(200);
    for (const code of Object.keys(ERROR_CODES)) {
      expect(body.match(new RegExp(`<section id="${code}">`, 'g'))).toHaveLength(1);
      expect(body).toContain(`<a href="#${code}">`);
    }
  });

  test('are only read', async () => {
    for (const path of ['/', '/docs', '/openapi.json', '/asyncapi.json', '/docs/errors'])
      expect(await gateway.ask('POST', path)).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD' },
        body: { code: 'method_not_allowed' },
      });
    expect(await gateway.ask('HEAD', '/docs')).toMatchObject({ status: 200, body: '' });
  });
});
