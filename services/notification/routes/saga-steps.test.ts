import type { MailCatcher } from '../../../dev/mail';
import { serviceTokens } from '../../../platform/auth';
import { createServiceClient } from '../../../platform/http-client';
import { uuidv7 } from '../../../platform/ids';
import { mailsOf, startTestCatcher } from '../../../tests/support/mail';
import { newKey, sampleMessage, sendBy, somebody, TEMPLATES } from '../../../tests/support/notifications';
import { startTestService, type TestService } from '../../../tests/support/service';
import { createNotificationClient } from '../client';
import { messageId } from '../mailer';
import { notificationService } from '.';

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
