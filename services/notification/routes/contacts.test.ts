import type { MailCatcher } from '../../../dev/mail';
import { uuidv7 } from '../../../platform/ids';
import { until } from '../../../tests/support/gateway';
import { mailsOf, type ScriptedSmtp, startScriptedSmtp, startTestCatcher } from '../../../tests/support/mail';
import {
  contactOf,
  deliverBy,
  newKey,
  noticeTo,
  recordBy,
  sampleMessage,
  somebody,
  statusOf,
} from '../../../tests/support/notifications';
import { startTestService, type TestService } from '../../../tests/support/service';
import type { Contact } from '../contract';
import { createFactsSealer } from '../sealed-facts';
import { keepContacts } from '../store/contacts';
import { notificationService } from '.';

// To which address a notice goes: to that of the one row of its recipient, as it is when the mail is sent.

let catcher: MailCatcher;
let smtp: ScriptedSmtp;
let service: TestService;
/** One whose mail server is away now and then. */
let away: TestService;
beforeAll(async () => {
  [catcher, smtp] = await Promise.all([startTestCatcher(), startScriptedSmtp()]);
  const serviceBy = (url: string) => startTestService(notificationService, { environment: { SMTP_URL: url } });
  [service, away] = await Promise.all([serviceBy(catcher.smtpUrl), serviceBy(smtp.url)]);
});
afterAll(async () => {
  await Promise.all([service.close(), away.close()]);
  await Promise.all([catcher.close(), smtp.close()]);
});

const record = recordBy(() => service);
const deliver = deliverBy(() => service);
const bring = async (...items: Contact[]) => {
  await keepContacts(away.database.db, items);
  return (await service.internal('POST', '/internal/contacts', { body: { items } })).body;
};
const mailsTo = (address: string) => mailsOf(catcher.inboxUrl, address);
/** Has a message recorded, which waits while the mail server is away and `happens`; then it is sent. @returns to which addresses */
async function sentTo(message: unknown, happens: () => Promise<void>): Promise<string[]> {
  const key = newKey();
  smtp.script = { RCPT: '451 4.7.1 greylisted' };
  smtp.bodies.length = 0;
  expect(await record(message, key, away)).toMatchObject({ status: 200 });
  const failed = () => away.database.sql`
    select 1 from notification_delivery_log join notifications on id = notification_id
    where business_key = ${key} and outcome = 'unavailable'`;
  await until(async () => (await failed()).length > 0);
  await happens();
  smtp.script = {};
  await until(async () => (await statusOf(away, key)) === 'sent');
  return smtp.bodies.map((body) => /^To: .*<(.+)>/m.exec(body)?.[1] ?? '');
}
const LATER = '2031-01-01T00:00:00.000Z';

test('a notice names its recipient alone, and goes to where they are reached, by their name, zone and language', async () => {
  const contact = contactOf({ timeZone: 'America/New_York', locale: 'en-US' });
  expect(await bring(contact)).toEqual({ changed: 1 });
  expect(await bring(contact)).toEqual({ changed: 0 });
  expect(await deliver(noticeTo(contact.userId, 'booking_confirmed_student'))).toBe('sent');
  const [mail] = await mailsTo(contact.email);
  expect(mail?.to?.value).toEqual([{ name: 'Grace Hopper', address: contact.email }]);
  expect(mail?.text).toMatch(/4:00\sAM EST/);
});

test('of whom is not known where they are reached a notice is asked for again, and nothing is recorded until it is', async () => {
  const [contact, key] = [contactOf(), newKey()];
  const notice = noticeTo(contact.userId, 'payment_receipt');
  for (const body of [notice, { ...notice, email: '' }])
    expect(await record(body, key)).toMatchObject({ status: 503, body: { code: 'contact_unknown' } });
  expect(await service.database.sql`select 1 from notifications where business_key = ${key}`).toEqual([]);
  await bring(contact);
  expect(await deliver(notice, key)).toBe('sent');
  expect(await mailsTo(contact.email)).toHaveLength(1);
});

