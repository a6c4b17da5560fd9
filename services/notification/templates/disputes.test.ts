import { sampleMail } from '../../../tests/support/notifications';

// What payees read of disputes.

type Data = Record<string, unknown>;
const told = (template: 'dispute_opened' | 'dispute_reminder' | 'dispute_decided', data: Data = {}) =>
  sampleMail(template, 'https://tutorconnect.example', { data });

test('of a chargeback the bank has the money, the share is frozen, and until when something can be said', () => {
  const { subject, text } = told('dispute_opened');
  expect(subject).toBe('A payment of €45.00 to you is disputed');
  expect(text).toContain('has taken €45.00 back and decides who keeps it. Your share of it is frozen until then.');
  expect(text).toContain('Say until Friday, 1 March 2030 at 19:00 CET what speaks against it.');
  expect(text).toContain('Session: Mathematics, Monday, 4 March 2030 at 10:00 CET');
  expect(text).toContain('https://tutorconnect.example/disputes/');
});

test('of an inquiry no money has moved', () => {
  const { subject, text } = told('dispute_opened', { inquiry: true });
  expect(subject).toBe('A bank asks about a payment of €45.00 to you');
  expect(text).toContain('No money has moved, but what you earned by it is not paid out before the bank stops asking.');
  expect(text).not.toContain('frozen');
});

test('where nothing can be said nobody is asked to, and a direct payment has no session', () => {
  const { text } = told('dispute_opened', { sayBy: null, bookingId: null, session: null });
  expect(text).toContain('Nothing can be sent to the bank any more.');
  expect(text).not.toMatch(/Say until|Session:/);
});

test.each([
  [false, 'A payment of €45.00 to you is disputed, and you can say something until Friday, 1 March 2030 at 19:00 CET.'],
  [true, 'A bank asks about €45.00 that somebody paid you, and you can say something until'],
])('a reminder says until when, of an inquiry too (%s)', (inquiry, sentence) => {
  expect(told('dispute_reminder', { inquiry }).text).toContain(sentence);
});

test.each([
  ['won', 'Won: the dispute of €45.00', 'your share is no longer frozen'],
  ['lost', 'Lost: the dispute of €45.00', 'Your share of it, which was frozen, is gone'],
  ['closed', 'Closed: the dispute of €45.00', 'Nothing was taken from you'],
])('the end says what has become of the money: %s', (outcome, subject, sentence) => {
  const mail = told('dispute_decided', { outcome });
  expect(mail.subject).toBe(subject);
  expect(mail.text).toContain(sentence);
});
