import { DAY, HOUR, SECOND } from '../../kernel/time';
import {
  addressBucket,
  authenticationMethods,
  decideRefresh,
  decideRole,
  deviceLabel,
  displayName,
  type LimitState,
  type PresentedToken,
  provesEmail,
  rateLimitHeaders,
  refreshTokenExpiry,
  sessionExpiry,
  setsPassword,
  tightest,
  typedCode,
} from './rules';

const now = new Date('2030-05-01T12:00:00.000Z');
const after = (ms: number) => new Date(now.getTime() + ms);

const fresh: PresentedToken = {
  usedAt: null,
  tokenExpiresAt: after(DAY),
  sessionExpiresAt: after(2 * DAY),
  sessionEndedAt: null,
  refreshId: null,
  successorUsedAt: null,
};

test.each<[string, Partial<PresentedToken>, string]>([
  ['unused and in time', {}, 'rotate'],
  ['expired this instant', { tokenExpiresAt: now }, 'refuse'],
  ['used just now', { usedAt: now }, 'refuse'],
  ['used by a transaction whose clock is a little ahead', { usedAt: after(5) }, 'refuse'],
  ['used less than ten seconds ago', { usedAt: after(-10 * SECOND + 1) }, 'refuse'],
  ['used ten seconds ago', { usedAt: after(-10 * SECOND) }, 'end_session'],
  ['used and expired since', { usedAt: after(-HOUR), tokenExpiresAt: after(-1) }, 'end_session'],
  ['of an ended session', { sessionEndedAt: after(-1) }, 'refuse'],
  ['reused in a session that has ended already', { usedAt: after(-HOUR), sessionEndedAt: after(-1) }, 'refuse'],
  ['of an expired session', { sessionExpiresAt: now }, 'refuse'],
  ['used just now, whose successor was used', { usedAt: now, successorUsedAt: now }, 'end_session'],
])('a refresh token %s: %#', (_, change, decision) => {
  for (const refreshId of [undefined, 'one'])
    expect(decideRefresh({ ...fresh, ...change }, refreshId, now)).toBe(decision);
});

const repeated = { usedAt: after(-30 * SECOND + 1), refreshId: 'one' };
test.each<[string, Partial<PresentedToken>, string | undefined, string]>([
  ['with its id', repeated, 'one', 'repeat'],
  ['with its id, although it has expired since', { ...repeated, tokenExpiresAt: now }, 'one', 'repeat'],
  ['with its id, half a minute later', { ...repeated, usedAt: after(-30 * SECOND) }, 'one', 'end_session'],
  ['with its id, after its successor was used', { ...repeated, successorUsedAt: now }, 'one', 'end_session'],
  ['with another id', repeated, 'other', 'end_session'],
  ['with another id, within the grace period', { ...repeated, usedAt: now }, 'other', 'refuse'],
  ['without an id', repeated, undefined, 'end_session'],
  ['without an id, within the grace period', { ...repeated, usedAt: now }, undefined, 'refuse'],
  ['with its id, in a session that has ended', { ...repeated, sessionEndedAt: now }, 'one', 'refuse'],
])('a spent refresh token that comes %s: %#', (_, change, refreshId, decision) => {
  expect(decideRefresh({ ...fresh, ...change }, refreshId, now)).toBe(decision);
});

test.each([
  ['password', null, ['pwd']],
  ['password', 'totp', ['pwd', 'otp', 'mfa']],
  ['password', 'recovery_code', ['pwd', 'mfa']],
  ['password', 'passkey', ['pwd', 'mfa']],
  ['oidc:example', null, []],
  ['oidc:example', 'totp', ['otp', 'mfa']],
] as const)('%s and %s are, in the words of RFC 8176, %j', (method, secondFactor, words) => {
  expect(authenticationMethods(method, secondFactor)).toEqual(words);
});

test.each([
  ['123456', { factor: 'totp', code: '123456' }],
  [' 123 456\n', { factor: 'totp', code: '123456' }],
  ['12345', { factor: 'recovery_code', code: '12345' }],
  ['1234567', { factor: 'recovery_code', code: '1234567' }],
  ['K4EF-9xtz—abcd efgh', { factor: 'recovery_code', code: 'k4ef9xtzabcdefgh' }],
  ['１２３４５６', { factor: 'recovery_code', code: '' }],
])('%j is typed for %j', (text, typed) => {
  expect(typedCode(text)).toEqual(typed);
});

