import { RecordNotification } from './contract';
import { channelsFor, DEFAULT_PREFERENCES, KIND_OF, outcomeOf, overtakenBy, pauseAfter, replacedBy } from './rules';

const NOTHING = { reminders: { email: false, inApp: false }, reviewRequests: { email: false, inApp: false } };

test('every template of the contract has a kind', () => {
  const templates = RecordNotification.options.map((option) => option.shape.template.value);
  expect(Object.keys(KIND_OF).sort()).toEqual([...templates].sort());
});

test('only reminders and review requests can be switched off', () => {
  const silenced = RecordNotification.options
    .map((option) => option.shape.template.value)
    .filter((template) => !channelsFor(template, NOTHING).email);
  expect(silenced.sort()).toEqual(['booking_completed_student', 'booking_reminder_student', 'booking_reminder_tutor']);
});

test('each channel of each optional kind is switched off on its own', () => {
  const quiet = { reminders: { email: false, inApp: true }, reviewRequests: { email: true, inApp: false } };
  expect(channelsFor('booking_reminder_tutor', quiet)).toEqual({ email: false, inApp: true });
  expect(channelsFor('booking_completed_student', quiet)).toEqual({ email: true, inApp: false });
  expect(channelsFor('booking_confirmed_student', quiet)).toEqual({ email: true, inApp: true });
});

test('a new user gets everything', () => {
  for (const template of RecordNotification.options.map((option) => option.shape.template.value))
    expect(channelsFor(template, DEFAULT_PREFERENCES)).toEqual({ email: true, inApp: true });
});

describe('a new notice replaces', () => {
  const booking = [
    ...['booking_requested_student', 'booking_requested_tutor', 'booking_confirmed_student', 'booking_confirmed_tutor'],
    ...['booking_declined_student', 'booking_expired_student', 'booking_cancelled_student', 'booking_cancelled_tutor'],
    ...['booking_rescheduled_student', 'booking_rescheduled_tutor', 'booking_failed_student', 'booking_failed_tutor'],
  ];
  const reminders = ['booking_reminder_student', 'booking_reminder_tutor'];

  test.each([
    ['booking_requested_student', [...booking, ...reminders]],
    ['booking_confirmed_tutor', [...booking, ...reminders]],
    ['booking_cancelled_student', [...booking, ...reminders]],
    ['booking_rescheduled_tutor', [...booking, ...reminders]],
    ['booking_reminder_student', reminders],
    ['booking_completed_student', []],
    ['payment_receipt', []],
    ['refund_succeeded', []],
    ['refund_returned', []],
    ['welcome_verify_email', []],
    ['verify_email', []],
    ['welcome', []],
    ['password_reset', []],
    ['password_changed', []],
    ['sign_in_linked', []],
    ['sign_in_unlinked', []],
    ['second_factor_added', []],
    ['second_factor_removed', []],
    ['passkey_added', []],
    ['passkey_removed', []],
    ['role_changed', []],
  ] as const)('of %s, what it makes wrong and nothing else', (template, replaced) => {
    expect(replacedBy(template).toSorted()).toEqual([...replaced].toSorted());
  });
});

test('news of a booking comes too late when its end has been told; money, and the end itself, never do', () => {
  const ends = [
    ...['booking_declined_student', 'booking_expired_student', 'booking_cancelled_student', 'booking_cancelled_tutor'],
    ...['booking_failed_student', 'booking_failed_tutor'],
  ];
  expect(overtakenBy('booking_confirmed_student')).toEqual(ends);
  expect(overtakenBy('booking_reminder_tutor')).toEqual(ends);
  const ending = ['booking_cancelled_student', 'booking_failed_tutor'] as const;
  for (const template of [...ending, 'refund_succeeded', 'booking_completed_student'] as const)
    expect(overtakenBy(template)).toEqual([]);
});

test('the pauses between attempts grow up to ten minutes', () => {
  expect([1, 2, 3, 10, 11, 200].map(pauseAfter)).toEqual([1, 2, 4, 512, 600, 600]);
});

describe('a failed attempt', () => {
  test.each([
    ['an unknown mailbox', { responseCode: 550, command: 'RCPT TO', code: 'EENVELOPE' }, 'refused'],
    ['a full mailbox, for good', { responseCode: 552, command: 'RCPT TO', code: 'EENVELOPE' }, 'refused'],
    ['a message that is taken for spam', { responseCode: 554, command: 'DATA', code: 'EMESSAGE' }, 'refused'],
    ['an address that no command can hold', { command: 'API', code: 'EENVELOPE' }, 'refused'],
    ['greylisting', { responseCode: 451, command: 'RCPT TO', code: 'EENVELOPE' }, 'unavailable'],
    ['a server that is going down', { responseCode: 421, command: 'DATA', code: 'ECONNECTION' }, 'unavailable'],
    ['a sender that may not send', { responseCode: 553, command: 'MAIL FROM', code: 'EENVELOPE' }, 'unavailable'],
    ['a wrong password', { responseCode: 535, command: 'AUTH PLAIN', code: 'EAUTH' }, 'unavailable'],
    ['a missing login', { responseCode: 530, command: 'RCPT TO', code: 'EENVELOPE' }, 'unavailable'],
    ['a session out of step', { responseCode: 503, command: 'DATA', code: 'EENVELOPE' }, 'unavailable'],
    ['a server out of reach', { command: 'CONN', code: 'ESOCKET' }, 'unavailable'],
    ['silence', { command: 'DATA', code: 'ETIMEDOUT' }, 'unavailable'],
    ['nothing that is known', {}, 'unavailable'],
  ])('of %s is final only when the message or the address was refused', (_, failure, kind) => {
    expect(outcomeOf(failure)).toEqual({
      kind,
      smtpCode: 'responseCode' in failure ? failure.responseCode : null,
      errorCode: 'code' in failure ? failure.code : null,
    });
  });
});
