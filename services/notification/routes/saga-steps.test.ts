import type { MailCatcher } from '../../../dev/mail';
import { serviceTokens } from '../../../platform/auth';
import { createServiceClient } from '../../../platform/http-client';
import { uuidv7 } from '../../../platform/ids';
import { mailsOf, startTestCatcher } from '../../../tests/support/mail';
import {
  contactOf,
  deliverBy,
  newKey,
  recordBy,
  sampleMessage,
  somebody,
  TEMPLATES,
} from '../../../tests/support/notifications';
import { startTestService, type TestService } from '../../../tests/support/service';
import { createNotificationClient } from '../client';
import { messageId } from '../mailer';
import { ADDRESSED_BY_CHANGE } from '../rules';
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

const record = recordBy(() => service);
const deliver = deliverBy(() => service);
const mailsTo = (address: string) => mailsOf(catcher.inboxUrl, address);

describe('a message', () => {
  test('reaches its recipient once, as HTML and text, from the platform, not to be answered by machines', async () => {
    const email = somebody();
    const key = newKey();
    const message = sampleMessage('booking_confirmed_student', { email });
    const reply = await record(message, key);
    expect(reply).toMatchObject({ status: 200, body: { id: expect.any(String), status: 'pending' } });
    expect(await deliver(message, key)).toBe('sent');
    expect((await record(message, key)).body).toEqual({ id: reply.body.id, status: 'sent' });
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

  test('of a booking is told of to sagas, with what became of its mail, and nothing of what it says', async () => {
    const [bookingId, recipientId] = [uuidv7(), uuidv7()];
    const about = { recipientId, email: somebody(), data: { bookingId } };
    await deliver(sampleMessage('booking_confirmed_student', about));
    await record({ ...sampleMessage('booking_reminder_student', about), usefulUntil: '2020-01-01T00:00:00.000Z' });
    await deliver(sampleMessage('booking_confirmed_student', { email: somebody() }));
    const http = createServiceClient(service.url, serviceTokens(service.config.SERVICE_TOKEN_SECRET));
    const client = createNotificationClient(http);
    const { items } = await client.noticesOfBooking(bookingId);
    const when = expect.stringMatching(/^20\d\d-.*Z$/);
    expect(items).toEqual([
      { template: 'booking_confirmed_student', recipientId, status: 'sent', recordedAt: when, sentAt: when },
      { template: 'booking_reminder_student', recipientId, status: 'expired', recordedAt: when, sentAt: null },
    ]);
    expect(await client.noticesOfBooking(uuidv7())).toEqual({ items: [] });
    await http.close();
  });

  test('of every template is sent; those about a change of address: address-changes/routes.test.ts', async () => {
    const email = somebody();
    const sent = TEMPLATES.filter((template) => !ADDRESSED_BY_CHANGE[template]);
    for (const template of sent) expect(await deliver(sampleMessage(template, { email }))).toBe('sent');
    const mails = await mailsTo(email);
    expect(mails).toHaveLength(sent.length);
    for (const mail of mails) expect(mail.text && mail.html).toBeTruthy();
  });

  test('shows what people typed as text, and lets nobody add headers or recipients', async () => {
    const email = somebody();
    const typed = 'Eve <script>alert(1)</script>\r\nBcc: victim@example.com\r\nX-Evil: 1';
    const data = { otherName: typed, subject: `<a href="https://evil.example">Maths</a>` };
    await deliver(sampleMessage('booking_confirmed_student', { email, recipientName: typed, data }));
    const [mail] = await mailsTo(email);
    expect(mail?.recipients).toEqual([email]);
    expect(mail?.bcc).toBeUndefined();
    expect(mail?.headerLines.map((header) => header.key)).not.toContain('x-evil');
    expect(mail?.html).not.toMatch(/<script|<a href="https:\/\/evil/);
    expect(mail?.html).toContain('&lt;script&gt;');
    expect(mail?.to?.value).toEqual([{ name: typed.replaceAll('\r\n', ' '), address: email }]);
    expect(await mailsTo('victim@example.com')).toEqual([]);
  });

  test('asked for ten times at once goes out once, and everybody hears of the same notice', async () => {
    const email = somebody();
    const key = newKey();
    const message = sampleMessage('payment_receipt', { email });
    const replies = await Promise.all(Array.from({ length: 10 }, () => record(message, key)));
    expect(new Set(replies.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect(await deliver(message, key)).toBe('sent');
    expect(await mailsTo(email)).toHaveLength(1);
  });

  test('asked for again with other names or another address gets the status of the first and no second mail', async () => {
    const [email, key] = [somebody(), newKey()];
    const message = sampleMessage('booking_confirmed_student', { email });
    expect(await deliver(message, key)).toBe('sent');
    const again = await record({ ...message, recipientName: 'Grace B. Hopper', email: somebody() }, key);
    expect(again).toMatchObject({ status: 200, body: { status: 'sent' } });
    expect(await mailsTo(email)).toHaveLength(1);
  });

  test('of another kind or to another person under the same key is refused', async () => {
    const key = newKey();
    const message = sampleMessage('booking_confirmed_student');
    await record(message, key);
    for (const other of [
      sampleMessage('booking_confirmed_student'),
      { ...message, template: 'booking_declined_student' },
    ])
      expect(await record(other, key)).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('of the code of before, which says nothing of its use, is told like one that is always of use', async () => {
    const { usefulUntil: _, ...message } = sampleMessage('booking_confirmed_student');
    expect(await deliver(message)).toBe('sent');
  });

  test('that the recipient switched off is not sent, and a transactional one is', async () => {
    const [email, userId] = [somebody(), uuidv7()];
    const token = await service.userToken({ id: userId, role: 'student' });
    await service.ask('PUT', '/api/notifications/preferences', {
      token,
      body: { reminders: { email: false, inApp: true }, reviewRequests: { email: false, inApp: true } },
    });
    const about = { email, recipientId: userId };
    expect(await deliver(sampleMessage('booking_reminder_student', about))).toBe('suppressed');
    expect(await deliver(sampleMessage('booking_completed_student', about))).toBe('suppressed');
    expect(await deliver(sampleMessage('booking_confirmed_student', about))).toBe('sent');
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
    ['an end that is no time', { usefulUntil: 'tomorrow' }],
  ])('with %s is refused before anything is recorded', async (_, change) => {
    const key = newKey();
    const reply = await record({ ...sampleMessage('booking_confirmed_student'), ...change }, key);
    expect(reply).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    expect(await service.database.sql`select 1 from notifications where business_key = ${key}`).toEqual([]);
  });

  test.each(['https:meet.example', 'https:///meet.example', 'https://meet.example/a b'])(
    'with the link %j, which was stored before links had to be complete, goes without it',
    async (meetingUrl) => {
      const email = somebody();
      const message = sampleMessage('booking_reminder_student', { email });
      expect(await deliver({ ...message, data: { ...message.data, meetingUrl } })).toBe('sent');
      const [mail] = await mailsTo(email);
      expect(`${mail?.html} ${mail?.text}`).not.toContain('meet.example');
      expect(mail?.text).toContain(`View booking:\n${PUBLIC_URL}/bookings/`);
    },
  );

  test('to an address under an internationalised domain is sent', async () => {
    const name = uuidv7();
    const email = `${name}@xn--e1afmkfd.xn--p1ai`;
    expect(await deliver(sampleMessage('booking_confirmed_student', { email }))).toBe('sent');
    // The catcher shows the envelope as people write it; on the wire it is ASCII.
    const [mail] = await mailsTo(`${name}@пример.рф`);
    expect(mail?.source).toContain(`<${email}>`);
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
  expect(await client.createPreferences(contactOf({ userId }), `user:${userId}/preferences`)).toMatchObject({
    reminders: { email: true },
  });
  await client.removePreferences(userId, `user:${userId}/preferences/undo`);
  const late = uuidv7();
  await client.removePreferences(late, `user:${late}/preferences/undo`);
  for (const id of [userId, late])
    await expect(client.createPreferences(contactOf({ userId: id }), `user:${id}/preferences`)).rejects.toMatchObject({
      code: 'undone',
    });
  expect(await client.record(sampleMessage('payment_received'), newKey())).toMatchObject({ status: 'pending' });
  await http.close();
});
