import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { request } from 'undici';
import { problem, startTestGateway, type TestGateway, until } from '../../../tests/support/gateway';
import { freePort } from '../../../tests/support/ports';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    environment: { RATE_LIMIT_API: 'off' },
    patience: { answer: 1_500, pause: 1_000, connect: 500 },
  });
});
afterAll(() => gateway.close());

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
