import { sampleMail, TEMPLATES } from '../../../tests/support/notifications';
import type { TemplateName } from '../contract';

const PUBLIC_URL = 'https://tutorconnect.example';
const TYPED = ['Grace Hopper', 'Ada Lovelace', 'Mathematics', 'meet.example', 'Exam preparation'];
const anonymous = (template: TemplateName, data = {}) =>
  sampleMail(template, PUBLIC_URL, { emailVerified: false, data });

describe.each(TEMPLATES)('%s to an address that may be somebody else’s', (template) => {
  const mail = anonymous(template);

  test('quotes nothing that a person typed, in header, subject, text or page', () => {
    expect(mail.name).toBe('');
    for (const form of [mail.subject, mail.html, mail.text])
      for (const typed of TYPED) expect(form).not.toContain(typed);
    expect(mail.text).toContain('Hello,\n');
    expect(mail.html).toContain('>Hello,<');
  });

  test('is whole sentences all the same, with the one place to go to', () => {
    for (const form of [mail.subject, mail.html, mail.text])
      expect(form).not.toMatch(/\{\{|\}\}|undefined| {2}\S|\[object|Hello ,|(with|to|from) [.,]/);
    for (const paragraph of mail.text.split('\n\n')) expect(paragraph).toMatch(/^[A-Z€\n–-]/);
    expect(mail.text).toContain(`:\n${PUBLIC_URL}/`);
  });

  test('is in the list of the person who signed in the same as ever', () => {
    const { title, message } = sampleMail(template, PUBLIC_URL);
    expect({ title: mail.title, message: mail.message }).toEqual({ title, message });
  });
});

test('the other party is called by what they are', () => {
  expect(anonymous('booking_confirmed_student').subject).toBe('Confirmed: tutoring with your tutor on 4 March');
  expect(anonymous('booking_requested_tutor').text).toContain('A student would like a tutoring session with you on');
  expect(anonymous('payment_received').text).toContain('Another person paid €45.00.');
});

test('a tutor is asked for a meeting link only if there is none', () => {
  expect(anonymous('booking_reminder_tutor').text).not.toContain('has no meeting link yet');
  expect(anonymous('booking_reminder_tutor', { meetingUrl: null }).text).toContain('has no meeting link yet');
});

test('a welcome names nobody even where nothing is said of the address: that is what it asks', () => {
  const mail = sampleMail('welcome_verify_email', PUBLIC_URL);
  expect(mail.name).toBe('');
  expect(`${mail.html} ${mail.text}`).not.toContain('Grace');
});
