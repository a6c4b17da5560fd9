import { SendNotification } from './contract';
import { channelsFor, DEFAULT_PREFERENCES, KIND_OF, outcomeOf } from './rules';

const NOTHING = { reminders: { email: false, inApp: false }, reviewRequests: { email: false, inApp: false } };

test('every template of the contract has a kind', () => {
  const templates = SendNotification.options.map((option) => option.shape.template.value);
  expect(Object.keys(KIND_OF).sort()).toEqual([...templates].sort());
});

test('only reminders and review requests can be switched off', () => {
  const silenced = SendNotification.options
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
  for (const template of SendNotification.options.map((option) => option.shape.template.value))
    expect(channelsFor(template, DEFAULT_PREFERENCES)).toEqual({ email: true, inApp: true });
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
