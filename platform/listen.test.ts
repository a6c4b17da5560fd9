import { connect } from 'node:net';
import { sendRaw } from '../tests/support/raw-http';
import { ask } from '../tests/support/service';
import { thingsService, tokens, tutor } from '../tests/support/things';
import { createService } from './http-server';
import { listen } from './listen';
import { Problem } from './schemas';
import { createLogger } from './telemetry';

const { url, start, slowHasBegun, letGo } = thingsService();

function problemIn(reply: string) {
  const [head = '', body = ''] = reply.split('\r\n\r\n');
  expect(head).toMatch(/^content-type: application\/problem\+json/im);
  expect(head).toMatch(/^x-request-id: \S+$/im);
  expect(head).toMatch(/^connection: close$/im);
  return Problem.parse(JSON.parse(body));
}

describe('what is not a request', () => {
  test('is refused with problem+json and the connection is closed', async () => {
    const reply = await sendRaw(url(), 'NONSENSE\r\n\r\n');
    expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(problemIn(reply)).toMatchObject({ code: 'malformed_request', status: 400 });
  });

  test.each([
    ['without a host', 'GET /healthz HTTP/1.1\r\n\r\n', 400, 'malformed_request'],
    ['of an unknown version', 'GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n', 400, 'malformed_request'],
    ['of an unknown method', 'BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'malformed_request'],
    [
      'that expects what nobody does',
      'POST /api/hook HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\nContent-Length: 2\r\n\r\n{}',
      417,
      'expectation_failed',
    ],
    ['for a tunnel', 'CONNECT 127.0.0.1:5432 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'method_not_allowed'],
  ])(
    'a request %s is refused as everything else is, and not by Node without a word',
    async (_, bytes, status, code) => {
      const reply = await sendRaw(url(), bytes);
      expect(reply.match(/^HTTP\/1\.1 \d+/gm)).toEqual([`HTTP/1.1 ${status}`]);
      expect(reply).toMatch(/^cache-control: no-store\r$/im);
      expect(problemIn(reply)).toMatchObject({ code, status });
    },
  );

  test('a refusal has the id and the path of its request, where there are any, and no body for HEAD', async () => {
    const reply = await sendRaw(url(), 'GET /healthz?x=1 HTTP/1.1\r\nX-Request-Id: mine-7\r\n\r\n');
    expect(problemIn(reply)).toMatchObject({ instance: '/healthz', requestId: 'mine-7' });
    expect(reply).toMatch(/^x-request-id: mine-7\r$/im);
    expect(await sendRaw(url(), 'HEAD /healthz HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\n\r\n$/);
  });

  test('HTTP/1.0 needs no host', async () => {
    expect(await sendRaw(url(), 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('an upgrade that is not offered is an ordinary request, and the last one of its connection', async () => {
    const upgrade = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
    const reply = await sendRaw(url(), `${upgrade}GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(reply.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200']);
    expect(reply).toMatch(/^x-request-id: \S+\r$/im);
    expect(reply).toMatch(/^connection: close\r$/im);
  });

  test('a connection that breaks while a tunnel is refused takes nothing with it', async () => {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = connect(Number(new URL(url()).port), '127.0.0.1');
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.on('error', () => undefined);
        socket.write('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', () => socket.resetAndDestroy());
        await closed;
      }),
    );
    expect(await ask(url(), 'GET', '/healthz')).toMatchObject({ status: 200 });
  });

  test('headers beyond 16 KiB are refused, and the answer arrives while more of them do', async () => {
    const reply = await sendRaw(url(), `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(2_000_000)}\r\n\r\n`);
    expect(problemIn(reply)).toMatchObject({ code: 'header_fields_too_large' });
  });

  test('headers beyond 16 KiB are refused', async () => {
    const reply = await sendRaw(url(), `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
    expect(problemIn(reply)).toMatchObject({ code: 'header_fields_too_large' });
  });

  test('headers that only drip in are cut off, so that slow clients cannot fill the server', async () => {
    const drip = { bytes: 'X-Drip: 1\r\n', everyMs: 500 };
    const reply = await sendRaw(url(), 'GET / HTTP/1.1\r\nHost: x\r\n', drip);
    expect(reply).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(problemIn(reply)).toMatchObject({ code: 'request_timeout' });
    // Ten seconds for headers and five until that is noticed; with Node's own interval it would be up to forty.
  }, 20_000);

  test('a body that breaks off its own framing is refused once', async () => {
    const head = 'POST /api/hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const reply = await sendRaw(url(), `${head}zz\r\n`);
    expect(reply.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(problemIn(reply)).toMatchObject({ code: 'malformed_request' });
  });

  test('garbage behind a request that is being answered gets no answer that could be taken for its reply', async () => {
    const begun = slowHasBegun();
    const replied = sendRaw(url(), 'GET /api/fail/slow HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n');
    await begun;
    expect(await replied).not.toMatch(/ 400 /);
    letGo();
  });

  test('a tunnel that is asked for behind a request that is being answered gets no answer either', async () => {
    const begun = slowHasBegun();
    const tunnel = 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n';
    const replied = sendRaw(url(), `GET /api/fail/slow HTTP/1.1\r\nHost: x\r\n\r\n${tunnel}`);
    await begun;
    expect(await replied).toBe('');
    letGo();
  });
});

describe('closing', () => {
  async function slowRequest(url: string, keepAlive: boolean) {
    const begun = slowHasBegun();
    const connection = keepAlive ? 'keep-alive' : 'close';
    const reply = sendRaw(url, `GET /api/fail/slow HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n\r\n`);
    await begun;
    return { reply };
  }

  test('lets a running request end and does not wait for its connection to be given up', async () => {
    const other = await start();
    const { reply } = await slowRequest(other.url, true);
    const started = performance.now();
    const closed = other.server.close(60_000);
    await expect(ask(other.url, 'GET', '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    letGo();
    await closed;
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await reply).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*\{"done":true\}$/);
  });

  test('ends a request that outlasts the time it is given', async () => {
    const other = await start();
    const { reply } = await slowRequest(other.url, true);
    await other.server.close(50);
    expect(await reply).toBe('');
    letGo();
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
  });
  await expect(listen(express.app, '127.0.0.1', server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await server.close(0);
});
