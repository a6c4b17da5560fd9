import { HOUR, MINUTE } from '../../kernel/time';
import { startConsumer } from '../../platform/bus/consume';
import type { Loop } from '../../platform/bus/loop';
import type { BusEvent } from '../../platform/bus/transport';
import { uuidv7 } from '../../platform/ids';
import { createLogger } from '../../platform/telemetry';
import { busEvent, CONSUMER_SETTINGS, startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { contactOf } from '../../tests/support/notifications';
import { passwordNotices } from './password-notices';
import { createFactsSealer } from './sealed-facts';
import { keepContacts } from './store/contacts';

let database: TestDatabase;
let bus: TestBus;
let running: Loop;
beforeAll(async () => {
  [database, bus] = await Promise.all([createTestDatabase('notification'), startTestBus()]);
  running = startConsumer({
    ...{ service: 'notification', bus: bus.reader(), db: database.db, consumer: passwordNotices },
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

/** Tells that somebody's password was changed, some time ago. */
async function changed(userId: string, agoMs = 0, by = 'reset'): Promise<BusEvent> {
  const event = busEvent({
    ...{ source: '/identity', type: 'UserPasswordChanged', subject: userId, time: agoISO(agoMs) },
    data: { userId, participantIds: [userId], by },
  });
  const lease = await bus.appender().takeLease(passwordNotices.topic, 'test');
  if (!lease) throw new Error('somebody else has the lease');
  await bus.appender().append(lease, [event], false);
  await bus.appender().endLease(lease);
  return event;
}
const agoISO = (ms: number) => new Date(Date.now() - ms).toISOString();

/** Who can be written to. */
async function known(): Promise<string> {
  const contact = contactOf();
  await keepContacts(database.db, [contact]);
  return contact.userId;
}

const noticesOf = (userId: string) => database.sql`select * from notifications where recipient_id = ${userId}`;
const toldOf = (userId: string) => until(async () => (await noticesOf(userId)).length > 0);

test.each(['reset', 'change'])('whose password was changed by %s is told, with a way to object', async (by) => {
  const userId = await known();
  const { id } = await changed(userId, 0, by);
  await toldOf(userId);
  const [notice] = await noticesOf(userId);
  const key = `user:${userId}/password-changed/${id}`;
  expect(notice).toMatchObject({
    ...{ business_key: key, template: 'password_changed', status: 'pending', in_app: true },
    ...{ title: 'Your TutorConnect password was changed' },
  });
  expect(createFactsSealer(CONSUMER_SETTINGS).open(key, notice?.facts)).toMatchObject({
    ...{ recipientId: userId, data: { forgotUrl: `${CONSUMER_SETTINGS.PUBLIC_URL}/api/auth/forgot` } },
  });
});

test('of two changes each is told', async () => {
  const userId = await known();
  await changed(userId);
  await changed(userId);
  await until(async () => (await noticesOf(userId)).length === 2);
});

test('who is not known yet is told once they are', async () => {
  const contact = contactOf();
  await changed(contact.userId);
  await until(async () => {
    const rows = await database.sql`select 1 from parked_events where stream_id = ${contact.userId}`;
    return rows.length === 1;
  });
  await keepContacts(database.db, [contact]);
  await until(async () => {
    await database.sql`update parked_events set next_try_at = now()`;
    return (await noticesOf(contact.userId)).length === 1;
  }, 30_000);
});

test('of a change that was an hour ago nobody is told, and of one just before they are', async () => {
  const [late, intime] = [await known(), await known()];
  await changed(late, HOUR + MINUTE);
  await changed(intime, HOUR - MINUTE);
  await toldOf(intime);
  expect(await noticesOf(late)).toEqual([]);
  const [cursor] = await database.sql`select left_out from consumer_cursors`;
  expect(Number(cursor?.left_out)).toBe(1);
});

test('what else happens at identity is not its business', async () => {
  const [signedIn, after] = [uuidv7(), await known()];
  const event = busEvent({ source: '/identity', type: 'UserEmailVerified', subject: signedIn });
  const lease = await bus.appender().takeLease(passwordNotices.topic, 'test');
  if (!lease) throw new Error('somebody else has the lease');
  await bus.appender().append(lease, [{ ...event, data: { userId: signedIn, participantIds: [signedIn] } }], false);
  await bus.appender().endLease(lease);
  await changed(after);
  await toldOf(after);
  expect(await noticesOf(signedIn)).toEqual([]);
});
