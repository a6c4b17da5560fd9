import { z } from 'zod';
import { AvatarUrl, Email, Locale, NewPassword, RegisterRequest, UpdateUserRequest } from '.';

test.each([
  [' ada@example.com\n', 'ada@example.com'],
  ['Ada.Lovelace+tutor@EXAMPLE.Com', 'Ada.Lovelace+tutor@example.com'],
  ["o'brien@example.co.uk", "o'brien@example.co.uk"],
  ['ada@b\u00fccher.example', 'ada@xn--bcher-kva.example'],
  ['ada@bu\u0308cher.example', 'ada@xn--bcher-kva.example'],
  [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
])('the address %j is stored as %j', (typed, stored) => {
  expect(Email.parse(typed)).toBe(stored);
  expect(z.email().safeParse(stored).success).toBe(true); // what other services check it by
});

test.each([
  '',
  'ada',
  'ada@',
  '@example.com',
  'ada@example',
  'ada@@example.com',
  'ada@example..com',
  '.ada@example.com',
  'ada..l@example.com',
  'ada @example.com',
  'ada@exa mple.com',
  'ada@-example.com',
  'ada@127.0.0.1',
  'ada@[127.0.0.1]',
  '"ada"@example.com',
  "'ada@example.com",
  "ada'@example.com",
  'a&b=c@example.com',
  'ada@example.c0m',
  '<ada@example.com>',
  'ada@example.com, eve@example.com',
  'ada@example.com\r\nBcc: eve@example.com',
  'ada\u0000@example.com',
  '=cmd|x@example.com',
  '-oQ/tmp@example.com',
  '\u{1f600}@example.com',
  'adа@example.com'.replace('а', '\u0430'),
  '<script>@example.com',
  `${'a'.repeat(65)}@example.com`,
  `ada@${'a.'.repeat(125)}com`,
  `ada@${'a'.repeat(64)}.com`,
])('%j is no e-mail address', (typed) => {
  expect(Email.safeParse(typed).success).toBe(false);
});

test('a password is 10 to 128 characters of any kind, counted as people count them', () => {
  expect(NewPassword.safeParse('123456789').success).toBe(false);
  expect(NewPassword.safeParse('1234567890').success).toBe(true);
  expect(NewPassword.safeParse('\u{1f600}'.repeat(9)).success).toBe(false);
  expect(NewPassword.safeParse('\u{1f600}'.repeat(10)).success).toBe(true);
  expect(NewPassword.safeParse('\u{1f600}'.repeat(128)).success).toBe(true);
  expect(NewPassword.safeParse('x'.repeat(129)).success).toBe(false);
  expect(NewPassword.safeParse('          ').success).toBe(true);
  expect(NewPassword.safeParse('nul\u0000 in the middle').success).toBe(true);
});

test('a password is the same however its accents were typed, and half a character is refused', () => {
  expect(NewPassword.parse('cafe\u0301cafe\u0301caf')).toBe('caf\u00e9caf\u00e9caf');
  expect(NewPassword.safeParse('lone surrogate \ud83d').success).toBe(false);
});

test.each([
  ['EN-us', 'en-US'],
  ['de', 'de'],
  ['zh-hant-tw', 'zh-Hant-TW'],
])('the language tag %s is stored as %s', (typed, stored) => {
  expect(Locale.parse(typed)).toBe(stored);
});

test.each(['', 'x', 'english please', 'de_AT', '../../etc', `en-${'a'.repeat(40)}`])(
  '%j is no language tag',
  (typed) => {
    expect(Locale.safeParse(typed).success).toBe(false);
  },
);

test.each([
  ['https://cdn.example.com/a.png?size=40#x', true],
  ['http://cdn.example.com/a.png', false],
  ['javascript:alert(1)', false],
  ['data:image/png;base64,AAAA', false],
  ['https://user:secret@cdn.example.com/a.png', false],
  ['https://', false],
  ['https://cdn.example.com/"><script>', false],
  ['https://cdn.example.com/a b', false],
  [`https://cdn.example.com/${'a'.repeat(2_048)}`, false],
])('the picture %s is accepted: %s', (url, accepted) => {
  expect(AvatarUrl.safeParse(url).success).toBe(accepted);
});

const registration = {
  email: 'ada@example.com',
  password: 'correct horse',
  role: 'student',
  firstName: ' Ada ',
  lastName: 'Lovelace',
};

test('registration fills in zone and language, and trims names', () => {
  expect(RegisterRequest.parse(registration)).toMatchObject({ firstName: 'Ada', timeZone: 'UTC', locale: 'en' });
});

test.each([
  { role: 'admin' },
  { status: 'active' },
  { emailVerified: true },
  { firstName: '' },
  { firstName: '  ' },
  { firstName: 'A\u0000da' },
  { lastName: 'x'.repeat(81) },
  { lastName: '\ud83d' },
  { timeZone: 'Mars/Olympus' },
  { timeZone: '+01:00' },
])('registration refuses %j', (change) => {
  expect(RegisterRequest.safeParse({ ...registration, ...change }).success).toBe(false);
});

test('names may be of any script, with emoji', () => {
  expect(
    RegisterRequest.safeParse({ ...registration, firstName: '\u{1f469}\u200d\u{1f3eb}', lastName: '山田' }).success,
  ).toBe(true);
});

test('a profile change names at least one field, and null takes the picture away', () => {
  expect(UpdateUserRequest.safeParse({}).success).toBe(false);
  expect(UpdateUserRequest.safeParse({ avatarUrl: null }).success).toBe(true);
  expect(UpdateUserRequest.safeParse({ role: 'admin' }).success).toBe(false);
  expect(UpdateUserRequest.safeParse({ firstName: null }).success).toBe(false);
});
