import { startTestGateway, type TestGateway } from '../../../tests/support/gateway';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    environment: { RATE_LIMIT_API: 'off', PUBLIC_URL: 'https://api.example.org' },
  });
});
afterAll(() => gateway.close());

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('a request that is passed on', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    '%s arrives with path, query and body as sent',
    async (method) => {
      const body = method === 'GET' ? undefined : { text: 'Grüße 🎓', list: [1, 2] };
      const reply = await gateway.ask(method, '/api/tutors/a%20b?q=%C3%BC&x=1&x=2', { body });
      expect(reply.status).toBe(200);
      expect(reply.body).toMatchObject({ method, url: '/api/tutors/a%20b?q=%C3%BC&x=1&x=2' });
      expect(reply.body.body).toBe(body ? JSON.stringify(body) : '');
    },
  );

  test('under /api/v1 reaches the same operation', async () => {
    const reply = await gateway.ask('POST', '/api/v1/bookings/1/confirm?x=1', { body: {} });
    expect(reply.body.url).toBe('/api/bookings/1/confirm?x=1');
    expect(gateway.upstreams.booking.received.at(-1)?.method).toBe('POST');
  });

  test('tells the service who asked, and cannot be made to tell otherwise', async () => {
    const forged = {
      'x-forwarded-for': '10.9.9.9',
      'x-forwarded-proto': 'ftp',
      'x-forwarded-host': 'evil',
      forwarded: 'for=x',
    };
    const { body } = await gateway.ask('GET', '/api/tutors', { headers: { ...forged, traceparent: TRACE } });
    expect(body.headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': `127.0.0.1:${gateway.port}`,
      via: '1.1 tutorconnect',
    });
    expect(body.headers).not.toHaveProperty('forwarded');
    expect(body.headers.host).toBe(new URL(gateway.upstreams.tutoring.url).host);
    expect(body.headers.traceparent).toMatch(
      /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/,
    );
  });

  test('keeps its id, or gets one when the id could do harm', async () => {
    const kept = await gateway.ask('GET', '/api/tutors', { headers: { 'x-request-id': 'web-42' } });
    expect(kept.headers['x-request-id']).toBe('web-42');
    expect(kept.body.headers['x-request-id']).toBe('web-42');
    const replaced = await gateway.ask('GET', '/api/tutors', { headers: { 'x-request-id': 'a b"<script>' } });
    expect(replaced.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(replaced.body.headers['x-request-id']).toBe(replaced.headers['x-request-id']);
  });

  test('a chunked body arrives with its length, and a GET without the body it had no use for', async () => {
    const chunked = await gateway.raw(
      'POST /api/bookings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    );
    expect(chunked).toContain('HTTP/1.1 200');
    expect(gateway.upstreams.booking.received.at(-1)).toMatchObject({
      body: 'abcde',
      headers: { 'content-length': '5' },
    });
    expect(gateway.upstreams.booking.received.at(-1)?.headers).not.toHaveProperty('transfer-encoding');
    await gateway.raw('GET /api/bookings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc');
    const get = gateway.upstreams.booking.received.at(-1);
    expect(get).toMatchObject({ method: 'GET', body: '' });
    expect(get?.headers).not.toHaveProperty('content-length');
  });

  test('64 at once each get their own reply', async () => {
    gateway.upstreams.tutoring.answer = (received, response) => {
      setTimeout(() => response.end(`${received.url} ${received.body}`), Math.random() * 20);
    };
    const replies = await Promise.all(
      Array.from({ length: 256 }, (_, n) => gateway.ask('POST', `/api/tutors/${n}`, { body: { n } })),
    );
    replies.forEach((reply, n) => {
      expect(reply.body).toBe(`/api/tutors/${n} {"n":${n}}`);
    });
  });
});
