import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { type ScriptedSmtp, type SmtpScript, startScriptedSmtp } from '../../tests/support/mail';
import { newKey, recordBy, sampleMessage, statusOf } from '../../tests/support/notifications';
import { startTestService, type TestService } from '../../tests/support/service';
import { CONNECTIONS, messageId } from './mailer';
import { notificationService } from './routes';

let database: TestDatabase;
let smtp: ScriptedSmtp;
beforeEach(async () => {
  [database, smtp] = await Promise.all([createTestDatabase('notification'), startScriptedSmtp()]);
});
afterEach(async () => {
  await smtp.close();
  await database.drop();
});

/** A process of the service over the test's database; several are its replicas, or the one after another's end. */
async function start(graceSeconds = 1): Promise<TestService> {
  const service = await startTestService(notificationService, {
    environment: {
      NOTIFICATION_DATABASE_URL: database.url,
      SMTP_URL: smtp.url,
      PUBLIC_URL: 'https://tutorconnect.example',
      SHUTDOWN_GRACE_SECONDS: String(graceSeconds),
    },
  });
  return { ...service, database };
}

const rowOf = async (key: string) => (await database.sql`select * from notifications where business_key = ${key}`)[0];
const logOf = (key: string) =>
  database.sql`
    select outcome from notification_delivery_log join notifications on id = notification_id
    where business_key = ${key} order by attempt`;

test.each<[string, SmtpScript]>([
  ['accepts and says nothing', { greeting: 'hang' }],
  ['says a byte a second', { greeting: 'drip' }],
  ['takes a mail and does not say so', { body: 'hang' }],
])('a mail server that %s holds its few connections and nothing else', async (_, script) => {
  smtp.script = script;
  const service = await start();
  const record = recordBy(() => service);
  const keys = Array.from({ length: 4 * CONNECTIONS }, () => newKey());
  const replies = await Promise.all(keys.map((key) => record(sampleMessage('payment_receipt'), key)));
  expect(new Set(replies.map(({ status, body }) => `${status} ${body.status}`))).toEqual(new Set(['200 pending']));
  const leased = () => database.sql`select from notifications where leased_until > now()`;
  await until(async () => smtp.conversations() === CONNECTIONS && (await leased()).length === CONNECTIONS);

  const token = await service.userToken({ role: 'student' });
  const on = { reminders: { email: true, inApp: true }, reviewRequests: { email: true, inApp: true } };
  const body = { ...on, reminders: { email: false, inApp: true } };
  expect(await service.ask('GET', '/api/notifications', { token })).toMatchObject({ status: 200 });
  expect(await service.ask('PUT', '/api/notifications/preferences', { token, body })).toMatchObject({ status: 200 });
  expect(await record(sampleMessage('payment_receipt'))).toMatchObject({ status: 200, body: { status: 'pending' } });
  expect(smtp.conversations()).toBe(CONNECTIONS);
  await service.close();
});

test('at its end a service claims nothing more, and what it is sending is sent and recorded', async () => {
  const service = await start(20);
  const record = recordBy(() => service);
  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  smtp.beforeAnswer = () => gate;
  const keys = Array.from({ length: CONNECTIONS }, () => newKey());
  for (const key of keys) await record(sampleMessage('payment_receipt'), key);
  await until(() => smtp.bodies.length === CONNECTIONS);
  const waiting = newKey();
  await record(sampleMessage('payment_receipt'), waiting);
  const closed = service.close();
  await until(async () => {
    const refused = await service.ask('GET', '/healthz').then(
      () => false,
      () => true,
    );
    return refused;
  });
  letGo();
  await closed;
  for (const key of keys) expect(await rowOf(key)).toMatchObject({ status: 'sent', facts: null });
  expect(await rowOf(waiting)).toMatchObject({ status: 'pending', attempts: 0 });
  expect(smtp.bodies).toHaveLength(CONNECTIONS);
});

test('a mail that was sent by a process that died before its record is sent again after the lease, under its Message-ID', async () => {
  const died = await start();
  const key = newKey();
  smtp.script = { body: 'hang' };
  await recordBy(() => died)(sampleMessage('booking_confirmed_student'), key);
  await until(() => smtp.bodies.length === 1);
  // The grace is over before the mail server answers: the process is ended without knowing what became of the mail.
  await died.close();
  expect(await rowOf(key)).toMatchObject({ status: 'pending', leased_until: expect.any(String) });
  smtp.script = {};
  const next = await start();
  await database.sql`update notifications set leased_until = now() where business_key = ${key}`;
  await until(async () => (await statusOf(next, key)) === 'sent');
  await next.close();
  const named = smtp.bodies.map((body) => /^(message-id|date): .*$/gim[Symbol.match](body)?.toSorted());
  expect(named).toHaveLength(2);
  expect(named[0]).toEqual(named[1]);
  expect(named[0]).toContain(`Message-ID: ${messageId(key, 'no-reply@tutorconnect.example')}`);
  expect((await logOf(key)).map(({ outcome }) => outcome)).toEqual(['unknown', 'sent']);
});
