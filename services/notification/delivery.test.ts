import { sql } from 'drizzle-orm';
import { type MailCatcher, startMailCatcher } from '../../dev/mail';
import { until } from '../../tests/support/gateway';
import { mailsOf, type ScriptedSmtp, startScriptedSmtp, startTestCatcher } from '../../tests/support/mail';
import { deliverBy, newKey, recordBy, sampleMessage, somebody, statusOf } from '../../tests/support/notifications';
import { startTestService, type TestService } from '../../tests/support/service';
import { notificationService } from './routes';

const environment = (SMTP_URL: string) => ({ SMTP_URL, PUBLIC_URL: 'https://tutorconnect.example' });

let smtp: ScriptedSmtp;
let service: TestService;
beforeAll(async () => {
  smtp = await startScriptedSmtp();
  service = await startTestService(notificationService, { environment: environment(smtp.url) });
});
beforeEach(() => {
  smtp.script = {};
  smtp.bodies.length = 0;
  smtp.beforeAnswer = async () => undefined;
});
afterAll(async () => {
  await service.close();
  await smtp.close();
});

const record = recordBy(() => service);
const deliver = deliverBy(() => service);
const logOf = (key: string) =>
  service.database.sql`
    select outcome, smtp_code from notification_delivery_log join notifications on id = notification_id
    where business_key = ${key} order by attempt`;
const eventsOf = (key: string) =>
  service.database.sql`
    select type from events join notifications on notifications.id::text = stream_id::text where business_key = ${key}`;
const attempted = (key: string) => until(async () => (await logOf(key)).some(({ outcome }) => outcome !== 'unknown'));

test('a mail is out as soon as it is recorded, once, and that is told as an event', async () => {
  const key = newKey();
  expect(await deliver(sampleMessage('booking_confirmed_student'), key)).toBe('sent');
  expect(smtp.bodies).toHaveLength(1);
  expect(await logOf(key)).toEqual([{ outcome: 'sent', smtp_code: 250 }]);
  expect(await eventsOf(key)).toEqual([{ type: 'NotificationSent' }]);
});

describe('a mail server that', () => {
  test('refuses for good settles the notice: it is recorded, told as an event and not tried again', async () => {
    smtp.script = { RCPT: '550 5.1.1 <grace@example.com> unknown' };
    const [message, key] = [sampleMessage('booking_confirmed_student'), newKey()];
    expect(await deliver(message, key)).toBe('failed');
    smtp.script = {};
    expect((await record(message, key)).body).toMatchObject({ status: 'failed' });
    expect(smtp.bodies).toEqual([]);
    expect(await logOf(key)).toEqual([{ outcome: 'refused', smtp_code: 550 }]);
    expect(await eventsOf(key)).toEqual([{ type: 'NotificationFailed' }]);
  });

  test('refuses for now gets the mail again until it takes it, and then once', async () => {
    smtp.script = { RCPT: '451 4.7.1 greylisted' };
    const [message, key] = [sampleMessage('booking_confirmed_student'), newKey()];
    expect(await record(message, key)).toMatchObject({ status: 200, body: { status: 'pending' } });
    await attempted(key);
    expect(await statusOf(service, key)).toBe('pending');
    smtp.script = {};
    expect(await deliver(message, key)).toBe('sent');
    expect(smtp.bodies).toHaveLength(1);
    expect(await logOf(key)).toEqual([
      { outcome: 'unavailable', smtp_code: 451 },
      { outcome: 'sent', smtp_code: 250 },
    ]);
  });

  test('was away while a booking changed gets the newest word on it alone', async () => {
    smtp.script = { RCPT: '451 4.7.1 greylisted' };
    const about = sampleMessage('booking_requested_student');
    const [requested, confirmed, rescheduled] = [newKey(), newKey(), newKey()];
    await record(about, requested);
    await attempted(requested);
    const { recipientId } = about;
    await record(sampleMessage('booking_confirmed_student', { recipientId }), confirmed);
    await attempted(confirmed);
    smtp.script = {};
    expect(await deliver(sampleMessage('booking_rescheduled_student', { recipientId }), rescheduled)).toBe('sent');
    expect(await statusOf(service, requested)).toBe('replaced');
    expect(await statusOf(service, confirmed)).toBe('replaced');
    expect(smtp.bodies.map((body) => /^Subject: (.+?):/m.exec(body)?.[1])).toEqual(['New time']);
  });

  test('was away until a session began is given no reminder of it', async () => {
    smtp.script = { RCPT: '451 4.7.1 greylisted' };
    const key = newKey();
    const usefulUntil = new Date(Date.now() + 1_000).toISOString();
    const recorded = await record({ ...sampleMessage('booking_reminder_student'), usefulUntil }, key);
    expect(recorded.body).toMatchObject({ status: 'pending' });
    await until(async () => (await statusOf(service, key)) === 'expired', 10_000);
    smtp.script = {};
    expect(await deliver(sampleMessage('booking_reminder_student'))).toBe('sent');
    expect(smtp.bodies).toHaveLength(1);
  });
});

