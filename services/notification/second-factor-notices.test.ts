import { HOUR, MINUTE } from '../../kernel/time';
import { startConsumer } from '../../platform/bus/consume';
import type { Loop } from '../../platform/bus/loop';
import { createLogger } from '../../platform/telemetry';
import { busEvent, CONSUMER_SETTINGS, startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { contactOf } from '../../tests/support/notifications';
import { createFactsSealer } from './sealed-facts';
import { secondFactorNotices } from './second-factor-notices';
import { keepContacts } from './store/contacts';

let database: TestDatabase;
let bus: TestBus;
let running: Loop;
beforeAll(async () => {
  [database, bus] = await Promise.all([createTestDatabase('notification'), startTestBus()]);
  running = startConsumer({
    ...{ service: 'notification', bus: bus.reader(), db: database.db, consumer: secondFactorNotices },
    ...{ config: CONSUMER_SETTINGS, logger: createLogger('test', 'silent') },
  });
  // What was there before it began is not its business.
  await until(async () => (await database.sql`select 1 from consumer_cursors`).length === 1);
});
afterAll(async () => {
  await running.close();
  await bus.close();
  await database.drop();
});

/** Somebody who can be written to, of whom identity has told something, some time ago. */
async function told(type: string, agoMs = 0): Promise<{ userId: string; eventId: string }> {
  const contact = contactOf();
  await keepContacts(database.db, [contact]);
  const { userId } = contact;
  const event = busEvent({
    ...{ source: '/identity', type, subject: userId, time: new Date(Date.now() - agoMs).toISOString() },
    data: { userId, participantIds: [userId] },
  });
  const lease = await bus.appender().takeLease(secondFactorNotices.topic, 'test');
  if (!lease) throw new Error('somebody else has the lease');
  await bus.appender().append(lease, [event], false);
  await bus.appender().endLease(lease);
  return { userId, eventId: event.id };
}

const noticesOf = (userId: string) => database.sql`select * from notifications where recipient_id = ${userId}`;

test.each([
  ['UserSecondFactorAdded', 'second_factor_added'],
  ['UserSecondFactorRemoved', 'second_factor_removed'],
  ['UserPasskeyAdded', 'passkey_added'],
  ['UserPasskeyRemoved', 'passkey_removed'],
])('of %s its person is told, with a way to object', async (type, template) => {
  const { userId, eventId } = await told(type);
  await until(async () => (await noticesOf(userId)).length === 1);
  const [notice] = await noticesOf(userId);
  const key = `user:${userId}/second-factor/${eventId}`;
  expect(notice).toMatchObject({ business_key: key, template, status: 'pending', in_app: true });
  expect(createFactsSealer(CONSUMER_SETTINGS).open(key, notice?.facts)).toMatchObject({
    ...{ recipientId: userId, data: { forgotUrl: `${CONSUMER_SETTINGS.PUBLIC_URL}/api/auth/forgot` } },
  });
});

test('nobody is told of what else happens at identity, or happened an hour ago', async () => {
  const others = [await told('UserEmailVerified'), await told('UserSecondFactorRemoved', HOUR + MINUTE)];
  const { userId } = await told('UserSecondFactorAdded');
  await until(async () => (await noticesOf(userId)).length === 1);
  for (const other of others) expect(await noticesOf(other.userId)).toEqual([]);
});
