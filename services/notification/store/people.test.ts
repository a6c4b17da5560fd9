import { openDatabase } from '../../../db/client';
import { startConsumer } from '../../../platform/bus/consume';
import type { Projection } from '../../../platform/bus/consumer';
import { rebuild } from '../../../platform/bus/rebuild';
import type { BusEvent } from '../../../platform/bus/transport';
import { uuidv7 } from '../../../platform/ids';
import { createLogger } from '../../../platform/telemetry';
import { busEvent, CONSUMER_SETTINGS, startTestBus, type TestBus } from '../../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { until } from '../../../tests/support/gateway';
import { peopleProjection } from './people';
import { verifiedAddressesProjection } from './verified-addresses';

let database: TestDatabase;
let bus: TestBus;
beforeAll(async () => {
  [database, bus] = await Promise.all([createTestDatabase('notification'), startTestBus()]);
});
afterAll(async () => {
  await bus.close();
  await database.drop();
});

async function append(topic: string, keyed: boolean, ...events: BusEvent[]): Promise<void> {
  const lease = await bus.appender().takeLease(topic, 'test');
  if (!lease) throw new Error('somebody else has the lease');
  await bus.appender().append(lease, events, keyed);
  await bus.appender().endLease(lease);
}

/** Has the projection read all there is. */
async function consumed(consumer: Projection): Promise<void> {
  const running = startConsumer({
    ...{ service: 'notification', bus: bus.reader(), db: database.db, consumer },
    config: CONSUMER_SETTINGS,
    logger: createLogger('test', 'silent'),
  });
  const tail = await bus.reader().tail(consumer.topic);
  const cursor = () => database.sql`select cursor from consumer_cursors where consumer = ${consumer.name}`;
  await until(async () => (await cursor())[0]?.cursor === tail);
  await running.close();
}

/** Made anew from its events a projection is what it was. */
async function rebuilt(projection: Projection) {
  const own = openDatabase(database.url, { poolSize: 1, applicationName: 'rebuild' });
  try {
    return await rebuild(own.db, bus.reader(), projection, { replace: true });
  } finally {
    await own.close();
  }
}

const rowsOf = (table: 'people' | 'verified_addresses', userId: string) =>
  database.sql`select * from ${database.sql(table)} where user_id = ${userId}`;

describe('people', () => {
  const said = (userId: string, version: number, name: string | null): BusEvent => ({
    ...busEvent({ source: '/identity', type: 'Person', subject: userId, streamversion: version }),
    data: name === null ? null : { ...person, displayName: name },
  });
  const person = {
    ...{ avatarUrl: null, role: 'student', timeZone: 'Europe/Vienna', locale: 'de', status: 'active' },
    aMemberOfLater: true,
  };

  test('are what was said of them last, and those who are gone are none', async () => {
    const [stays, goes] = [uuidv7(), uuidv7()];
    await append('identity.people', true, said(stays, 1, 'Ada'), said(goes, 1, 'Eve'));
    await consumed(peopleProjection);
    await append('identity.people', true, said(stays, 2, 'Ada King'), said(goes, 2, null));
    await consumed(peopleProjection);
    expect(await rowsOf('people', stays)).toEqual([
      { user_id: stays, version: 2, display_name: 'Ada King', locale: 'de', time_zone: 'Europe/Vienna' },
    ]);
    expect(await rowsOf('people', goes)).toEqual([]);
    await append('identity.people', true, said(stays, 3, 'Ada K.'));
    await consumed(peopleProjection);
    expect(await rebuilt(peopleProjection)).toMatchObject({ different: { people: 0 }, behind: 0 });
  });

  test('whom something older is said of stay as they are', async () => {
    const userId = uuidv7();
    const apply = (version: number, name: string) =>
      database.db.transaction((tx) => peopleProjection.apply(tx, said(userId, version, name)));
    await apply(3, 'Ada King');
    await apply(2, 'Ada');
    expect(await rowsOf('people', userId)).toMatchObject([{ version: 3, display_name: 'Ada King' }]);
  });
});

test('who has shown that an address is theirs is noted once, of all that identity tells', async () => {
  const [verified, other] = [uuidv7(), uuidv7()];
  const told = (userId: string, type: string, version: number) =>
    busEvent({
      ...{ source: '/identity', type, subject: userId, streamversion: version, time: '2030-01-01T10:00:00.000Z' },
      data: { userId, participantIds: [userId] },
    });
  await append(
    ...(['identity.events', false] as const),
    ...[told(other, 'UserProfileUpdated', 1), told(verified, 'UserEmailVerified', 1)],
    ...[told(verified, 'UserEmailVerified', 2)],
  );
  await consumed(verifiedAddressesProjection);
  expect(await rowsOf('verified_addresses', verified)).toEqual([
    { user_id: verified, verified_at: '2030-01-01 10:00:00+00' },
  ]);
  expect(await rowsOf('verified_addresses', other)).toEqual([]);
  expect(await rebuilt(verifiedAddressesProjection)).toMatchObject({ different: { verified_addresses: 0 } });
});
