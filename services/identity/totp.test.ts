import { newTotpSecret, otpauthUri, stepOf } from './totp';

/** "12345678901234567890", the secret of RFC 6238's examples, in Base32. */
const EXAMPLE = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
])('at %d s RFC 6238 appendix B says %s', (seconds, code) => {
  expect(stepOf(EXAMPLE, code, new Date(seconds * 1_000))).toBe(Math.floor(seconds / 30));
});

test.each([
  [-31, undefined],
  [-30, 1],
  [0, 1],
  [29, 1],
  [59, 1],
  [60, undefined],
])('the code of the step from 30 s on counts %d s after its beginning: step %s', (after, step) => {
  expect(stepOf(EXAMPLE, '287082', new Date((30 + after) * 1_000))).toBe(step);
});

test.each(['', '28708', '2870820', '287083', '28708a', '２８７０８２'])('%j is no code', (code) => {
  expect(stepOf(EXAMPLE, code, new Date(59_000))).toBeUndefined();
});

test('a secret has 160 bits and is another one each time', () => {
  const secrets = new Set(Array.from({ length: 100 }, newTotpSecret));
  expect(secrets.size).toBe(100);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
});

test('an authenticator is told whose secret it is', () => {
  const uri = new URL(otpauthUri(EXAMPLE, 'ada+l@example.com'));
  expect([uri.protocol, uri.host, decodeURIComponent(uri.pathname)]).toEqual([
    ...['otpauth:', 'totp', '/TutorConnect:ada+l@example.com'],
  ]);
  expect(Object.fromEntries(uri.searchParams)).toEqual({
    ...{ issuer: 'TutorConnect', secret: EXAMPLE, algorithm: 'SHA1', digits: '6', period: '30' },
  });
});
