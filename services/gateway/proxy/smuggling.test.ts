import { startTestGateway, type TestGateway } from '../../../tests/support/gateway';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ environment: { RATE_LIMIT_API: 'off' } });
});
afterAll(() => gateway.close());

const HOST = 'Host: api.example\r\nConnection: close\r\n';
const HIDDEN = 'GET /internal/users HTTP/1.1\r\nHost: x\r\n\r\n';

/** Sends `text` byte by byte as Latin-1. */
const send = (text: string) => gateway.raw(Buffer.from(text, 'latin1'));

describe('what two servers could read in two ways is refused and reaches no service', () => {
  test.each([
    [
      'Content-Length and Transfer-Encoding',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    [
      'Transfer-Encoding and Content-Length',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    ['two lengths', `POST /api/tutors HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: 40\r\n\r\n${HIDDEN}`],
    ['a list of lengths', `POST /api/tutors HTTP/1.1\r\n${HOST}Content-Length: 4, 4\r\n\r\nabcd`],
    ['a length with a sign', `POST /api/tutors HTTP/1.1\r\n${HOST}Content-Length: +4\r\n\r\nabcd`],
    ['a negative length', `POST /api/tutors HTTP/1.1\r\n${HOST}Content-Length: -4\r\n\r\nabcd`],
    [
      'chunked not last',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    [
      'chunked twice',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    ['an unknown coding', `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
    [
      'a second coding',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    [
      'a coding in HTTP/1.0',
      `POST /api/tutors HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    [
      'a space before the colon',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    [
      'a vertical tab in the coding',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    ['a folded header', `GET /api/tutors HTTP/1.1\r\n${HOST}X-A: b\r\n X-Injected: 1\r\n\r\n`],
    ['a folded coding', `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    [
      'a chunk size that is no number',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n`,
    ],
    [
      'a chunk longer than its size',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n`,
    ],
    [
      'a chunk size beyond all numbers',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc`,
    ],
    [
      'a line feed in a chunk extension',
      `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3;a=b\nx\r\nabc\r\n0\r\n\r\n`,
    ],
    [
      'lines ended by a line feed alone',
      'POST /api/tutors HTTP/1.1\nHost: x\nConnection: close\nContent-Length: 0\n\n',
    ],
    ['a carriage return inside a header', `GET /api/tutors HTTP/1.1\r\n${HOST}X-A: b\rX-Injected: 1\r\n\r\n`],
    ['a NUL inside a header', `GET /api/tutors HTTP/1.1\r\n${HOST}X-A: b\0c\r\n\r\n`],
    ['a space inside a header name', `GET /api/tutors HTTP/1.1\r\n${HOST}X A: b\r\n\r\n`],
    ['no host', 'GET /api/tutors HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['two hosts', `GET /api/tutors HTTP/1.1\r\nHost: other\r\n${HOST}\r\n`],
    ['a host that is none', 'GET /api/tutors HTTP/1.1\r\nHost: a/../b\r\nConnection: close\r\n\r\n'],
    ['a byte beyond ASCII in the path', `GET /api/tutors/\xfc HTTP/1.1\r\n${HOST}\r\n`],
    ['HTTP/2 without having agreed on it', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s', async (_name, text) => {
    const before = gateway.reached();
    const reply = await send(text);
    expect(reply).toMatch(/^HTTP\/1\.1 400 /);
    expect(reply).toMatch(/\r\nConnection: close\r\n/i);
    expect(reply).toMatch(/\r\nContent-Type: application\/problem\+json/i);
    expect(reply).toMatch(/\r\nX-Request-Id: [\w-]+\r\n/i);
    expect(reply).not.toMatch(/HTTP\/1\.1 [^4]/);
    expect(gateway.reached()).toBe(before);
  });
});

test('an expectation that nobody knows is refused with 417, as a problem', async () => {
  const before = gateway.reached();
  const reply = await send(`POST /api/tutors HTTP/1.1\r\n${HOST}Expect: a-miracle\r\nContent-Length: 2\r\n\r\n{}`);
  expect(reply).toMatch(/^HTTP\/1\.1 417 /);
  expect(reply).toMatch(/\r\nX-Request-Id: [\w-]+\r\n/i);
  expect(reply).toContain('"code":"expectation_failed"');
  expect(gateway.reached()).toBe(before);
});

test('headers beyond 16 KiB are refused with 431', async () => {
  const before = gateway.reached();
  expect(await send(`GET /api/tutors HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 431 /,
  );
  expect(gateway.reached()).toBe(before);
});

test('a tunnel is not opened', async () => {
  const before = gateway.reached();
  const tunnel = await send(`CONNECT 127.0.0.1:8001 HTTP/1.1\r\n${HOST}\r\n`);
  expect(tunnel).toMatch(/^HTTP\/1\.1 405 /);
  expect(tunnel).toMatch(/\r\nX-Request-Id: [\w-]+\r\n/i);
  expect(tunnel).toContain('"code":"method_not_allowed"');
  expect(
    await send('GET /api/tutors HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n'),
  ).toMatch(/^HTTP\/1\.1 200 /);
  expect(gateway.reached()).toBe(before + 1);
  expect(gateway.upstreams.tutoring.received.at(-1)?.headers).not.toHaveProperty('upgrade');
});

test('trailers are not taken for headers', async () => {
  const reply = await send(
    `POST /api/tutors HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n`,
  );
  expect(reply).toMatch(/^HTTP\/1\.1 200 /);
  expect(gateway.upstreams.tutoring.received.at(-1)?.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1' });
  expect(gateway.upstreams.tutoring.received.at(-1)?.headers).not.toHaveProperty('authorization');
});

test('requests written together are answered each by its own reply, in order', async () => {
  gateway.upstreams.booking.answer = (received, response) => void response.end(`<${received.url} ${received.body}>`);
  const one = (n: number) => `POST /api/bookings/${n} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n${n}`;
  const reply = await send(`${one(1)}${one(2)}${one(3)}GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
  expect(reply.match(/<[^>]*>/g)).toEqual(['</api/bookings/1 1>', '</api/bookings/2 2>', '</api/bookings/3 3>']);
  expect(reply.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(4);
});

describe('an internal path in any spelling is answered with 404 and reaches no service', () => {
  test.each([
    '/internal',
    '/internal/slots/hold',
    '//internal/slots/hold',
    '/./internal/slots/hold',
    '/INTERNAL/slots/hold',
    '/%69nternal/slots/hold',
    '/%2finternal/slots/hold',
    '/api/internal/slots/hold',
    '/api/v1/internal',
    '/api/v1/../../internal/slots/hold',
    '/api/../internal/slots/hold',
    '/api/%2e%2e/internal/slots/hold',
    '/api/tutors/../../internal/slots/hold',
    '/api/tutors/%2e%2e/%2e%2e/internal/slots/hold',
    '/api/tutors/..%2f..%2finternal/slots/hold',
    '/api/tutors/%252e%252e/%252e%252e/internal',
    '/api/tutors/..;/..;/internal/slots/hold',
    '/api/tutors/..\\..\\internal\\slots',
    '/api//internal/slots/hold',
    '/API/../internal/slots/hold',
    'http://127.0.0.1/internal/slots/hold',
    'http://internal/internal/slots/hold',
  ])('%s', async (path) => {
    const before = gateway.reached();
    const reply = await send(`POST ${path} HTTP/1.1\r\n${HOST}Authorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}`);
    expect(reply).toMatch(/^HTTP\/1\.1 404 /);
    expect(reply).toMatch(/\r\nContent-Type: application\/problem\+json/i);
    expect(reply).toContain('"code":"not_found"');
    expect(gateway.reached()).toBe(before);
  });
});
