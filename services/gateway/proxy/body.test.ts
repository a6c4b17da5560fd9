import { connect } from 'node:net';
import { request } from 'undici';
import { problem, startTestGateway, type TestGateway } from '../../../tests/support/gateway';
import { sendRaw } from '../../../tests/support/raw-http';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    environment: { RATE_LIMIT_API: 'off' },
    patience: { body: 400 },
  });
});
afterAll(() => gateway.close());

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
    const head = 'POST /api/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n';
    const text = await sendRaw(gateway.url, head, { bytes: 'x', everyMs: 50 });
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
