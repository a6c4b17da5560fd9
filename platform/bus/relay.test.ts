import { z } from 'zod';
import { busEvent, readAll, startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { type Changes, createChanges } from '../changes';
import { event, Id } from '../event-schema';
import { uuidv7 } from '../ids';
import { appendEvent, outboxOf } from '../outbox';
import { createLogger } from '../telemetry';
import type { Loop } from './loop';
import { type Outbox, startRelay } from './relay';
import type { BusEvent } from './transport';

jest.setTimeout(60_000);

const SCHEMAS = { Happened: event('Something has happened.', { id: Id, n: z.int() }) };
const TOPIC = 'notification.events';

let bus: TestBus;
let database: TestDatabase;
let changes: Changes;
const logger = createLogger('test', 'silent');
const running: Loop[] = [];
beforeEach(async () => {
  [bus, database] = await Promise.all([startTestBus(), createTestDatabase('notification')]);
  changes = createChanges(database, logger);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((relay) => relay.close()));
  changes.close();
  await bus.close();
  await database.drop();
});

function relay(outbox: Outbox = outboxOf('notification', database.db), through = bus.appender()): Loop {
  const started = startRelay({ bus: through, outbox, changes, logger, holder: 'test' });
  running.push(started);
  return started;
}

const append = (streamId: string, n: number) =>
  database.db.transaction((tx) => appendEvent(tx, SCHEMAS, { streamId, type: 'Happened', data: { id: streamId, n } }));
const unpublished = async () => (await database.sql`select 1 from events where published_at is null`).length;
const onBus = async () => (await readAll(bus.reader(), TOPIC)).map(({ event: { id } }) => id);
const isOnBus = async (stream: string) =>
  (await readAll(bus.reader(), TOPIC)).some(({ event: { subject } }) => subject === stream);
const written = async () =>
  (await database.sql`select event_id from events order by position`).map((row) => row.event_id);
const offsets = async () =>
  (await bus.sql`select "offset" from messages where topic = ${TOPIC} order by "offset"`).map((row) =>
    Number(row.offset),
  );
const gapless = (count: number) => Array.from({ length: count }, (_, n) => n);

test('what was written before it and what is written while it runs is published as it was written', async () => {
  const stream = uuidv7();
  await append(stream, 1);
  relay();
  await append(stream, 2);
  await until(async () => (await unpublished()) === 0);
  expect((await readAll(bus.reader(), TOPIC)).map(({ event: told }) => told)).toEqual(
    (await database.sql`select event_id, version, occurred_at, data from events order by position`).map((row) => ({
      ...{ specversion: '1.0', id: row.event_id, source: '/notification', type: 'Happened', subject: stream },
      ...{ time: new Date(row.occurred_at).toISOString(), datacontenttype: 'application/json' },
      ...{ streamversion: row.version, data: row.data },
    })),
  );
});

test('a transaction that commits after one that took its position later is published all the same', async () => {
  relay();
  let commit = () => undefined as undefined;
  const late = uuidv7();
  const mayCommit = new Promise<void>((resolve) => {
    commit = () => void resolve();
  });
  const slow = database.db.transaction(async (tx) => {
    await appendEvent(tx, SCHEMAS, { streamId: late, type: 'Happened', data: { id: late, n: 1 } });
    await mayCommit;
  });
  await until(async () => (await database.sql`select last_value from events_position_seq`)[0]?.last_value > 0);
  const early = uuidv7();
  await append(early, 2);
  await until(async () => (await onBus()).length === 1);
  commit();
  await slow;
  await until(async () => (await onBus()).length === 2);
  expect((await readAll(bus.reader(), TOPIC)).map(({ event: told }) => told.subject)).toEqual([early, late]);
});

/** An outbox as one would write it who takes a position for a cursor. */
function byPosition(): Outbox {
  let last = 0;
  const real = outboxOf('notification', database.db);
  return {
    ...real,
    async unpublished(limit) {
      const rows = await database.sql<{ event_id: string; position: string; stream_id: string; version: number }[]>`
        select event_id, position, stream_id, version from events where position > ${last} order by position limit ${limit}`;
      last = Number(rows.at(-1)?.position ?? last);
      return rows.map(
        (row): BusEvent => busEvent({ id: row.event_id, subject: row.stream_id, streamversion: row.version }),
      );
    },
  };
}

/** Writers whose transactions commit in another order than they took their positions. */
async function writeOutOfOrder(): Promise<void> {
  for (let round = 0; round < 10; round++) {
    let release = () => undefined as undefined;
    const released = new Promise<void>((resolve) => {
      release = () => void resolve();
    });
    const id = uuidv7();
    let taken = () => undefined as undefined;
    const isTaken = new Promise<void>((resolve) => {
      taken = () => void resolve();
    });
    const slow = database.db.transaction(async (tx) => {
      await appendEvent(tx, SCHEMAS, { streamId: id, type: 'Happened', data: { id, n: 1 } });
      taken();
      await released;
    });
    await isTaken;
    const early = uuidv7();
    await append(early, 2);
    await until(() => isOnBus(early));
    release();
    await slow;
  }
}

