import { openDatabase } from '../../db/client';
import { peopleProjection } from '../../services/booking/store/people';
import { busEvent, CONSUMER_SETTINGS, startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { uuidv7 } from '../ids';
import { createLogger } from '../telemetry';
import { startConsumer } from './consume';
import { rebuild } from './rebuild';

jest.setTimeout(60_000);

const TOPIC = 'identity.people';
const person = (displayName: string) => ({
  ...{ displayName, avatarUrl: null, role: 'student', timeZone: 'UTC', locale: 'en', status: 'active' },
});

let bus: TestBus;
let database: TestDatabase;
beforeEach(async () => {
  [bus, database] = await Promise.all([startTestBus(), createTestDatabase('booking')]);
});
afterEach(async () => {
  await bus.close();
  await database.drop();
});

async function say(subject: string, streamversion: number, data: Record<string, unknown> | null): Promise<void> {
  const lease = await bus.appender().takeLease(TOPIC, 'test');
  if (!lease) throw new Error('the lease is taken');
  await bus
    .appender()
    .append(lease, [busEvent({ source: '/identity', type: 'Person', subject, streamversion, data })], true);
  await bus.appender().endLease(lease);
}

/** Applies all there is, and stops. */
async function catchUp(): Promise<void> {
  const consumer = startConsumer({
    ...{ service: 'booking', bus: bus.reader(), db: database.db, consumer: peopleProjection },
    config: CONSUMER_SETTINGS,
    logger: createLogger('test', 'silent'),
  });
  const tail = await bus.reader().tail(TOPIC);
  await until(async () => (await database.sql`select cursor from consumer_cursors`)[0]?.cursor === tail);
  await consumer.close();
}

async function rebuilt(replace = false) {
  const own = openDatabase(database.url, { poolSize: 1, applicationName: 'rebuild' });
  try {
    return await rebuild(own.db, bus.reader(), peopleProjection, { replace });
  } finally {
    await own.close();
  }
}
const names = async () =>
  (await database.sql`select display_name from people order by display_name`).map((row) => row.display_name);

test('from the first event on it is what is live, whatever came, was changed and went', async () => {
  const [ada, bob, eve] = [uuidv7(), uuidv7(), uuidv7()];
  await say(ada, 1, person('Ada'));
  await say(bob, 1, person('Bob'));
  await catchUp();
  await say(ada, 2, person('Ada L.'));
  await say(eve, 1, person('Eve'));
  await say(bob, 2, null);
  await catchUp();
  expect(await names()).toEqual(['Ada L.', 'Eve']);
  expect(await rebuilt()).toEqual({ events: 3, different: { people: 0 }, behind: 0 });
});

test('a row that no event gave, or that lacks what one gave, is found; replaced it is as the events say', async () => {
  const [ada, bob] = [uuidv7(), uuidv7()];
  await say(ada, 1, person('Ada'));
  await say(bob, 1, person('Bob'));
  await catchUp();
  await database.sql`update people set display_name = 'Eve' where user_id = ${ada}`;
  await database.sql`delete from people where user_id = ${bob}`;
  expect((await rebuilt()).different).toEqual({ people: 3 });
  expect(await names()).toEqual(['Eve']);
  await rebuilt(true);
  expect(await names()).toEqual(['Ada', 'Bob']);
  expect((await rebuilt()).different).toEqual({ people: 0 });
  await say(bob, 2, person('Bob B.'));
  await catchUp();
  expect(await names()).toEqual(['Ada', 'Bob B.']);
});

test('what is not read yet is not in it, and said', async () => {
  await say(uuidv7(), 1, person('Ada'));
  await catchUp();
  await say(uuidv7(), 1, person('Bob'));
  expect(await rebuilt()).toEqual({ events: 1, different: { people: 0 }, behind: 1 });
});

test('what waits or was skipped is in neither', async () => {
  await say(uuidv7(), 1, person('Ada'));
  await say(uuidv7(), 1, { displayName: 7 });
  await catchUp();
  expect(await database.sql`select 1 from parked_events`).toHaveLength(1);
  expect(await rebuilt()).toEqual({ events: 1, different: { people: 0 }, behind: 0 });
});
