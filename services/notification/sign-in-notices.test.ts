import { HOUR, MINUTE } from '../../kernel/time';
import { startConsumer } from '../../platform/bus/consume';
import type { Loop } from '../../platform/bus/loop';
import { uuidv7 } from '../../platform/ids';
import { createLogger } from '../../platform/telemetry';
import { busEvent, CONSUMER_SETTINGS, startTestBus, type TestBus } from '../../tests/support/bus';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { contactOf } from '../../tests/support/notifications';
import { createFactsSealer } from './sealed-facts';
import { signInNotices } from './sign-in-notices';
import { keepContacts } from './store/contacts';

const GOOGLE = {
  id: 'google',
  name: 'Google',
  issuer: 'https://accounts.google.com',
  clientId: 'c',
  clientSecret: 's',
};
const config = { ...CONSUMER_SETTINGS, oidcProviders: [GOOGLE] };

let database: TestDatabase;
let bus: TestBus;
let running: Loop;
beforeAll(async () => {
  [database, bus] = await Promise.all([createTestDatabase('notification'), startTestBus()]);
  running = startConsumer({
    ...{ service: 'notification', bus: bus.reader(), db: database.db, consumer: signInNotices },
    ...{ config, logger: createLogger('test', 'silent') },
  });
  // What was there before it began is not its business.
  await until(async () => (await database.sql`select 1 from consumer_cursors`).length === 1);
});
afterAll(async () => {
  await running.close();
  await bus.close();
  await database.drop();
});

/** Tells that somebody's sign-in was linked or unlinked, some time ago. */
async function happens(type: string, userId: string, provider = 'google', agoMs = 0): Promise<string> {
  const event = busEvent({
    ...{ source: '/identity', type, subject: userId, time: new Date(Date.now() - agoMs).toISOString() },
    data: { userId, participantIds: [userId], identityId: uuidv7(), provider },
  });
  const lease = await bus.appender().takeLease(signInNotices.topic, 'test');
  if (!lease) throw new Error('somebody else has the lease');
  await bus.appender().append(lease, [event], false);
  await bus.appender().endLease(lease);
  return event.id;
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
  ['IdentityLinked', 'google', 'sign_in_linked', 'You can sign in to TutorConnect with Google'],
  ['IdentityUnlinked', 'google', 'sign_in_unlinked', 'You no longer sign in to TutorConnect with Google'],
  ['IdentityLinked', 'campus', 'sign_in_linked', 'You can sign in to TutorConnect with campus'],
])('%s at %s is told, with a way to object', async (type, provider, template, title) => {
  const userId = await known();
  const id = await happens(type, userId, provider);
  await toldOf(userId);
  const [notice] = await noticesOf(userId);
  const key = `user:${userId}/${template.replaceAll('_', '-')}/${id}`;
  expect(notice).toMatchObject({ business_key: key, template, status: 'pending', in_app: true, title });
  expect(createFactsSealer(config).open(key, notice?.facts)).toMatchObject({
    ...{ recipientId: userId, data: { forgotUrl: `${config.PUBLIC_URL}/api/auth/forgot` } },
  });
});

test('of what was an hour ago nobody is told', async () => {
  const [late, intime] = [await known(), await known()];
  await happens('IdentityLinked', late, 'google', HOUR + MINUTE);
  await happens('IdentityLinked', intime, 'google', HOUR - MINUTE);
  await toldOf(intime);
  expect(await noticesOf(late)).toEqual([]);
});
