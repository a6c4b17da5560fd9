import type { BusReader } from '../../platform/bus/transport';
import { uuidv7 } from '../../platform/ids';
import { createLogger } from '../../platform/telemetry';
import { busEvent, startTestBus, type TestBus } from '../../tests/support/bus';
import { problem, startTestGateway, until } from '../../tests/support/gateway';
import { knowEndedSessions } from './ended-sessions';

const TOPIC = 'identity.events';
const logger = createLogger('test', 'silent');

let bus: TestBus;
beforeAll(async () => {
  bus = await startTestBus();
});
afterAll(() => bus.close());

async function ended(sessionId: string, type = 'UserLoggedOut', data: Record<string, unknown> = {}): Promise<void> {
  const appender = bus.appender();
  const lease = await appender.takeLease(TOPIC, 'test');
  if (!lease) throw new Error('the lease is taken');
  const userId = uuidv7();
  const said = { userId, participantIds: [userId], sessionId, reason: 'logout', ...data };
  await appender.append(lease, [busEvent({ source: '/identity', type, data: said })], false);
  await appender.endLease(lease);
}

test('a gateway refuses the token of a session that ended, before it or while it runs, and of no other', async () => {
  const [before, during, other] = [uuidv7(), uuidv7(), uuidv7()];
  await ended(before);
  const gateway = await startTestGateway({ environment: { RATE_LIMIT_API: 'off' }, bus });
  gateway.upstreams.booking.answer = (_received, response) => void response.end('ok');
  await until(async () => (await gateway.readiness()).ready);
  const ask = async (sessionId: string) => {
    const token = await gateway.signer.sign({ sessionId });
    return gateway.ask('GET', '/api/bookings', { token });
  };
  expect(await ask(before)).toMatchObject({
    ...problem(401, 'unauthenticated'),
    body: { detail: 'The session of this access token has ended' },
  });
  for (const session of [during, other]) expect((await ask(session)).status).toBe(200);
  await ended(during);
  await until(async () => (await ask(during)).status === 401);
  expect((await ask(other)).status).toBe(200);
  await gateway.close();
});

test('it is not ready before it has read what ended, and says that the bus is away', async () => {
  const away: BusReader = {
    ...bus.reader(),
    before: () => Promise.reject(new Error('away')),
    read: () => Promise.reject(new Error('away')),
    ping: () => Promise.reject(new Error('away')),
  };
  let reachable = false;
  const gateway = await startTestGateway({
    bus: {
      ...bus,
      reader: () => ({
        ...away,
        before: (topic, seconds) => (reachable ? bus.reader() : away).before(topic, seconds),
        read: (topic, after, limit) => (reachable ? bus.reader() : away).read(topic, after, limit),
      }),
    },
  });
  const { ready, degraded } = await gateway.readiness();
  expect([ready, degraded?.includes('bus')]).toEqual([false, true]);
  reachable = true;
  await until(async () => (await gateway.readiness()).ready);
  await gateway.close();
});

test('a session is forgotten once its last token has expired, and a new gateway does not read of it', async () => {
  let now = 1_000_000;
  const sessions = knowEndedSessions(bus.reader(), logger, () => now);
  const [first, second] = [uuidv7(), uuidv7()];
  await ended(first);
  await until(() => sessions.has(first));
  now += 899_000;
  expect(sessions.has(first)).toBe(true);
  now += 1_000;
  expect(sessions.has(first)).toBe(false);
  await ended(second);
  await until(() => sessions.has(second));
  await sessions.close();
  await bus.sql`update messages set appended_at = appended_at - interval '16 minutes'`;
  const later = knowEndedSessions(bus.reader(), logger);
  await until(() => later.caughtUp());
  expect([later.has(first), later.has(second)]).toEqual([false, false]);
  await later.close();
});

test('what is no end of a session, or makes no sense, ends none and is passed over', async () => {
  const sessions = knowEndedSessions(bus.reader(), logger);
  const [loggedIn, broken, after] = [uuidv7(), 'no id', uuidv7()];
  await ended(loggedIn, 'UserLoggedIn');
  await ended(broken);
  await ended(after, 'UserLoggedOut', { addedLater: true });
  await until(() => sessions.has(after));
  expect([sessions.has(loggedIn), sessions.has(broken)]).toEqual([false, false]);
  await sessions.close();
});

test('a gateway that hears of nothing looks for itself', async () => {
  const reader = bus.reader();
  const deaf = {
    ...reader,
    appended: (_topic: string, ms: number) => reader.appended('nothing is ever told of this', ms),
  };
  const sessions = knowEndedSessions(deaf, logger);
  await until(() => sessions.caughtUp());
  const session = uuidv7();
  await ended(session);
  await until(() => sessions.has(session));
  await sessions.close();
});
