import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { request } from 'undici';
import { raw, startTestGateway, type TestGateway, until } from '../../../tests/support/gateway';
import { freePort } from '../../../tests/support/ports';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    environment: { RATE_LIMIT_API: 'off', PUBLIC_URL: 'https://api.example.org' },
    patience: { answer: 1_500, pause: 1_000, body: 400, connect: 500 },
  });
});
afterAll(() => gateway.close());

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function problem(status: number, code: string) {
  return {
    status,
    headers: { 'content-type': expect.stringMatching(/^application\/problem\+json/) },
    body: { code, status },
  };
}

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

describe('a body', () => {
  test('of exactly 100 KiB passes, one byte more is refused before any service hears of it', async () => {
    gateway.upstreams.booking.answer = (received, response) => void response.end(String(received.body.length));
    const reply = await gateway.ask('POST', '/api/bookings', { raw: 'x'.repeat(102_400) });
    expect(reply.body).toBe('102400');
    const before = gateway.reached();
    for (const size of [102_401, 1_000_000])
      expect(await gateway.ask('POST', '/api/bookings', { raw: 'x'.repeat(size) })).toMatchObject(
        problem(413, 'payload_too_large'),
      );
    expect(gateway.reached()).toBe(before);
  });

  test('that does not say its length is refused when it has become too large', async () => {
    const before = gateway.reached();
    async function* parts() {
      for (let n = 0; n < 20; n++) yield Buffer.alloc(10_000, 'x');
    }
    const { Readable } = await import('node:stream');
    const response = await request(`${gateway.url}/api/bookings`, { method: 'POST', body: Readable.from(parts()) });
    expect(response.statusCode).toBe(413);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(await response.body.json()).toMatchObject({ code: 'payload_too_large', requestId: expect.any(String) });
    expect(gateway.reached()).toBe(before);
  });

  test('that drips is given up with 408 and closes the connection, and no service was kept busy', async () => {
    const before = gateway.reached();
    const text = await new Promise<string>((resolve, reject) => {
      let received = '';
      const socket = connect(gateway.port, '127.0.0.1', () => {
        socket.write('POST /api/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
      });
      const drip = setInterval(() => socket.writable && socket.write('x'), 50);
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.on('error', reject);
      socket.on('close', () => {
        clearInterval(drip);
        resolve(received);
      });
    });
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(text).toMatch(/\r\nConnection: close\r\n/i);
    expect(text).toContain('"code":"request_timeout"');
    expect(gateway.reached()).toBe(before);
  });

  test('whose sender goes away in the middle reaches no service', async () => {
    const before = gateway.reached();
    await new Promise<void>((resolve) => {
      const socket = connect(gateway.port, '127.0.0.1', () => {
        socket.write('POST /api/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf', () =>
          socket.destroy(),
        );
      });
      socket.on('close', () => resolve());
    });
    gateway.upstreams.booking.answer = (_received, response) => void response.end('ok');
    expect((await gateway.ask('POST', '/api/bookings', { body: {} })).status).toBe(200);
    expect(gateway.reached()).toBe(before + 1);
  });
});

describe('a service that fails', () => {
  /** A gateway whose booking service is at `url`. */
  async function before(url: string, patience = { answer: 600, pause: 500, connect: 300 }) {
    return startTestGateway({ environment: { RATE_LIMIT_API: 'off', BOOKING_URL: url }, patience });
  }

  test('by not being there is answered with 503 and Retry-After', async () => {
    const down = await before(`http://127.0.0.1:${await freePort()}`);
    const reply = await down.ask('POST', '/api/bookings', { body: {} });
    expect(reply).toMatchObject({
      ...problem(503, 'upstream_unavailable'),
      headers: { 'retry-after': '2', 'x-request-id': expect.any(String) },
      body: { detail: 'booking cannot be reached; the request had no effect', instance: '/api/bookings' },
    });
    expect((await down.ask('GET', '/api/tutors')).status).toBe(200);
    await down.close();
  });

  test('by hanging is answered with 503, and its call is given up', async () => {
    let gone = false;
    const hanging = createServer((incoming) => {
      incoming.socket.on('close', () => {
        gone = true;
      });
    });
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    const hung = await before(`http://127.0.0.1:${(hanging.address() as AddressInfo).port}`);
    const reply = await hung.ask('POST', '/api/bookings', { body: {} });
    expect(reply).toMatchObject(problem(503, 'upstream_unavailable'));
    expect(reply.body.detail).toContain('did not answer in time');
    await until(() => gone);
    await hung.close();
    hanging.close();
  });

  test('by closing the connection before it answers: a write is sent once, a read twice', async () => {
    const seen: string[] = [];
    const closing = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        seen.push(String(chunk).split(' ', 1)[0] ?? '');
        socket.destroy();
      });
    });
    await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve));
    const cut = await before(`http://127.0.0.1:${(closing.address() as AddressInfo).port}`);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const reply = await cut.ask(method, '/api/bookings/1');
      expect(reply).toMatchObject(problem(503, 'upstream_unavailable'));
      expect(reply.body.detail).toContain('not known');
    }
    expect(seen).toEqual(['POST', 'PUT', 'PATCH', 'DELETE']);
    expect((await cut.ask('GET', '/api/bookings/1')).status).toBe(503);
    expect(seen.slice(4)).toEqual(['GET', 'GET']);
    await cut.close();
    closing.close();
  });

  test.each([
    ['of stated length', { 'content-length': '1000' }],
    ['in chunks', {}],
  ])('in the middle of a reply %s leaves the client with a visibly broken one', async (_name, headers) => {
    gateway.upstreams.booking.answer = (_received, response, incoming) => {
      response.writeHead(200, headers);
      response.write('half', () => setImmediate(() => incoming.socket.destroy()));
    };
    const response = await request(`${gateway.url}/api/bookings`);
    expect(response.statusCode).toBe(200);
    await expect(response.body.text()).rejects.toThrow();
  });

  test('by falling silent in the middle of a reply does not hold the client for ever', async () => {
    gateway.upstreams.booking.answer = (_received, response) => void response.write('half');
    const response = await request(`${gateway.url}/api/bookings`);
    await expect(response.body.text()).rejects.toThrow();
  });

  test('by answering what is not HTTP is answered with 503', async () => {
    const babbling = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.end('SSH-2.0-OpenSSH\r\n'));
    });
    await new Promise<void>((resolve) => babbling.listen(0, '127.0.0.1', resolve));
    const odd = await before(`http://127.0.0.1:${(babbling.address() as AddressInfo).port}`);
    expect(await odd.ask('GET', '/api/bookings')).toMatchObject(problem(503, 'upstream_unavailable'));
    await odd.close();
    babbling.close();
  });

  test('and comes back is used again at once', async () => {
    const port = await freePort();
    const restarted = await before(`http://127.0.0.1:${port}`);
    expect((await restarted.ask('GET', '/api/bookings')).status).toBe(503);
    const server = createServer((_incoming, response) => response.end('back'));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect((await restarted.ask('GET', '/api/bookings')).body).toBe('back');
    server.closeAllConnections();
    server.close();
    await restarted.close();
  });
});

