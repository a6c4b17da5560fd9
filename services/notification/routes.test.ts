import { sql } from 'drizzle-orm';
import { type MailCatcher, startMailCatcher } from '../../dev/mail';
import { serviceTokens } from '../../platform/auth';
import { createServiceClient } from '../../platform/http-client';
import { uuidv7 } from '../../platform/ids';
import { receivedMails, type ScriptedSmtp, startScriptedSmtp, startTestCatcher } from '../../tests/support/mail';
import { sampleMessage, TEMPLATES } from '../../tests/support/notifications';
import { startTestService, type TestService } from '../../tests/support/service';
import { createNotificationClient } from './client';
import { messageId } from './mailer';
import { notificationService } from './routes';
import * as store from './store';

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

const newKey = () => `booking:${uuidv7()}/confirmed/student`;
const send = (body: unknown, key = newKey(), to = service) =>
  to.internal('POST', '/internal/notifications', { key, body });
const mailsTo = async (address: string) =>
  (await receivedMails(catcher.inboxUrl)).filter((mail) => mail.recipients.includes(address));
const somebody = () => `${uuidv7()}@example.com`;

describe('a message', () => {
  test('reaches its recipient once, as HTML and text, from the platform, not to be answered by machines', async () => {
    const email = somebody();
    const key = newKey();
    const reply = await send(sampleMessage('booking_confirmed_student', { email }), key);
    expect(reply).toMatchObject({ status: 200, body: { id: expect.any(String), status: 'sent' } });
    const [mail, ...more] = await mailsTo(email);
    expect(more).toEqual([]);
    expect(mail).toMatchObject({
      recipients: [email],
      subject: 'Confirmed: Mathematics with Ada Lovelace on 4 March',
      from: { value: [{ name: 'TutorConnect', address: 'no-reply@tutorconnect.example' }] },
      to: { value: [{ name: 'Grace Hopper', address: email }] },
      messageId: messageId(key, 'no-reply@tutorconnect.example'),
    });
    expect(mail?.text).toContain('10:00 CET');
    expect(mail?.text).toContain(`${PUBLIC_URL}/bookings/0199f1aa-0000-7000-8000-000000000001`);
    expect(mail?.html).toContain('10:00 CET');
    expect(mail?.html).toContain(`href="${PUBLIC_URL}/bookings/0199f1aa-0000-7000-8000-000000000001"`);
    expect(mail?.headerLines).toContainEqual({ key: 'auto-submitted', line: 'Auto-Submitted: auto-generated' });
  });

  test('of every template is sent', async () => {
    const email = somebody();
    for (const template of TEMPLATES)
      expect((await send(sampleMessage(template, { email }))).body).toMatchObject({ status: 'sent' });
    const mails = await mailsTo(email);
    expect(mails).toHaveLength(TEMPLATES.length);
    for (const mail of mails) expect(mail.text && mail.html).toBeTruthy();
  });

  test('shows what people typed as text, and lets nobody add headers or recipients', async () => {
    const email = somebody();
    const typed = 'Eve <script>alert(1)</script>\r\nBcc: victim@example.com\r\nX-Evil: 1';
    const data = { otherName: typed, subject: `<a href="https://evil.example">Maths</a>` };
    await send(sampleMessage('booking_confirmed_student', { email, recipientName: typed, data }));
    const [mail] = await mailsTo(email);
    expect(mail?.recipients).toEqual([email]);
    expect(mail?.bcc).toBeUndefined();
    expect(mail?.headerLines.map((header) => header.key)).not.toContain('x-evil');
    expect(mail?.html).not.toMatch(/<script|<a href="https:\/\/evil/);
    expect(mail?.html).toContain('&lt;script&gt;');
    expect(mail?.to?.value).toEqual([{ name: typed.replaceAll('\r\n', ' '), address: email }]);
    expect(await mailsTo('victim@example.com')).toEqual([]);
  });

  test('asked for ten times at once goes out once, and everybody hears the truth', async () => {
    const email = somebody();
    const key = newKey();
    const message = sampleMessage('payment_receipt', { email });
    const replies = await Promise.all(Array.from({ length: 10 }, () => send(message, key)));
    expect(replies.filter((reply) => reply.status === 200).length).toBeGreaterThan(0);
    for (const reply of replies) {
      if (reply.status === 200) expect(reply.body.status).toBe('sent');
      else expect(reply).toMatchObject({ status: 409, body: { code: 'idempotency_in_progress' } });
    }
    expect((await send(message, key)).body).toEqual(replies.find((reply) => reply.status === 200)?.body);
    expect(await mailsTo(email)).toHaveLength(1);
  });

  test('asked for again with other names or another address gets the first outcome and no second mail', async () => {
    const [email, key] = [somebody(), newKey()];
    const message = sampleMessage('booking_confirmed_student', { email });
    const first = await send(message, key);
    const again = await send({ ...message, recipientName: 'Grace B. Hopper', email: somebody() }, key);
    expect(again.body).toEqual(first.body);
    expect(await mailsTo(email)).toHaveLength(1);
  });

  test('of another kind or to another person under the same key is refused', async () => {
    const key = newKey();
    const message = sampleMessage('booking_confirmed_student');
    await send(message, key);
    for (const other of [
      sampleMessage('booking_confirmed_student'),
      { ...message, template: 'booking_declined_student' },
    ])
      expect(await send(other, key)).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('leaves no address, no body and no one-time link in the database', async () => {
    const email = somebody();
    await send(
      sampleMessage('welcome_verify_email', { email, data: { verifyUrl: `${PUBLIC_URL}/verify?token=s3cr3t` } }),
    );
    expect(await mailsTo(email)).toHaveLength(1);
    for (const table of ['notifications', 'notification_delivery_log', 'events', 'idempotency_keys']) {
      const rows = await service.database.sql`select * from ${service.database.sql(table)}`;
      expect(JSON.stringify(rows)).not.toMatch(new RegExp(`s3cr3t|${email}|Grace|<html`));
    }
  });

  test('that the recipient switched off is not sent, and a transactional one is', async () => {
    const [email, userId] = [somebody(), uuidv7()];
    const token = await service.userToken({ id: userId, role: 'student' });
    await service.ask('PUT', '/api/notifications/preferences', {
      token,
      body: { reminders: { email: false, inApp: true }, reviewRequests: { email: false, inApp: true } },
    });
    const about = { email, recipientId: userId };
    expect((await send(sampleMessage('booking_reminder_student', about))).body).toMatchObject({ status: 'suppressed' });
    expect((await send(sampleMessage('booking_completed_student', about))).body).toMatchObject({
      status: 'suppressed',
    });
    expect((await send(sampleMessage('booking_confirmed_student', about))).body).toMatchObject({ status: 'sent' });
    expect(await mailsTo(email)).toHaveLength(1);
  });

  test.each([
    ['an unknown template', { template: 'nonsense' }],
    ['no data', { data: undefined }],
    ['a field too many', { data: { ...sampleMessage('booking_confirmed_student').data, card: '4242' } }],
    ['a script for a link', { template: 'welcome_verify_email', data: { verifyUrl: 'javascript:alert(1)' } }],
    [
      'a fraction of a cent',
      { data: { ...sampleMessage('booking_confirmed_student').data, price: { amount: 0.5, currency: 'EUR' } } },
    ],
    ['no address', { email: 'nobody' }],
  ])('with %s is refused before anything is recorded', async (_, change) => {
    const key = newKey();
    const reply = await send({ ...sampleMessage('booking_confirmed_student'), ...change }, key);
    expect(reply).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    expect(await service.database.sql`select 1 from notifications where business_key = ${key}`).toEqual([]);
  });

  test('is taken from the platform only, under a key', async () => {
    const body = sampleMessage('payment_receipt');
    const path = '/internal/notifications';
    expect(await service.ask('POST', path, { body, key: newKey() })).toMatchObject({ status: 401 });
    const token = await service.userToken({ role: 'admin' });
    expect(await service.ask('POST', path, { body, key: newKey(), token })).toMatchObject({ status: 401 });
    expect(await service.internal('POST', path, { body })).toMatchObject({
      status: 400,
      body: { code: 'idempotency_key_required' },
    });
  });
});

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
    const claim = await store.claimSend(troubled.database.db, {
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
      sql`update notifications set leased_until = now(), created_at = '2030-01-01T10:00:00Z' where id = ${claim.attempt.id}`,
    );
    expect(await send(message, key, troubled)).toMatchObject({ status: 200, body: { id: claim.attempt.id } });
    expect(smtp.bodies).toHaveLength(1);
    expect(smtp.bodies[0]).toContain(`Message-ID: ${messageId(key, 'no-reply@tutorconnect.example')}`);
    expect(smtp.bodies[0]).toContain('Date: Tue, 01 Jan 2030 10:00:00 +0000');
    expect(await logOf(claim.attempt.id)).toEqual([
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

describe('my notifications', () => {
  const userId = uuidv7();
  const about = { recipientId: userId };
  let token: string;
  const get = (query = '') => service.ask('GET', `/api/notifications${query}`, { token });
  beforeAll(async () => {
    token = await service.userToken({ id: userId, role: 'student' });
    for (const template of ['welcome_verify_email', 'booking_requested_student', 'booking_confirmed_student'] as const)
      await send(sampleMessage(template, about));
    await send(sampleMessage('payment_receipt'));
  });

  test('are mine alone, newest first, in words and with what they are about', async () => {
    const { status, body } = await get();
    expect(status).toBe(200);
    expect(body.items.map((item: { type: string }) => item.type)).toEqual([
      'booking_confirmed_student',
      'booking_requested_student',
      'welcome_verify_email',
    ]);
    expect(body.items[0]).toEqual({
      id: expect.any(String),
      type: 'booking_confirmed_student',
      title: 'Confirmed: Mathematics with Ada Lovelace on 4 March',
      message: expect.stringContaining('10:00 CET'),
      bookingId: '0199f1aa-0000-7000-8000-000000000001',
      paymentId: null,
      status: 'sent',
      sentAt: expect.stringMatching(/Z$/),
      readAt: null,
      createdAt: expect.stringMatching(/Z$/),
    });
    expect(body).toMatchObject({ nextCursor: null, unreadCount: 3 });
  });

  test('come in pages that meet end to end', async () => {
    const first = await get('?limit=2');
    expect(first.body.items).toHaveLength(2);
    const second = await get(`?limit=2&cursor=${first.body.nextCursor}`);
    const ids = [...first.body.items, ...second.body.items].map((item: { id: string }) => item.id);
    expect(new Set(ids).size).toBe(3);
    expect(second.body.nextCursor).toBeNull();
  });

  test.each(['cursor=nonsense', 'limit=0', 'limit=101', 'unread=maybe', 'user=1'])(
    'with ?%s is a wrong field',
    async (query) => {
      expect(await get(`?${query}`)).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    },
  );

  test('are marked as read one by one and all together, and filtered by it', async () => {
    const [newest] = (await get()).body.items;
    const read = await service.ask('PATCH', `/api/notifications/${newest.id}/read`, { token });
    expect(read).toMatchObject({ status: 200, body: { id: newest.id, readAt: expect.any(String) } });
    expect((await get('?unread=true')).body).toMatchObject({ unreadCount: 2, items: [{}, {}] });
    expect((await get('?unread=false')).body.items).toHaveLength(3);
    const all = await service.ask('PATCH', '/api/notifications/mark-all-read', { token });
    expect(all).toMatchObject({ status: 200, body: { marked: 2 } });
    expect((await get('?unread=true')).body).toMatchObject({ unreadCount: 0, items: [] });
  });

  test("of somebody else, or none at all, are not there; nobody's without a token", async () => {
    const [mine] = (await get()).body.items;
    const stranger = await service.userToken({ role: 'tutor' });
    for (const id of [mine.id, uuidv7(), 'not-an-id'])
      expect(await service.ask('PATCH', `/api/notifications/${id}/read`, { token: stranger })).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
    expect((await service.ask('GET', '/api/notifications', { token: stranger })).body.items).toEqual([]);
    expect(await service.ask('GET', '/api/notifications')).toMatchObject({ status: 401 });
  });
});

describe('preferences', () => {
  const ON = { reminders: { email: true, inApp: true }, reviewRequests: { email: true, inApp: true } };

  test('start with everything on, and are replaced by what was read and changed', async () => {
    const token = await service.userToken({ role: 'student' });
    const path = '/api/notifications/preferences';
    expect(await service.ask('GET', path, { token })).toMatchObject({ status: 200, body: ON });
    const body = { ...ON, reminders: { email: false, inApp: true } };
    expect(await service.ask('PUT', path, { token, body })).toMatchObject({ status: 200, body });
    expect((await service.ask('GET', path, { token })).body).toEqual(body);
    const stranger = await service.userToken({ role: 'student' });
    expect((await service.ask('GET', path, { token: stranger })).body).toEqual(ON);
  });

  test.each([
    [{}],
    [{ reminders: ON.reminders }],
    [{ ...ON, bookings: { email: false, inApp: false } }],
    [{ ...ON, reminders: { email: 'no', inApp: true } }],
    [null],
    [[]],
  ])('that are not whole and right (%j) are refused', async (body) => {
    const token = await service.userToken({ role: 'student' });
    expect(await service.ask('PUT', '/api/notifications/preferences', { token, body })).toMatchObject({
      status: 422,
      body: { code: 'validation_failed' },
    });
  });
});

test('activities reach every internal operation by the client', async () => {
  const http = createServiceClient(service.url, serviceTokens(service.config.SERVICE_TOKEN_SECRET));
  const client = createNotificationClient(http);
  const userId = uuidv7();
  expect(await client.createPreferences(userId, `user:${userId}/preferences`)).toMatchObject({
    reminders: { email: true },
  });
  await client.removePreferences(userId, `user:${userId}/preferences/undo`);
  await expect(client.createPreferences(userId, `user:${userId}/preferences`)).resolves.toMatchObject({
    reminders: {},
  });
  const late = uuidv7();
  await client.removePreferences(late, `user:${late}/preferences/undo`);
  await expect(client.createPreferences(late, `user:${late}/preferences`)).rejects.toMatchObject({ code: 'undone' });
  expect(await client.send(sampleMessage('payment_received'), newKey())).toMatchObject({ status: 'sent' });
  await http.close();
});
