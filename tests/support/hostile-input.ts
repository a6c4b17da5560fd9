import type { Ask } from './service';

/** Paths that lead nowhere, however they are read. */
export const HOSTILE_PATHS = [
  '/internal/users/1',
  '/api/v1/internal/users/1',
  '/api/internal/users/1',
  '/api/../internal/users/1',
  '/api/auth/%2e%2e/%2e%2e/internal/users/1',
  '/api/users/..%2f..%2finternal/users/1',
  '/api/auth/..;/..;/internal/users/1',
  '/api/auth\\..\\..\\internal\\users\\1',
  '//internal/users/1',
  '/INTERNAL/users/1',
  'http://127.0.0.1/internal/users/1',
  '/docs/../../../../etc/passwd',
  '/docs/..%2f..%2f..%2fetc%2fpasswd',
  '/.env',
  '/api/tutors/%00',
  '/api/tutors/%ff',
  '/api/tutors/..%252f..%252finternal',
];

const packed = Buffer.from([0x1f, 0x8b, 0x08, 0x00]);
/** Bodies that no operation takes, and the statuses that they may be refused with. */
export const HOSTILE_BODIES: [what: string, sent: Ask, status: number[]][] = [
  ['of a megabyte', { raw: `{"a":"${'a'.repeat(1_000_000)}"}` }, [413]],
  ['of 10,000 objects in each other', { raw: `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}` }, [400, 422]],
  ['of 40,000 lists in each other', { raw: `${'['.repeat(40_000)}${']'.repeat(40_000)}` }, [400, 422]],
  ['that break off', { raw: '{"email":' }, [400]],
  ['that are not UTF-8', { raw: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]) }, [400]],
  ['that break off packed', { raw: packed, headers: { 'content-encoding': 'gzip' } }, [400]],
  ['in an encoding nobody knows', { raw: '{}', headers: { 'content-encoding': 'snappy' } }, [400, 415]],
  ['of XML', { raw: '<a/>', headers: { 'content-type': 'application/xml' } }, [400, 415]],
  ['of a form', { raw: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, [400, 415]],
  ['that are null', { raw: 'null' }, [400, 422]],
  ['that are a list', { raw: '[]' }, [400, 422]],
  ['that are empty', {}, [400, 422]],
];

/** Texts that break what is careless with them, by what they are. */
export const ODD_TEXTS = Object.entries({
  NUL: 'a\u0000b',
  'a lone surrogate': 'a\ud800b',
  'an escape sequence': '\u001b[31mred',
  emoji: '👩‍🏫🎓',
  markup: '<script>alert(1)</script>',
  'a line break with a header': 'a\r\nBcc: x@y.example',
  SQL: "'; drop table users; --",
  'a template': '{{constructor}}',
});
/** The odd texts that are refused wherever they would be stored. */
export const NEVER_STORED = ['NUL', 'a lone surrogate', 'an escape sequence'];
/** The odd texts that people cannot be called. */
export const NO_NAMES = ['a line break with a header'];
