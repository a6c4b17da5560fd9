import { HOUR, MINUTE } from '../../kernel/time';
import { startConsumer } from '../../platform/bus/consume';
import type { Loop } from '../../platform/bus/loop';
import type { BusEvent } from '../../platform/bus/transport';
import { createLogger } from '../../platform/telemetry';
import { busEvent, CONSUMER_SETTINGS, startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { contactOf } from '../../tests/support/notifications';
import { roleNotices } from './role-notices';
import { keepContacts } from './store/contacts';

let database: TestDatabase;
let bus: TestBus;
let running: Loop;
beforeAll(async () => {
  [database, bus] = await Promise.all([createTestDatabase('notification'), startTestBus()]);
  running = startConsumer({
    ...{ service: 'notification', bus: bus.reader(), db: database.db, consumer: roleNotices },
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

/** Tells that somebody has another role, some time ago. */
async function changed(userId: string, agoMs = 0, to = 'admin'): Promise<BusEvent> {
  const event = busEvent({
    ...{ source: '/identity', type: 'UserRoleChanged', subject: userId },
    time: new Date(Date.now() - agoMs).toISOString(),
    data: { userId, participantIds: [userId], from: 'student', to },
  });
  const lease = await bus.appender().takeLease(roleNotices.topic, 'test');
  if (!lease) throw new Error('somebody else has the lease');
  await bus.appender().append(lease, [event], false);
  await bus.appender().endLease(lease);
  return event;
}

/** Who can be written to. */
async function known(): Promise<string> {
  const contact = contactOf();
  await keepContacts(database.db, [contact]);
  return contact.userId;
}

const noticesOf = (userId: string) => database.sql`select * from notifications where recipient_id = ${userId}`;
const toldOf = (userId: string) => until(async () => (await noticesOf(userId)).length > 0);

test.each([
  ['admin', 'an administrator'],
  ['tutor', 'a tutor'],
  ['student', 'a student'],
])('who is %s now is told, once', async (role, words) => {
  const userId = await known();
  const { id } = await changed(userId, 0, role);
  await toldOf(userId);
  const key = `user:${userId}/role-changed/${id}`;
  expect(await noticesOf(userId)).toMatchObject([
    {
      ...{ business_key: key, template: 'role_changed', status: 'pending', in_app: true },
      message: `From now on you are ${words} at TutorConnect.`,
    },
  ]);
});

test('of a change that was an hour ago nobody is told, and of one just before they are', async () => {
  const [late, intime] = [await known(), await known()];
  await changed(late, HOUR + MINUTE);
  await changed(intime, HOUR - MINUTE);
  await toldOf(intime);
  expect(await noticesOf(late)).toEqual([]);
});
