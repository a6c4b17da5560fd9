import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { stripVTControlCharacters } from 'node:util';
import { createGateway, expectThat } from './gateway';
import { createTimeline } from './timeline';
import { anything, when } from './wire';

let server: Server;
let replies: { status: number; headers?: Record<string, string>; body: unknown }[];
let printed: string[];

beforeEach(async () => {
  printed = [];
  server = createServer((_, response) => {
    const { status, headers = {}, body } = replies.shift() ?? { status: 500, body: {} };
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const timeline = createTimeline((line) => printed.push(stripVTControlCharacters(line))).of('story');
const ask = (expect: number[]) => {
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return createGateway(`http://127.0.0.1:${port}`)(timeline, anything, 'GET', '/api/x', { expect, what: 'asks for x' });
};

test('an answer that was expected is shown with its status', async () => {
  replies = [{ status: 201, body: { id: 'x' } }];
  expect((await ask([201])).body).toEqual({ id: 'x' });
  expect(printed.join()).toMatch(/\d+\.\d s {2}story +asks for x +201$/);
});

test('any other answer fails the demo with the code and the reason', async () => {
  replies = [{ status: 409, body: { code: 'slot_unavailable', detail: 'The slot cannot be booked' } }];
  await expect(ask([201, 202])).rejects.toThrow(
    'GET /api/x should have answered 201 or 202 and answered 409 slot_unavailable: The slot cannot be booked',
  );
});

test('a rate limit is waited for as long as it asks', async () => {
  replies = [
    { status: 429, headers: { 'retry-after': '1' }, body: { code: 'rate_limited' } },
    { status: 200, body: {} },
  ];
  const started = performance.now();
  await ask([200]);
  expect(performance.now() - started).toBeGreaterThanOrEqual(990);
  expect(printed.join()).toContain('the rate limit asks to wait 1 s');
});

test('what does not hold fails the demo with what is instead', () => {
  expect(() => expectThat(timeline, 'the booking is confirmed', false, 'pending')).toThrow(
    'Expected: the booking is confirmed; instead: pending',
  );
  expectThat(timeline, 'the booking is confirmed', true, 'pending');
  expect(printed.at(-1)).toMatch(/✓ the booking is confirmed$/);
});

test('instants are shown to the minute', () => {
  expect(when('2026-11-22T19:15:00.000Z')).toBe('2026-11-22 19:15 UTC');
});
