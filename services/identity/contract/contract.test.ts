import { NewPassword, RegisterRequest, UpdateUserRequest } from '.';

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
  { firstName: 'http://evil.example/win' },
  { lastName: 'Lovelace\nBcc: eve@example.com' },
  { lastName: '\ud83d' },
  { timeZone: 'Mars/Olympus' },
  { timeZone: '+01:00' },
])('registration refuses %j', (change) => {
  expect(RegisterRequest.safeParse({ ...registration, ...change }).success).toBe(false);
});

test.each([{ firstName: 'Go to evil.example' }, { lastName: 'a\nb' }, { avatarUrl: 'https:cdn.example/a.png' }])(
  'a profile change refuses %j',
  (change) => {
    expect(UpdateUserRequest.safeParse(change).success).toBe(false);
  },
);

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
