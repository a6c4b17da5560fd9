import { sql } from 'drizzle-orm';
import { busEvent, CONSUMER_SETTINGS, startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { uuidv7 } from '../ids';
import { createLogger, metrics } from '../telemetry';
import { startConsumer } from './consume';
import type { Apply, Consumer } from './consumer';
import type { Loop } from './loop';
import { MOST_TRIES, retryDead, skipDead } from './store';
import type { BusEvent, BusReader } from './transport';

jest.setTimeout(60_000);

const TOPIC = 'identity.events';
const logger = createLogger('test', 'silent');

let bus: TestBus;
let database: TestDatabase;
const running: Loop[] = [];
beforeEach(async () => {
  [bus, database] = await Promise.all([startTestBus(), createTestDatabase('booking')]);
  await database.sql`create table seen (id bigserial, event_id uuid, stream_id text, version integer)`;
});
afterEach(async () => {
  await stopAll();
  await bus.close();
  await database.drop();
});
const stopAll = () => Promise.all(running.splice(0).map((consumer) => consumer.close()));

const note: Apply = async (tx, { id, subject, streamversion }) => {
  await tx.execute(sql`insert into seen (event_id, stream_id, version) values (${id}, ${subject}, ${streamversion})`);
};
const projection = (apply: Apply = note): Consumer => ({
  kind: 'projection',
  name: 'seen',
  topic: TOPIC,
  tables: ['seen'],
  apply,
});
const reactor = (actsWithinSeconds = 3_600): Consumer => ({
  kind: 'reactor',
  name: 'seen',
  topic: TOPIC,
  actsWithinSeconds,
  apply: note,
});

function start(consumer: Consumer, reader: BusReader = bus.reader()): Loop {
  const started = startConsumer({
    service: 'booking',
    bus: reader,
    db: database.db,
    consumer,
    config: CONSUMER_SETTINGS,
    logger,
  });
  running.push(started);
  return started;
}

async function append(...events: BusEvent[]): Promise<void> {
  const lease = await bus.appender().takeLease(TOPIC, 'test');
  if (!lease) throw new Error('the lease is taken');
  await bus.appender().append(lease, events, false);
  await bus.appender().endLease(lease);
}
const some = (count: number, given: Partial<BusEvent> = {}) => Array.from({ length: count }, () => busEvent(given));
const ofStream = (subject: string, count: number) =>
  Array.from({ length: count }, (_, n) => busEvent({ subject, streamversion: n + 1 }));
const ids = (events: readonly BusEvent[]) => events.map(({ id }) => id);
const seen = async () => (await database.sql`select event_id from seen order by id`).map((row) => row.event_id);
const parked = () => database.sql<
  { id: string; version: number; tries: number; dead: boolean; error: string | null }[]
>`
  select id, version, tries, dead_at is not null as dead, error from parked_events where skipped_at is null order by id`;
const cursor = async () => (await database.sql`select cursor, left_out from consumer_cursors`)[0];
/** Has parked events tried again at once, as often as `check` asks for. */
const untilTried = (check: () => Promise<boolean>) =>
  until(async () => {
    await database.sql`update parked_events set next_try_at = now() where dead_at is null`;
    return check();
  }, 30_000);

test('a projection applies everything from the first event on, in its order and once', async () => {
  const before = some(3);
  await append(...before);
  start(projection());
  await until(async () => (await seen()).length === 3);
  const after = some(1_200);
  await append(...after);
  await until(async () => (await seen()).length === 1_203, 30_000);
  expect(await seen()).toEqual(ids([...before, ...after]));
});

test('started again it goes on where it was', async () => {
  start(projection());
  const first = some(2);
  await append(...first);
  await until(async () => (await seen()).length === 2);
  await stopAll();
  const second = some(2);
  await append(...second);
  start(projection());
  await until(async () => (await seen()).length === 4);
  expect(await seen()).toEqual(ids([...first, ...second]));
});

test('several replicas apply each event once', async () => {
  const events = some(700);
  for (let n = 0; n < 3; n++) start(projection(), bus.open().reader());
  for (const event of events.slice(0, 50)) await append(event);
  await append(...events.slice(50));
  await until(async () => (await seen()).length >= 700, 30_000);
  expect(await seen()).toEqual(ids(events));
});

test('what it did of an event that it could not finish is undone, and the event is applied once it can be', async () => {
  let broken = true;
  const [poison, ...others] = some(4);
  if (!poison) throw new Error('there are four');
  start(
    projection(async (tx, event) => {
      await note(tx, event);
      if (broken && event.id === poison.id) throw new Error('not today');
    }),
  );
  await append(poison, ...others);
  await until(async () => (await seen()).length === 3);
  expect(await seen()).toEqual(ids(others));
  broken = false;
  await untilTried(async () => (await seen()).length === 4);
  expect([...(await seen())].at(-1)).toBe(poison.id);
  expect(await parked()).toHaveLength(0);
});

describe('an event that cannot be applied', () => {
  const stream = uuidv7();
  let broken: boolean;
  let events: BusEvent[];
  beforeEach(async () => {
    broken = true;
    events = ofStream(stream, 4);
    start(
      projection(async (tx, event) => {
        if (broken && event.subject === stream && event.streamversion === 2) throw new TypeError('cannot');
        await note(tx, event);
      }),
    );
    await append(...events);
  });
  const versions = async () =>
    (await database.sql`select version from seen where stream_id = ${stream} order by id`).map((row) => row.version);
  const dead = async () => (await parked()).some((row) => row.dead);
  const theDead = async () => Number((await parked()).find((row) => row.dead)?.id);

  test('holds those behind it in its stream, and nobody else; after ten tries it is dead and waits', async () => {
    const others = some(5);
    await append(...others);
    await until(async () => (await seen()).length === 6);
    expect(await versions()).toEqual([1]);
    await untilTried(dead);
    expect(await parked()).toEqual([
      expect.objectContaining({ version: 2, tries: MOST_TRIES, dead: true, error: 'TypeError' }),
      expect.objectContaining({ version: 3, tries: 0, dead: false, error: null }),
      expect.objectContaining({ version: 4, tries: 0, dead: false, error: null }),
    ]);
    await append(busEvent({ subject: stream, streamversion: 5 }));
    await until(async () => (await parked()).length === 4);
    expect(await versions()).toEqual([1]);
    const said = await metrics.getSingleMetricAsString('bus_dead_events');
    expect(said).toContain('bus_dead_events{service="booking",consumer="seen"} 1');
  });

  test('is applied in its place when an operator has it tried again', async () => {
    await untilTried(dead);
    broken = false;
    expect(await retryDead(database.db, await theDead())).toBe(true);
    await untilTried(async () => (await parked()).length === 0);
    expect(await versions()).toEqual([1, 2, 3, 4]);
  });

  test('is left out when an operator skips it, and those behind it follow', async () => {
    await untilTried(dead);
    const id = await theDead();
    expect(await skipDead(database.db, id, 'written by a bug that is mended')).toBe(true);
    await untilTried(async () => (await parked()).length === 0);
    expect(await versions()).toEqual([1, 3, 4]);
    await until(async () =>
      (await metrics.getSingleMetricAsString('bus_dead_events')).includes(
        'bus_dead_events{service="booking",consumer="seen"} 0',
      ),
    );
    const [skipped] = await database.sql`select skip_reason from parked_events where id = ${id}`;
    expect(skipped?.skip_reason).toBe('written by a bug that is mended');
    expect([await skipDead(database.db, id, 'again'), await retryDead(database.db, id)]).toEqual([false, false]);
  });

  test('is not an operator’s before it is dead', async () => {
    await until(async () => (await parked()).length === 3);
    const [first] = await parked();
    expect(await retryDead(database.db, Number(first?.id))).toBe(false);
    expect(await skipDead(database.db, Number(first?.id), 'too early')).toBe(false);
  });
});

describe('a reactor', () => {
  test('does nothing of a hundred thousand events that were there before it, and acts on what comes', async () => {
    await append(busEvent());
    await bus.sql`
      insert into messages (topic, "offset", event_id, stream_id, version, type, data, keyed, occurred_at, appended_at)
      select topic, n, gen_random_uuid(), gen_random_uuid(), 1, type, data, keyed, now(), now()
      from messages, generate_series(1, 100000) as n`;
    await bus.sql`update topics set next_offset = 100001 where name = ${TOPIC}`;
    start(reactor());
    await until(async () => (await cursor()) !== undefined);
    expect((await cursor())?.cursor).toBe(await bus.reader().tail(TOPIC));
    const fresh = some(3);
    await append(...fresh);
    await until(async () => (await seen()).length === 3);
    expect(await seen()).toEqual(ids(fresh));
    await stopAll();
    const meanwhile = some(2);
    await append(...meanwhile);
    start(reactor());
    await until(async () => (await seen()).length === 5);
    expect(await seen()).toEqual(ids([...fresh, ...meanwhile]));
  });

  test('leaves out what happened too long ago, and counts it', async () => {
    start(reactor(60));
    await until(async () => (await cursor()) !== undefined);
    const late = some(2, { time: new Date(Date.now() - 61_000).toISOString() });
    const fresh = some(1);
    await append(...late, ...fresh);
    await until(async () => (await seen()).length === 1);
    expect(await seen()).toEqual(ids(fresh));
    expect(Number((await cursor())?.left_out)).toBe(2);
  });
});

test('of a keyed topic a parked event gives way to the newer one of its stream', async () => {
  let broken = true;
  const subject = uuidv7();
  start({
    ...projection(async (tx, event) => {
      if (broken) throw new Error('cannot');
      await note(tx, event);
    }),
    topic: 'identity.people',
  });
  const keyed = async (streamversion: number) => {
    const lease = await bus.appender().takeLease('identity.people', 'test');
    if (!lease) throw new Error('the lease is taken');
    await bus.appender().append(lease, [busEvent({ subject, streamversion })], true);
    await bus.appender().endLease(lease);
  };
  await keyed(1);
  await until(async () => (await parked()).length === 1);
  await keyed(2);
  await until(async () => (await parked()).length === 2);
  broken = false;
  await untilTried(async () => (await parked()).length === 0);
  const rows = await database.sql`select version from seen`;
  expect(rows.map(({ version }) => version)).toEqual([2]);
});

test('while its database or the bus is away nothing is lost, and nothing is parked', async () => {
  let away = true;
  const reader = bus.reader();
  start(projection(), {
    ...reader,
    read: (...given) => (away ? Promise.reject(new Error('away')) : reader.read(...given)),
  });
  const events = some(2);
  await append(...events);
  away = false;
  await until(async () => (await seen()).length === 2);
  await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`.catch(() => undefined);
  const more = some(2);
  await append(...more);
  await until(async () => (await seen().catch(() => [])).length === 4);
  expect(await seen()).toEqual(ids([...events, ...more]));
  expect(await parked()).toHaveLength(0);
});

test('a consumer that hears of nothing looks for itself', async () => {
  const reader = bus.reader();
  start(projection(), { ...reader, appended: (_topic, ms) => reader.appended('nothing is ever told of this', ms) });
  const events = some(3);
  for (const [n, event] of events.entries()) {
    await append(event);
    await until(async () => (await seen()).length === n + 1);
  }
  expect(await seen()).toEqual(ids(events));
});

test('what it does nothing of is passed over, and noted when nothing else is to be done or much has gone by', async () => {
  start({ ...projection(), types: ['Wanted'] });
  const wanted = some(2, { type: 'Wanted' });
  const [first, second] = wanted;
  if (!first || !second) throw new Error('there are two');
  await append(...some(1_200), first, ...some(3));
  await until(async () => (await seen()).length === 1);
  const tail = await bus.reader().tail(TOPIC);
  await until(async () => (await cursor())?.cursor === tail);
  await append(...some(3), second);
  await until(async () => (await seen()).length === 2);
  expect(await seen()).toEqual(ids(wanted));
});
