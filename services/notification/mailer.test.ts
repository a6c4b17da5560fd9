import { type ScriptedSmtp, type SmtpScript, startScriptedSmtp } from '../../tests/support/mail';
import { calledByTests } from '../../tests/support/vendors';
import { createMailer, type Mail, type Mailer, messageId } from './mailer';

const FROM = 'TutorConnect <no-reply@tutorconnect.example>';

let smtp: ScriptedSmtp;
let mailer: Mailer;
beforeEach(async () => {
  smtp = await startScriptedSmtp();
  mailer = calledByTests('smtp', createMailer(smtp.url, FROM));
});
afterEach(async () => {
  mailer.close();
  await smtp.close();
});

const mail = (change: Partial<Mail> = {}): Mail => ({
  to: { name: 'Grace', address: 'grace@example.com' },
  subject: 'Hello',
  html: '<p>Hello</p>',
  text: 'Hello',
  businessKey: 'booking:1/confirmed/student',
  date: new Date('2030-01-01T10:00:00Z'),
  ...change,
});

test('a mail that the server takes over is sent', async () => {
  expect(await mailer.send(mail())).toEqual({ kind: 'sent', smtpCode: 250 });
  expect(smtp.bodies).toHaveLength(1);
});

test.each<[string, SmtpScript, string, number | null]>([
  ['an unknown mailbox', { RCPT: '550 5.1.1 no such user' }, 'refused', 550],
  ['a message that is not wanted', { body: '554 5.7.1 spam' }, 'refused', 554],
  ['a mailbox that is busy', { RCPT: '451 4.7.1 come back later' }, 'unavailable', 451],
  ['a message that is not wanted now', { body: '452 4.3.1 disk full' }, 'unavailable', 452],
  ['a sender that may not send', { MAIL: '553 5.7.1 not you' }, 'unavailable', 553],
  ['a server that is busy from the start', { greeting: '421 4.3.2 busy' }, 'unavailable', 421],
  ['a server that hangs up at once', { greeting: 'drop' }, 'unavailable', null],
])('%s is told apart by who can change it', async (_, script, kind, smtpCode) => {
  smtp.script = script;
  expect(await mailer.send(mail())).toMatchObject({ kind, smtpCode });
});

test('a server that says nothing is given up', async () => {
  smtp.script = { greeting: 'hang' };
  expect(await mailer.send(mail())).toEqual({ kind: 'unavailable', smtpCode: null, errorCode: 'ETIMEDOUT' });
});

test('a server that is not there is unavailable', async () => {
  await smtp.close();
  expect(await mailer.send(mail())).toMatchObject({ kind: 'unavailable', errorCode: 'ESOCKET' });
});

test('a connection lost after the message is never answered by sending again: the caller decides', async () => {
  await mailer.send(mail());
  smtp.script = { body: 'drop' };
  expect(await mailer.send(mail())).toMatchObject({ kind: 'unavailable', smtpCode: null });
  expect(smtp.bodies).toHaveLength(2);
});

test('a refusal does not harm the mails behind it', async () => {
  smtp.script = { RCPT: '550 no such user' };
  await mailer.send(mail());
  smtp.script = {};
  expect(await mailer.send(mail())).toMatchObject({ kind: 'sent' });
});

test('an address that SMTP cannot carry is refused for good', async () => {
  const nowhere = { name: 'Nobody', address: '' };
  expect(await mailer.send(mail({ to: nowhere }))).toMatchObject({ kind: 'refused', errorCode: 'EENVELOPE' });
  expect(smtp.bodies).toEqual([]);
});

test('repetitions of a mail carry the same Message-ID and Date, other mails do not', async () => {
  await mailer.send(mail());
  await mailer.send(mail());
  await mailer.send(mail({ businessKey: 'booking:1/confirmed/tutor' }));
  const [first, again, other] = smtp.bodies.map((body) => /^message-id: .*$/im.exec(body)?.[0]);
  expect(first).toMatch(/^Message-ID: <[0-9a-f]{32}@tutorconnect\.example>$/);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
  for (const body of smtp.bodies) expect(body).toContain('Date: Tue, 01 Jan 2030 10:00:00 +0000');
});

test('a name or subject never becomes a header or a second recipient', async () => {
  const typed = 'Eve\r\nBcc: all@example.com\r\n\r\nbody"<x@example.com>, y@example.com';
  await mailer.send(mail({ to: { name: typed, address: 'grace@example.com' }, subject: typed }));
  const [head = ''] = smtp.bodies[0]?.split('\r\n\r\n') ?? [];
  const names = head
    .split('\r\n')
    .filter((line) => /^\S/.test(line))
    .map((line) => line.split(':')[0]?.toLowerCase());
  expect(new Set(names)).toEqual(
    new Set(['from', 'to', 'subject', 'message-id', 'date', 'auto-submitted', 'mime-version', 'content-type']),
  );
});

test.each([
  ['TutorConnect <no-reply@tutorconnect.example>', 'tutorconnect.example'],
  ['no-reply@mail.example', 'mail.example'],
  ['nobody', 'localhost'],
])('the Message-ID of a sender %s is in its domain', (from, domain) => {
  expect(messageId('key', from)).toMatch(new RegExp(`^<[0-9a-f]{32}@${domain}>$`));
});

test('nothing is sent for who does not say that it reaches the mail server', async () => {
  const door = createMailer(smtp.url, FROM);
  await expect(door.send(mail())).rejects.toThrow('Work outside of any operation reaches smtp');
  door.close();
  expect(smtp.bodies).toEqual([]);
});
