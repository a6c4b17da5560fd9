import type { Sql } from 'postgres';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { uuidv7 } from '../../platform/ids';
import { outboxOf } from '../../platform/outbox';
import { startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { aboutBus, busNotSettled } from './bus';

let bus: TestBus;
let databases: Map<DatabaseContext, TestDatabase>;
beforeAll(async () => {
  bus = await startTestBus();
  const all = await Promise.all(DATABASE_CONTEXTS.map((context) => createTestDatabase(context)));
  databases = new Map(DATABASE_CONTEXTS.map((context, n) => [context, of(all, n)]));
});
afterAll(async () => {
  await bus.close();
  await Promise.all([...databases.values()].map((database) => database.drop()));
});

function of<T>(all: readonly T[], n: number): T {
  const one = all[n];
  if (one === undefined) throw new Error('there are fewer');
  return one;
}
function database(context: DatabaseContext): TestDatabase {
  const found = databases.get(context);
  if (!found) throw new Error(`${context} has no database`);
  return found;
}
const sql = (context: DatabaseContext): Sql => database(context).sql;
const evidence = () => ({ database: sql, bus: bus.sql, projectionsDiffer: async () => [] });

/** Writes an event of booking, and has the bus take all there is. */
async function write(streamId = uuidv7(), version = 1): Promise<string> {
  const id = uuidv7();
  await sql('booking')`insert into events (event_id, stream_id, version, type, data)
    values (${id}, ${streamId}, ${version}, 'Happened', '{"n": 1}')`;
  return id;
}
async function publish(): Promise<void> {
  const outbox = outboxOf('booking', database('booking').db);
  const lease = await bus.appender().takeLease(outbox.topic, 'test');
  if (!lease) throw new Error('the lease is taken');
  const batch = await outbox.unpublished(100);
  await bus.appender().append(lease, batch, false);
  await outbox.published(batch);
  await bus.appender().endLease(lease);
}
const wrong = () => aboutBus(evidence());
const waits = () => busNotSettled(evidence());

beforeEach(async () => {
  await bus.sql`truncate messages, topics`;
  await sql('booking')`truncate events`;
});

test('what was published as it was written is right', async () => {
  const stream = uuidv7();
  for (const version of [1, 2, 3]) await write(stream, version);
  expect(await waits()).toEqual(['booking has events that are not published']);
  await publish();
  expect([await waits(), await wrong()]).toEqual([[], []]);
});

test('an event that is lost, changed, made up or told twice is found', async () => {
  const ids = [await write(), await write(), await write()];
  await publish();
  await bus.sql`update messages set data = '{"n": 2}' where event_id = ${of(ids, 0)}`;
  await bus.sql`delete from messages where event_id = ${of(ids, 1)}`;
  expect((await wrong()).toSorted()).toEqual(
    [
      `event ${ids[0]} of booking is another on the bus`,
      `event ${ids[1]} of booking is not on the bus`,
      'the offsets of booking.events have gaps',
    ].toSorted(),
  );
  await bus.sql`
    insert into messages (topic, "offset", event_id, stream_id, version, type, data, keyed, occurred_at, appended_at)
    select topic, n, gen_random_uuid(), gen_random_uuid(), 1, type, data, keyed, occurred_at, appended_at
    from messages, (values (1), (3)) as made(n) where event_id = ${of(ids, 2)}`;
  expect(await wrong()).toContain('booking.events has 4 events, of which 3 were written');
});

test('versions of a stream that come in another order are found', async () => {
  const stream = uuidv7();
  await write(stream, 2);
  await publish();
  await write(stream, 1);
  await publish();
  expect(await wrong()).toEqual([
    `version 2 of ${stream} is out of its order on booking.events`,
    `version 1 of ${stream} is out of its order on booking.events`,
  ]);
});

test('a person of whom the bus says something else, and what waits, is found', async () => {
  const id = uuidv7();
  await sql('identity')`insert into users (id, email, password_hash, role, status, attempt_id, attempt_until)
    values (${id}, 'ada@example.com', 'none', 'student', 'active', ${id}, now())`;
  await sql('identity')`insert into user_profiles (user_id, first_name, last_name, time_zone, locale)
    values (${id}, 'Ada', 'King', 'UTC', 'en')`;
  await sql('identity')`insert into people_published (user_id, version) values (${id}, 1)`;
  await sql('booking')`insert into parked_events (consumer, cursor, event_id, stream_id, version, type)
    values ('people', 'pg1', ${id}, ${id}, 1, 'Person')`;
  expect(await waits()).toEqual(['booking has parked events', 'identity has people who are not published']);
  expect(await wrong()).toEqual([`identity.people says of ${id} something else than identity`]);
});
