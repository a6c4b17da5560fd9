import { ProblemError } from '../../kernel/errors';
import type { Batch, BusReader } from '../../platform/bus/transport';
import { uuidv7 } from '../../platform/ids';
import { createLogger } from '../../platform/telemetry';
import { startTestBus, type TestBus } from '../../tests/support/bus';
import { echo, problem, startTestGateway, until } from '../../tests/support/gateway';
import { noBus } from '../../tests/support/service';
import { type EndedSessions, knowEndedSessions } from './ended-sessions';
import { openSessions } from './open-sessions';

const logger = createLogger('test', 'silent');

let bus: TestBus;
const running: EndedSessions[] = [];
const hanging: (() => void)[] = [];
beforeAll(async () => {
  bus = await startTestBus();
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const end of hanging.splice(0)) end();
  await Promise.all(running.splice(0).map((sessions) => sessions.close()));
});
afterAll(() => bus.close());

function know(reader: BusReader): EndedSessions {
  const sessions = knowEndedSessions(reader, logger);
  running.push(sessions);
  return sessions;
}

/** The bus, of which `read` gives what `answer` makes of it. */
function reading(answer: (read: Promise<Batch>) => Promise<Batch>): BusReader {
  const reader = bus.reader();
  return { ...reader, read: (...given) => answer(reader.read(...given)) };
}

/** Gives no answer while the test runs. */
const hangs = () => new Promise<never>((_, reject) => hanging.push(() => reject(new Error('the test is over'))));

/** identity, as it would answer; `asked` has every session it was asked of. */
function identity(answer: (sessionId: string) => Promise<boolean> = async () => true) {
  const asked: string[] = [];
  const ask = (sessionId: string) => {
    asked.push(sessionId);
    return answer(sessionId);
  };
  return { asked, ask };
}

test('while the bus is well identity is asked of no session', async () => {
  const gateway = await startTestGateway({ environment: { RATE_LIMIT_API: 'off' }, bus });
  gateway.upstreams.booking.answer = (_received, response) => void response.end('ok');
  await until(async () => (await gateway.readiness()).ready);
  for (let n = 0; n < 50; n++) {
    expect((await gateway.ask('GET', '/api/bookings', { token: await gateway.signer.sign() })).status).toBe(200);
  }
  expect(gateway.upstreams.identity.received.filter(({ url }) => url.startsWith('/internal'))).toEqual([]);
  await gateway.close();
});

test('before anything was read each session is asked of, with a token of the platform', async () => {
  const reader = { ...noBus.reader(), before: () => new Promise<null>(() => undefined) };
  const gateway = await startTestGateway({
    environment: { RATE_LIMIT_API: 'off' },
    bus: { ...noBus, reader: () => reader },
  });
  const keys = gateway.upstreams.identity.answer;
  const [open, ended] = [uuidv7(), uuidv7()];
  gateway.upstreams.identity.answer = (received, response, request) => {
    if (!received.url.startsWith('/internal/')) return keys(received, response, request);
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ open: received.url.endsWith(open) }));
  };
  const ask = async (sessionId: string) =>
    gateway.ask('GET', '/api/bookings', { token: await gateway.signer.sign({ sessionId }) });
  expect((await ask(open)).status).toBe(200);
  expect(await ask(ended)).toMatchObject(problem(401, 'unauthenticated'));
  const [received] = gateway.upstreams.identity.received.filter(({ url }) => url === `/internal/sessions/${open}`);
  expect(received?.headers.authorization).toMatch(/^Bearer /);
  gateway.upstreams.identity.answer = echo; // something else than what was asked for
  expect(await ask(uuidv7())).toMatchObject(problem(503, 'upstream_unavailable'));
  expect(await gateway.ask('GET', '/api/tutors')).toMatchObject({ status: 200 });
  await gateway.close();
});

test.each<[string, (read: Promise<Batch>) => Promise<Batch>]>([
  ['hangs', hangs],
  ['is away', () => Promise.reject(new Error('away'))],
])('when the bus %s, what is known is current for three seconds and then asked for', async (_, fault) => {
  let well = true;
  const sessions = know(reading((read) => (well ? read : fault(read))));
  await until(() => sessions.isCurrent());
  well = false;
  const { asked, ask } = identity();
  const isOpen = openSessions(sessions, ask);
  expect(await isOpen(uuidv7())).toBe(true);
  expect(asked).toEqual([]);
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + 5_000);
  const session = uuidv7();
  expect(await isOpen(session)).toBe(true);
  expect(asked).toEqual([session]);
});

test('what is read of a bus that is written to faster than it is read is never current, however often it is read', async () => {
  let reads = 0;
  const sessions = know(
    reading(async (read) => {
      reads += 1;
      return { ...(await read), behind: 1 };
    }),
  );
  await until(() => reads > 3);
  expect([sessions.isCurrent(), sessions.caughtUp()]).toEqual([false, false]);
});

test('an answer that was on its way for long says nothing of that time', async () => {
  let letGo = (): void => undefined;
  let asks = 0;
  const reader = reading(async (read) => {
    asks += 1;
    if (asks === 1) return read;
    if (asks === 2)
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
    return asks === 2 ? read : hangs();
  });
  const sessions = know(reader);
  await until(() => asks === 2);
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + 5_000);
  letGo();
  await until(() => asks === 3);
  expect(sessions.isCurrent()).toBe(false);
  expect(sessions.caughtUp()).toBe(true);
});

test('a clock that is set does not make what is known older or newer', async () => {
  const sessions = know(bus.reader());
  await until(() => sessions.isCurrent());
  const now = Date.now.bind(Date);
  jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
  expect(sessions.isCurrent()).toBe(true);
});

describe('while identity is asked', () => {
  const unknowing = (ended = new Set<string>()) => ({
    has: (sessionId: string) => ended.has(sessionId),
    add: (sessionId: string) => void ended.add(sessionId),
    isCurrent: () => false,
    caughtUp: () => false,
    close: async () => undefined,
  });

  test('requests of one session that come within a second share an answer, and the next one asks again', async () => {
    const { asked, ask } = identity();
    const isOpen = openSessions(unknowing(), ask);
    const [one, other] = [uuidv7(), uuidv7()];
    await Promise.all(Array.from({ length: 20 }, () => isOpen(one)));
    await isOpen(other);
    expect(asked).toEqual([one, other]);
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 1_000);
    await isOpen(one);
    expect(asked).toEqual([one, other, one]);
  });

  test('a session that it called ended stays so, also when the bus is heard again and has not told of it', async () => {
    const sessions = know(bus.reader());
    await until(() => sessions.isCurrent());
    const session = uuidv7();
    const isOpen = openSessions({ ...sessions, isCurrent: () => false }, async () => false);
    expect(await isOpen(session)).toBe(false);
    expect(await openSessions(sessions, identity().ask)(session)).toBe(false);
  });

  test('no answer lets nobody in and is not kept', async () => {
    const away = new ProblemError('upstream_unavailable');
    let isThere = false;
    const { ask } = identity(() => (isThere ? Promise.resolve(true) : Promise.reject(away)));
    const isOpen = openSessions(unknowing(), ask);
    const session = uuidv7();
    await expect(isOpen(session)).rejects.toBe(away);
    isThere = true;
    expect(await isOpen(session)).toBe(true);
  });

  test('what the bus has told needs no question', async () => {
    const session = uuidv7();
    const { asked, ask } = identity();
    expect(await openSessions(unknowing(new Set([session])), ask)(session)).toBe(false);
    expect(asked).toEqual([]);
  });
});