test('a client that goes away takes its call to the service with it', async () => {
  let started = false;
  let aborted = false;
  gateway.upstreams.tutoring.answer = (_received, response) => {
    started = true;
    response.on('close', () => {
      aborted = !response.writableFinished;
    });
  };
  const socket = connect(gateway.port, '127.0.0.1', () => {
    socket.write('GET /api/tutors HTTP/1.1\r\nHost: x\r\n\r\n');
  });
  await until(() => started);
  socket.destroy();
  await until(() => aborted);
});

test('stopping lets running requests end and frees the port', async () => {
  const stopping = await startTestGateway({ environment: { RATE_LIMIT_API: 'off' } });
  let finish = () => {};
  stopping.upstreams.booking.answer = (_received, response) => {
    finish = () => response.end('done');
  };
  const running = stopping.ask('GET', '/api/bookings', { headers: { connection: 'close' } });
  await until(() => stopping.upstreams.booking.received.length === 1);
  const closed = stopping.close();
  finish();
  expect((await running).body).toBe('done');
  await closed;
  await expect(raw(stopping.port, '')).rejects.toThrow('ECONNREFUSED');
});

test('a port that is taken is explained by the setting that moves it', async () => {
  await expect(startTestGateway({ environment: { GATEWAY_PORT: String(gateway.port) } })).rejects.toThrow(
    `Port ${gateway.port} is taken: stop what uses it, or set GATEWAY_PORT to another`,
  );
});