test('a verification token counts only while unused, not replaced and not expired', () => {
  const token = { usedAt: null, replacedAt: null, expiresAt: after(1) };
  expect(provesEmail(token, now)).toBe(true);
  expect(provesEmail({ ...token, usedAt: now }, now)).toBe(false);
  expect(provesEmail({ ...token, replacedAt: now }, now)).toBe(false);
  expect(provesEmail({ ...token, expiresAt: now }, now)).toBe(false);
});

test('a reset token counts as long, and only for the address it was sent to', () => {
  const token = { usedAt: null, replacedAt: null, expiresAt: after(1), email: 'ada@example.com' };
  expect(setsPassword(token, 'ada@example.com', now)).toBe(true);
  expect(setsPassword(token, 'grace@example.com', now)).toBe(false);
  expect(setsPassword({ ...token, usedAt: now }, 'ada@example.com', now)).toBe(false);
  expect(setsPassword({ ...token, replacedAt: now }, 'ada@example.com', now)).toBe(false);
  expect(setsPassword({ ...token, expiresAt: now }, 'ada@example.com', now)).toBe(false);
});

test.each([
  ['student', 'student', false, 'keep'],
  ['student', 'admin', false, 'set'],
  ['student', 'tutor', false, 'open'],
  ['tutor', 'tutor', true, 'keep'],
  ['tutor', 'admin', true, 'set'],
  ['tutor', 'student', true, undefined],
  ['admin', 'admin', false, 'keep'],
  ['admin', 'student', false, 'set'],
  ['admin', 'student', true, undefined],
  ['admin', 'tutor', true, 'set'],
  ['admin', 'tutor', false, undefined],
] as const)('from %s to %s, with what a tutor has: %s, is %s', (from, to, hasTutorAccount, decision) => {
  const decide = () => decideRole(from, to, hasTutorAccount);
  if (decision) expect(decide()).toBe(decision);
  else expect(decide).toThrow('invalid_state');
});

test('a session lasts 90 days, its refresh tokens 30 each and none beyond it', () => {
  const end = sessionExpiry(now);
  expect(end).toEqual(after(90 * DAY));
  expect(refreshTokenExpiry(now, end)).toEqual(after(30 * DAY));
  expect(refreshTokenExpiry(after(70 * DAY), end)).toEqual(end);
});

test('a display name is first and last name', () => {
  expect(displayName({ firstName: 'Ada', lastName: 'Lovelace' })).toBe('Ada Lovelace');
});

test.each([
  [undefined, null],
  ['', null],
  ['\u0007\u00e9', null],
  ['Firefox/1.0 (X11)', 'Firefox/1.0 (X11)'],
  ['Fire\r\nfox: \u202eevil', 'Firefox: evil'],
  ['x'.repeat(500), 'x'.repeat(200)],
])('a device label holds printable characters only: %#', (header, label) => {
  expect(deviceLabel(header)).toBe(label);
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
  ['1:2:3:4:5:6:7:8:9::a', '1:2:3:4::/64'], // no address at all, and no reason to fail
  ['unknown', 'unknown'],
])('the address %s counts under %s', (address, bucket) => {
  expect(addressBucket(address)).toBe(bucket);
});

test('the limit with the least left is the one that is told of, the first of equals', () => {
  const limit = (policy: string, remaining: number): LimitState => ({
    policy,
    remaining,
    quota: 10,
    windowSeconds: 60,
    resetSeconds: 42,
  });
  expect(tightest([limit('a', 5), limit('b', 3), limit('c', 3)])?.policy).toBe('b');
  expect(rateLimitHeaders(limit('login', 9))).toEqual({
    'RateLimit-Policy': '"login";q=10;w=60',
    RateLimit: '"login";r=9;t=42',
  });
  expect(tightest([])).toBeUndefined();
  expect(rateLimitHeaders(undefined)).toEqual({});
});
