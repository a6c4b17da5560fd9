import { sql } from 'drizzle-orm';
import { type MailCatcher, startMailCatcher } from '../../dev/mail';
import { mailsOf, type ScriptedSmtp, startScriptedSmtp, startTestCatcher } from '../../tests/support/mail';
import { newKey, sampleMessage, sendBy, somebody } from '../../tests/support/notifications';
import { startTestService, type TestService } from '../../tests/support/service';
import { messageId } from './mailer';
import { notificationService } from './routes';
import { claimSend } from './store';

const PUBLIC_URL = 'https://tutorconnect.example';

let catcher: MailCatcher;
let service: TestService;
beforeAll(async () => {
  catcher = await startTestCatcher();
  service = await startTestService(notificationService, { environment: { SMTP_URL: catcher.smtpUrl, PUBLIC_URL } });
});
afterAll(async () => {
  await service.close();
  await catcher.close();
});

const send = sendBy(() => service);
const mailsTo = (address: string) => mailsOf(catcher.inboxUrl, address);

describe('when the mail server', () => {
  let smtp: ScriptedSmtp;
  let troubled: TestService;
  beforeAll(async () => {
    smtp = await startScriptedSmtp();
    troubled = await startTestService(notificationService, { environment: { SMTP_URL: smtp.url, PUBLIC_URL } });
  });
  beforeEach(() => {
    smtp.script = {};
    smtp.bodies.length = 0;
    smtp.beforeAnswer = async () => undefined;
  });
  afterAll(async () => {
    await troubled.close();
    await smtp.close();
  });
  const logOf = (id: string) =>
    troubled.database
      .sql`select outcome, smtp_code from notification_delivery_log where notification_id = ${id} order by attempt`;

  test('refuses for good, that is recorded, told as an event and not tried again', async () => {
    smtp.script = { RCPT: '550 5.1.1 <grace@example.com> unknown' };
    const [message, key] = [sampleMessage('booking_confirmed_student'), newKey()];
    const reply = await send(message, key, troubled);
    expect(reply).toMatchObject({ status: 200, body: { status: 'failed' } });
    smtp.script = {};
    expect((await send(message, key, troubled)).body).toEqual(reply.body);
    expect(smtp.bodies).toEqual([]);
    expect(await logOf(reply.body.id)).toEqual([{ outcome: 'refused', smtp_code: 550 }]);
    expect(await troubled.database.sql`select type from events where stream_id = ${reply.body.id}`).toEqual([
      { type: 'NotificationFailed' },
    ]);
  });

  test('refuses for now, the caller is told when to come back, and then the mail goes out once', async () => {
    smtp.script = { RCPT: '451 4.7.1 greylisted' };
    const [message, key] = [sampleMessage('booking_confirmed_student'), newKey()];
    const refused = await send(message, key, troubled);
    expect(refused).toMatchObject({
      status: 503,
      body: { code: 'upstream_unavailable' },
      headers: { 'retry-after': '5', 'content-type': expect.stringContaining('application/problem+json') },
    });
    expect(JSON.stringify(refused.body)).not.toContain('grace@example.com');
    smtp.script = {};
    const sent = await send(message, key, troubled);
    expect(sent).toMatchObject({ status: 200, body: { status: 'sent' } });
    expect(smtp.bodies).toHaveLength(1);
    expect(await logOf(sent.body.id)).toEqual([
      { outcome: 'unavailable', smtp_code: 451 },
      { outcome: 'sent', smtp_code: 250 },
    ]);
  });

  test('took a mail that could not be recorded, the next request records it and sends nothing', async () => {
    const [message, key] = [sampleMessage('booking_confirmed_student'), newKey()];
    smtp.beforeAnswer = async () => {
      await troubled.database.db.execute(sql`alter table notification_delivery_log rename to out_of_order`);
    };
    expect((await send(message, key, troubled)).status).toBe(500);
    await troubled.database.db.execute(sql`alter table out_of_order rename to notification_delivery_log`);
    const replies = await Promise.all([send(message, key, troubled), send(message, key, troubled)]);
    expect(replies.some((reply) => reply.status === 200)).toBe(true);
    const settled = await send(message, key, troubled);
    expect(settled).toMatchObject({ status: 200, body: { status: 'sent' } });
    expect(smtp.bodies).toHaveLength(1);
    expect(await logOf(settled.body.id)).toEqual([{ outcome: 'sent', smtp_code: 250 }]);
  });

  test('took a mail and the process died before its record, the copy can be recognised', async () => {
    const [message, key] = [sampleMessage('booking_confirmed_student'), newKey()];
    const claim = await claimSend(troubled.database.db, {
      businessKey: key,
      recipientId: message.recipientId,
      template: message.template,
      title: '',
      message: '',
      bookingId: null,
      paymentId: null,
    });
    if (claim.kind !== 'send') throw new Error('nothing to send');
    expect(await send(message, key, troubled)).toMatchObject({
      status: 409,
      body: { code: 'idempotency_in_progress' },
    });
    await troubled.database.db.execute(
      sql`update notifications set leased_until = now(), created_at = '2030-01-01T10:00:00Z' where id = ${claim.sending.id}`,
    );
    expect(await send(message, key, troubled)).toMatchObject({ status: 200, body: { id: claim.sending.id } });
    expect(smtp.bodies).toHaveLength(1);
    expect(smtp.bodies[0]).toContain(`Message-ID: ${messageId(key, 'no-reply@tutorconnect.example')}`);
    expect(smtp.bodies[0]).toContain('Date: Tue, 01 Jan 2030 10:00:00 +0000');
    expect(await logOf(claim.sending.id)).toEqual([
      { outcome: 'unknown', smtp_code: null },
      { outcome: 'sent', smtp_code: 250 },
    ]);
  });
});

test('a mail that met a dead mail server goes out once when the server is back', async () => {
  const [email, key] = [somebody(), newKey()];
  const message = sampleMessage('booking_cancelled_student', { email });
  await send(message); // leaves an open connection in the pool, which dies with the server
  const [smtpPort, uiPort] = [catcher.smtpUrl, catcher.inboxUrl].map((url) => Number(new URL(url).port));
  await catcher.close();
  expect(await send(message, key)).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
  expect(await send(message, key)).toMatchObject({ status: 503 });
  catcher = await startMailCatcher({ smtpPort: smtpPort ?? 0, uiPort: uiPort ?? 0 });
  expect(await send(message, key)).toMatchObject({ status: 200, body: { status: 'sent' } });
  expect(await send(message, key)).toMatchObject({ status: 200, body: { status: 'sent' } });
  expect(await mailsTo(email)).toHaveLength(1);
});