describe('an address that a caller of before says', () => {
  test('is of use while none is known', async () => {
    const email = somebody();
    expect(await deliver(sampleMessage('payment_receipt', { email }))).toBe('sent');
    expect(await mailsTo(email)).toHaveLength(1);
  });

  test('is nobody’s once one is, nor are their zone and language, in mail and list', async () => {
    const [contact, email, key] = [contactOf({ timeZone: 'America/New_York', locale: 'en-US' }), somebody(), newKey()];
    await bring(contact);
    const said = { recipientId: contact.userId, email, timeZone: 'Asia/Kolkata' };
    expect(await deliver(sampleMessage('booking_confirmed_student', said), key)).toBe('sent');
    expect(await mailsTo(email)).toEqual([]);
    expect((await mailsTo(contact.email)).map(({ text }) => text)).toEqual([expect.stringMatching(/4:00\sAM EST/)]);
    const [listed] = await service.database.sql`select message from notifications where business_key = ${key}`;
    expect(listed?.message).toMatch(/4:00\sAM EST/);
  });

  test('is kept under its seal only while none is known', async () => {
    const [contact, email] = [contactOf(), somebody()];
    await bring(contact);
    smtp.script = { RCPT: '451 4.7.1 greylisted' };
    const kept = async (recipientId: string) => {
      const key = newKey();
      await record(sampleMessage('payment_receipt', { recipientId, email }), key, away);
      const [row] = await away.database.sql`select facts from notifications where business_key = ${key}`;
      return createFactsSealer(away.config).open(key, row?.facts);
    };
    expect(Object.keys(await kept(contact.userId)).toSorted()).toEqual([
      'data',
      'recipientId',
      'template',
      'usefulUntil',
    ]);
    expect(await kept(uuidv7())).toMatchObject({ email });
    smtp.script = {};
    const waiting = () => away.database.sql`select 1 from notifications where status = 'pending'`;
    await until(async () => (await waiting()).length === 0);
  });

  test('is nobody’s either in a mail that waits', async () => {
    const [contact, email] = [contactOf(), somebody()];
    const waiting = sampleMessage('payment_receipt', { recipientId: contact.userId, email });
    expect(await sentTo(waiting, async () => void (await bring(contact)))).toEqual([contact.email]);
  });
});

test('a mail that was recorded before an address changed and is sent after it goes to the new one', async () => {
  const [contact, email] = [contactOf(), somebody()];
  await bring(contact);
  const waiting = noticeTo(contact.userId, 'booking_reminder_student');
  const changes = async () => void (await bring({ ...contact, email, asOf: LATER }));
  expect(await sentTo(waiting, changes)).toEqual([email]);
});

test('to an address that may be somebody else’s nothing is quoted that a person typed, until it was shown to be theirs', async () => {
  const contact = contactOf({ emailVerified: false });
  await bring(contact);
  const notice = () => noticeTo(contact.userId, 'booking_confirmed_student', { bookingId: uuidv7() });
  await deliver(notice());
  const [unproved] = await mailsTo(contact.email);
  for (const typed of ['Grace', 'Ada', 'Mathematics', 'meet.example'])
    expect(`${unproved?.subject} ${unproved?.html} ${unproved?.text}`).not.toContain(typed);
  await service.database.sql`insert into verified_addresses values (${contact.userId}, now())`;
  await deliver(notice());
  const proved = (await mailsTo(contact.email)).map(({ subject }) => subject);
  expect(proved).toContain('Confirmed: Mathematics with Ada Lovelace on 4 March');
});

test('contacts are taken from the platform only, so many at once, each whole', async () => {
  const path = '/internal/contacts';
  const token = await service.userToken({ role: 'admin' });
  expect(await service.ask('POST', path, { body: { items: [] }, token })).toMatchObject({ status: 401 });
  const items = Array.from({ length: 51 }, () => contactOf());
  expect(await service.internal('POST', path, { body: { items } })).toMatchObject({ status: 422 });
  const { email: _, ...without } = contactOf();
  expect(await service.internal('POST', path, { body: { items: [without] } })).toMatchObject({ status: 422 });
  const longest = { name: '\u{1F600}'.repeat(150), email: `${'a'.repeat(308)}@example.com` };
  const most = items.slice(1).map((contact) => ({ ...contact, ...longest }));
  expect(await service.internal('POST', path, { body: { items: most } })).toMatchObject({ status: 200 });
});
