import { connect } from 'node:net';
import { request } from 'undici';
import { startTestGateway, type TestGateway, until } from '../../../tests/support/gateway';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    environment: { RATE_LIMIT_API: 'off' },
    patience: { answer: 1_500, pause: 1_000 },
  });
});
afterAll(() => gateway.close());

describe('a reply that is passed on', () => {
  test('keeps status, headers and every byte, and loses what tells how the service is built', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 256));
    gateway.upstreams.payment.answer = (_received, response) => {
      response.writeHead(202, {
        'content-type': 'application/octet-stream',
        location: '/api/payments/1',
        server: 'inner',
        'x-powered-by': 'Express',
        'access-control-allow-origin': '*',
        'x-custom': 'kept',
        'set-cookie': ['a=1', 'b=2'],
      });
      response.end(bytes);
    };
    const response = await request(`${gateway.url}/api/payments`);
    expect(response.statusCode).toBe(202);
    expect(Buffer.from(await response.body.arrayBuffer()).equals(bytes)).toBe(true);
    expect(response.headers).toMatchObject({
      location: '/api/payments/1',
      'x-custom': 'kept',
      'set-cookie': ['a=1', 'b=2'],
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin'])
      expect(response.headers).not.toHaveProperty(name);
  });

  test('is streamed: its beginning arrives before its end is written', async () => {
    let finish = () => {};
    gateway.upstreams.payment.answer = (_received, response) => {
      response.write('begin');
      finish = () => response.end('end');
    };
    const response = await request(`${gateway.url}/api/payments`);
    const parts: string[] = [];
    for await (const chunk of response.body) {
      parts.push(String(chunk));
      finish();
    }
    expect(parts).toEqual(['begin', 'end']);
  });

  test('waits for a client that reads slowly instead of filling the memory', async () => {
    let written = 0;
    const total = 64 * 1024 * 1024;
    gateway.upstreams.payment.answer = (_received, response) => {
      const chunk = Buffer.alloc(256 * 1024, 'x');
      const more = () => {
        while (written < total) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    };
    const socket = connect(gateway.port, '127.0.0.1', () => {
      socket.write('GET /api/payments HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      socket.pause();
    });
    let before = -1;
    await until(async () => {
      const stalled = written > 0 && written === before;
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return stalled;
    });
    expect(written).toBeLessThan(total / 2);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(received).toBeGreaterThan(total);
  });

  test('refusals of a service are its own', async () => {
    gateway.upstreams.booking.answer = (_received, response) => {
      response.writeHead(409, { 'content-type': 'application/problem+json' }).end('{"code":"slot_unavailable"}');
    };
    expect(await gateway.ask('POST', '/api/bookings', { body: {} })).toMatchObject({
      status: 409,
      body: { code: 'slot_unavailable' },
    });
  });

  test('redirects are not followed and interim replies not taken for the answer', async () => {
    gateway.upstreams.booking.answer = (_received, response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      response.writeHead(303, { location: '/api/bookings/2' }).end();
    };
    const reply = await gateway.ask('GET', '/api/bookings/1');
    expect(reply).toMatchObject({ status: 303, headers: { location: '/api/bookings/2' } });
  });

  test('HEAD is answered without a body, with the length that GET would have', async () => {
    gateway.upstreams.booking.answer = (_received, response) =>
      void response.setHeader('content-length', 4).end('body');
    const reply = await gateway.ask('HEAD', '/api/bookings');
    expect(reply).toMatchObject({ status: 200, body: '', headers: { 'content-length': '4' } });
  });

  test('OPTIONS is answered with the methods that the service allows', async () => {
    gateway.upstreams.booking.answer = (_received, response) => {
      response.writeHead(405, { allow: 'GET, PATCH', 'content-type': 'application/problem+json' }).end('{}');
    };
    const reply = await gateway.ask('OPTIONS', '/api/bookings/1');
    expect(reply).toMatchObject({ status: 204, body: '', headers: { allow: 'GET, PATCH, HEAD, OPTIONS' } });
    expect(reply.headers).not.toHaveProperty('content-type');
    expect(await gateway.ask('PUT', '/api/bookings/1')).toMatchObject({
      status: 405,
      headers: { allow: 'GET, PATCH' },
    });
    gateway.upstreams.booking.answer = (_received, response) => void response.writeHead(404).end();
    expect(await gateway.ask('OPTIONS', '/api/bookings/x')).toMatchObject({ status: 404 });
  });

  test('TRACE is refused by name and reaches nobody', async () => {
    const before = gateway.reached();
    const text = await gateway.raw(
      'TRACE /api/bookings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: secret\r\n\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 405 /);
    expect(text).toMatch(/\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n/i);
    expect(text).not.toContain('secret');
    expect(gateway.reached()).toBe(before);
  });
});