test('what became of a mail while the database was away is recorded when it is back, and the mail is not sent again', async () => {
  const [message, key] = [sampleMessage('booking_confirmed_student'), newKey()];
  const { db } = service.database;
  const answered = new Promise<void>((resolve) => {
    smtp.beforeAnswer = async () => {
      await db.execute(sql`alter table notification_delivery_log rename to out_of_order`);
      resolve();
    };
  });
  await record(message, key);
  await answered;
  // Should it be claimed again, its lease has ended by then.
  await db.execute(sql`update notifications set leased_until = now() where business_key = ${key}`);
  smtp.beforeAnswer = async () => undefined;
  await db.execute(sql`alter table out_of_order rename to notification_delivery_log`);
  expect(await deliver(message, key)).toBe('sent');
  expect(await deliver(sampleMessage('payment_receipt'))).toBe('sent');
  expect(smtp.bodies).toHaveLength(2);
  expect(await logOf(key)).toEqual([{ outcome: 'sent', smtp_code: 250 }]);
});

test('facts that cannot be opened are tried again and harm no other mail', async () => {
  smtp.script = { RCPT: '451 4.7.1 greylisted' };
  const [key, other] = [newKey(), newKey()];
  await record(sampleMessage('booking_confirmed_student'), key);
  await record(sampleMessage('payment_receipt'), other);
  await attempted(key);
  await attempted(other);
  await service.database.sql`
    update notifications set facts = (select facts from notifications where business_key = ${other})
    where business_key = ${key}`;
  smtp.script = {};
  await until(async () => (await logOf(key)).length > 1);
  expect(await deliver(sampleMessage('payment_receipt'))).toBe('sent');
  await until(async () => (await statusOf(service, other)) === 'sent');
  expect(await statusOf(service, key)).toBe('pending');
  expect(smtp.bodies).toHaveLength(2);
});

test('what a mail is made of stands in no column while it waits, and is erased when it is sent', async () => {
  smtp.script = { RCPT: '451 4.7.1 greylisted' };
  const [email, key] = [somebody(), newKey()];
  const data = { verifyUrl: 'https://tutorconnect.example/verify?token=s3cr3t' };
  await record(sampleMessage('welcome_verify_email', { email, data }), key);
  await attempted(key);
  const stored = async () => {
    const tables = ['notifications', 'notification_delivery_log', 'events', 'idempotency_keys'];
    const rows = tables.map((table) => service.database.sql`select * from ${service.database.sql(table)}`);
    return JSON.stringify(await Promise.all(rows));
  };
  expect(await stored()).not.toMatch(new RegExp(`s3cr3t|${email}|Grace|<html`));
  const facts = () => service.database.sql`select facts from notifications where business_key = ${key}`;
  expect(await facts()).toEqual([{ facts: expect.objectContaining({ ciphertext: expect.any(String) }) }]);
  smtp.script = {};
  await until(async () => (await statusOf(service, key)) === 'sent');
  expect(smtp.bodies[0]).toContain('s3cr3t');
  expect(await facts()).toEqual([{ facts: null }]);
  expect(await stored()).not.toMatch(new RegExp(`s3cr3t|${email}|Grace|<html`));
});

test('mails that met a dead mail server go out once when the server is back', async () => {
  let catcher: MailCatcher = await startTestCatcher();
  const [smtpPort = 0, uiPort = 0] = [catcher.smtpUrl, catcher.inboxUrl].map((url) => Number(new URL(url).port));
  const cut = await startTestService(notificationService, { environment: environment(catcher.smtpUrl) });
  const [email, key] = [somebody(), newKey()];
  const message = sampleMessage('booking_cancelled_student', { email });
  await deliver(message, newKey(), cut); // leaves an open connection in the pool, which dies with the server
  await catcher.close();
  const again = sampleMessage('booking_cancelled_student', { email });
  expect(await record(again, key, cut)).toMatchObject({ status: 200, body: { status: 'pending' } });
  await until(async () => {
    const tried = await cut.database.sql`select from notification_delivery_log where outcome = 'unavailable'`;
    return tried.length > 0;
  });
  catcher = await startMailCatcher({ smtpPort, uiPort });
  expect(await deliver(again, key, cut)).toBe('sent');
  expect(await mailsOf(catcher.inboxUrl, email)).toHaveLength(1);
  await cut.close();
  await catcher.close();
});
