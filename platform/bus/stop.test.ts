import { z } from 'zod';
import { readAll } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { type OwnBus, startOwnBus } from '../../tests/support/own-bus';
import { startTestService } from '../../tests/support/service';
import { event, Id } from '../event-schema';
import { uuidv7 } from '../ids';
import { appendEvent } from '../outbox';
import type { ServiceDefinition } from '../service';
import type { Consumer } from './consumer';
import type { Bus } from './open';

// A service is stopped while its relay and its consumer wait for a bus that hangs.

jest.setTimeout(60_000);

const TOPIC = 'tutoring.events';
const SCHEMAS = { Happened: event('Something has happened.', { id: Id, n: z.int() }) };
let applied: string[] = [];
const consumer: Consumer = {
  kind: 'reactor',
  name: 'stop-test',
  topic: TOPIC,
  actsWithinSeconds: 3_600,
  async apply(_tx, { id }) {
    applied.push(id);
  },
};
const definition = (consumers: Consumer[]): ServiceDefinition => ({
  name: 'tutoring',
  contract: {},
  events: SCHEMAS,
  routes: () => undefined,
  consumers,
});

let own: OwnBus;
let database: TestDatabase;
const buses: Bus[] = [];
beforeAll(async () => {
  own = await startOwnBus();
});
afterAll(() => own.stop());
beforeEach(async () => {
  applied = [];
  database = await createTestDatabase('tutoring');
});
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.close()));
  await database.drop();
});

function openBus(): Bus {
  const bus = own.open();
  buses.push(bus);
  return bus;
}

const start = (bus: Bus, consumers: Consumer[] = []) =>
  startTestService(definition(consumers), {
    bus,
    environment: { TUTORING_DATABASE_URL: database.url, SHUTDOWN_GRACE_SECONDS: '1' },
  });

async function append(n: number): Promise<string> {
  const streamId = uuidv7();
  await database.db.transaction((tx) =>
    appendEvent(tx, SCHEMAS, { streamId, type: 'Happened', data: { id: streamId, n } }),
  );
  const [row] = await database.sql`select event_id from events where stream_id = ${streamId}`;
  return String(row?.event_id);
}
const unpublished = async () => (await database.sql`select 1 from events where published_at is null`).length;

/** The same bus, with `asked` told of each question. */
const watched = (bus: Bus, asked: (what: 'append' | 'read') => void): Bus => ({
  ...bus,
  appender: () => {
    const appender = bus.appender();
    return {
      ...appender,
      append(...given) {
        asked('append');
        return appender.append(...given);
      },
    };
  },
  reader: () => {
    const reader = bus.reader();
    return {
      ...reader,
      read(...given) {
        asked('read');
        return reader.read(...given);
      },
    };
  },
});

test('a service that is stopped while its relay waits for a bus that hangs ends, and each event is published once', async () => {
  let hangs = false;
  let meet = (): void => undefined;
  const met = new Promise<void>((resolve) => {
    meet = resolve;
  });
  const bus = openBus();
  const service = await start(watched(bus, (what) => hangs && what === 'append' && meet()));
  const first = await append(1);
  await until(async () => (await unpublished()) === 0);
  const frozen = own.freeze();
  hangs = true;
  const second = await append(2);
  await met;
  await service.close();
  expect(await unpublished()).toBe(1);
  await bus.close();
  frozen.thaw();
  const next = openBus();
  const after = await start(next);
  await until(async () => (await unpublished()) === 0);
  expect((await readAll(next.reader(), TOPIC)).map(({ event: { id } }) => id)).toEqual([first, second]);
  await after.close();
});

test('a service that is stopped while its consumer waits for a bus that hangs ends, and each event is applied once', async () => {
  let hangs = false;
  let meet = (): void => undefined;
  const met = new Promise<void>((resolve) => {
    meet = resolve;
  });
  const bus = openBus();
  const service = await start(
    watched(bus, (what) => hangs && what === 'read' && meet()),
    [consumer],
  );
  await until(async () => (await database.sql`select 1 from consumer_cursors`).length === 1);
  const first = await append(1);
  await until(() => applied.includes(first));
  const frozen = own.freeze();
  hangs = true;
  await met;
  await service.close();
  await bus.close();
  frozen.thaw();
  const after = await start(openBus(), [consumer]);
  const second = await append(2);
  await until(() => applied.includes(second));
  expect(applied).toEqual([first, second]);
  await after.close();
});