test('a position as a cursor loses what committed late: the outbox has none, and loses nothing', async () => {
  const planted = relay(byPosition());
  await writeOutOfOrder();
  const last = uuidv7();
  await append(last, 3);
  await until(() => isOnBus(last));
  const all = await written();
  expect((await onBus()).length).toBeLessThan(all.length);
  await planted.close();
  await database.sql`update events set published_at = null`;
  relay();
  await until(async () => (await unpublished()) === 0);
  expect((await onBus()).toSorted()).toEqual(all.toSorted());
});

test('of several relays one publishes, and each event comes once and without gaps, in the order of its stream', async () => {
  const streams = [uuidv7(), uuidv7(), uuidv7()];
  for (let n = 0; n < 3; n++) relay(undefined, bus.open().appender());
  for (let n = 0; n < 60; n++) await append(streams[n % 3] ?? '', n);
  await until(async () => (await unpublished()) === 0);
  expect((await onBus()).toSorted()).toEqual((await written()).toSorted());
  expect(await offsets()).toEqual(gapless(60));
  const read = await readAll(bus.reader(), TOPIC);
  for (const stream of streams) {
    const versions = read
      .filter(({ event: { subject } }) => subject === stream)
      .map(({ event: told }) => told.streamversion);
    expect(versions).toEqual(versions.map((_, index) => index + 1));
  }
});

test('what was appended and not marked is not told twice', async () => {
  await append(uuidv7(), 1);
  const real = outboxOf('notification', database.db);
  let marks = 0;
  relay({
    ...real,
    async published(batch) {
      marks += 1;
      if (marks === 1) throw new Error('the connection ended behind the append');
      await real.published(batch);
    },
  });
  await until(async () => (await unpublished()) === 0);
  expect(marks).toBe(2);
  expect(await onBus()).toEqual(await written());
});

test('a relay that slept past its lease appends nothing of what it held, and takes its turn again', async () => {
  const real = outboxOf('notification', database.db);
  let asleep = () => undefined as undefined;
  const isAsleep = new Promise<void>((resolve) => {
    asleep = () => void resolve();
  });
  let wake = () => undefined as undefined;
  const woken = new Promise<void>((resolve) => {
    wake = () => void resolve();
  });
  let slept = false;
  const first = bus.open();
  const appended: number[] = [];
  const through = first.appender();
  relay(
    {
      ...real,
      async unpublished(limit) {
        const batch = await real.unpublished(limit);
        if (batch.length > 0 && !slept) {
          slept = true;
          asleep();
          await woken;
        }
        return batch;
      },
    },
    {
      ...through,
      async append(lease, events, keyed) {
        await through.append(lease, events, keyed);
        appended.push(lease.epoch);
      },
    },
  );
  await append(uuidv7(), 1);
  await isAsleep;
  await bus.sql`update topics set leased_until = now() where name = ${TOPIC}`;
  relay();
  await until(async () => (await unpublished()) === 0);
  const [topic] = await bus.sql`select epoch from topics where name = ${TOPIC}`;
  wake();
  await append(uuidv7(), 2);
  await until(async () => (await unpublished()) === 0);
  expect(appended.filter((epoch) => epoch < Number(topic?.epoch))).toEqual([]);
  expect((await onBus()).toSorted()).toEqual((await written()).toSorted());
  expect(await offsets()).toEqual(gapless(2));
});

test('a relay that ends lets the next one take over at once', async () => {
  const first = relay();
  await append(uuidv7(), 1);
  await until(async () => (await unpublished()) === 0);
  await first.close();
  const [row] = await bus.sql`select leased_until < now() as free from topics where name = ${TOPIC}`;
  expect(row?.free).toBe(true);
});

test('while the bus is away events wait in the outbox, and are published when it is back', async () => {
  const away = bus.open('postgres://nobody@127.0.0.1:1/none');
  const through = away.appender();
  const back = bus.appender();
  let reachable = false;
  relay(undefined, {
    takeLease: (topic, holder) => (reachable ? back : through).takeLease(topic, holder),
    keepLease: (lease) => back.keepLease(lease),
    endLease: (lease) => back.endLease(lease),
    append: (lease, events, keyed) => back.append(lease, events, keyed),
  });
  await append(uuidv7(), 1);
  expect(await unpublished()).toBe(1);
  reachable = true;
  await until(async () => (await unpublished()) === 0);
  expect(await onBus()).toEqual(await written());
  await away.close();
});

test('a relay that hears of nothing looks for itself', async () => {
  const deaf = createChanges({ sql: { listen: () => new Promise(() => undefined) } }, logger);
  running.push(
    startRelay({
      bus: bus.appender(),
      outbox: outboxOf('notification', database.db),
      changes: deaf,
      logger,
      holder: 'test',
    }),
  );
  for (let n = 0; n < 3; n++) {
    await append(uuidv7(), n);
    await until(async () => (await unpublished()) === 0);
  }
  expect(await onBus()).toEqual(await written());
});

test('what the bus did not take stays in the outbox', async () => {
  const through = bus.appender();
  let refusals = 3;
  relay(undefined, {
    ...through,
    async append(lease, events, keyed) {
      refusals -= 1;
      if (refusals >= 0) throw new Error('the bus is full');
      await through.append(lease, events, keyed);
    },
  });
  await append(uuidv7(), 1);
  await until(() => refusals < 3);
  expect(await unpublished()).toBe(1);
  await until(async () => (await unpublished()) === 0);
  expect(await onBus()).toEqual(await written());
});
