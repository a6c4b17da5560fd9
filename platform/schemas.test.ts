import { z } from 'zod';
import {
  Currency,
  HttpsUrl,
  IdParams,
  Instant,
  inQuery,
  Locale,
  Money,
  PageQuery,
  pageOf,
  TimeZone,
  text,
  Uuid,
} from './schemas';

const accepts = (schema: z.ZodType) => (value: unknown) => schema.safeParse(value).success;

describe('text', () => {
  const schema = text(2, 5);

  test('is trimmed and composed before it is measured', () => {
    expect(schema.parse('  ab  ')).toBe('ab');
    expect(schema.parse('u\u0308bel')).toBe('\u00fcbel');
    expect(accepts(schema)('  a ')).toBe(false);
    expect(accepts(schema)('abcdef')).toBe(false);
  });

  test('holds every script, emoji and line breaks', () => {
    for (const value of ['日本', 'a\nb', 'a\tb', '👩‍🏫', 'عرب']) expect(accepts(schema)(value)).toBe(true);
  });

  test.each([
    ['a zero-width space', 'A\u200bda'],
    ['a byte order mark', '\ufeffAda'],
    ['a soft hyphen', 'A\u00adda'],
    ['directions', '\u202eA\u2066d\u2069\u200ea\u202c\u061c'],
    ['joiners between letters that do not join', 'A\u200dd\u200ca\u200d'],
    ['a joiner before all, and a second one', '\u200dA\u200d\u200dda'],
    ['a selector before all', '\ufe0fAda'],
    ['fillers', 'A\u3164d\u115fa\uffa0'],
    ['tags that are no flag', 'Ada\u{e0067}\u{e007f}'],
    ['annotations', '\ufff9Ada\ufffb'],
    ['spaces behind them', '\u200b Ada \u200b'],
  ])('is without %s', (_, value) => {
    expect(text(1, 10).parse(value)).toBe('Ada');
  });

  test.each([
    ['a Persian name with a non-joiner', 'علی\u200cرضا'],
    ['a Sinhala name with a joiner', 'ශ්\u200dරී'],
    ['a Malayalam chillu at the end', 'ന്\u200d'],
    ['a family', '👨\u200d👩\u200d👧'],
    ['a teacher of a colour', '👩🏽\u200d🏫'],
    ['a red heart', '❤\ufe0f'],
    ['a keycap', '1\ufe0f\u20e3'],
    ['the flag of Scotland', '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}'],
    ['a Japanese name with the right form of its first character', '辻\u{e0100}'],
    ['an Arabic year sign', '\u0601١٢'],
  ])('keeps what %s needs', (_, value) => {
    expect(text(1, 30).parse(value)).toBe(value);
  });

  test.each(['\u200b', '\u200d\u200c', '\u3164', '\u2800', '\u0301', '\ufe0f\u200d', '\u2800\u200b\u00a0'])(
    'refuses %j, of which nothing is seen',
    (value) => {
      expect(accepts(text(1, 10))(value)).toBe(false);
    },
  );

  test('may be empty where that is allowed', () => {
    expect(text(0, 5).parse(' \u200b')).toBe('');
  });

  test.each(['a\u0000b', 'a\u0007b', 'a\u001bb', 'a\u007fb', 'a\u0085b', 'a\u009bb', 'a\ud800b'])(
    'refuses %j',
    (value) => {
      expect(accepts(schema)(value)).toBe(false);
    },
  );
});

test('an id is a UUID in any case and comes out in lower case', () => {
  const id = '0190A0B0-1C2D-7E3F-8A4B-5C6D7E8F9A0B';
  expect(Uuid.parse(id)).toBe(id.toLowerCase());
  expect(IdParams.parse({ id })).toEqual({ id: id.toLowerCase() });
  for (const other of ['', '1', `${id} `, `${id}\n`, 'me']) expect(accepts(Uuid)(other)).toBe(false);
});

describe('money', () => {
  test.each([
    [0, 'EUR'],
    [4500, 'JPY'],
    [99_999_999, 'USD'],
    [4500, 'XDR'],
  ])('%d %s is money', (amount, currency) => {
    expect(accepts(Money)({ amount, currency })).toBe(true);
  });

  test.each([
    [{ amount: -1, currency: 'EUR' }],
    [{ amount: 45.5, currency: 'EUR' }],
    [{ amount: '4500', currency: 'EUR' }],
    [{ amount: 100_000_000, currency: 'EUR' }],
    [{ amount: Number.NaN, currency: 'EUR' }],
    [{ amount: 1, currency: 'eur' }],
    [{ amount: 1, currency: 'EUR', exponent: 2 }],
    [{ amount: 1 }],
  ])('%p is none', (value) => {
    expect(accepts(Money)(value)).toBe(false);
  });

  test('a person names only currencies with minor units', () => {
    expect(['EUR', 'KPW', 'MGA'].filter(accepts(Currency))).toHaveLength(3);
    expect(['XDR', 'XAU', 'ZZZ', 'DEM', 'eur', ''].filter(accepts(Currency))).toEqual([]);
  });
});

describe('an instant', () => {
  test('becomes UTC with milliseconds', () => {
    expect(Instant.parse('2027-03-28T02:30:00+02:00')).toBe('2027-03-28T00:30:00.000Z');
    expect(Instant.parse('1970-01-01T00:00:00Z')).toBe('1970-01-01T00:00:00.000Z');
    expect(Instant.parse('9999-12-31T23:59:59.999Z')).toBe('9999-12-31T23:59:59.999Z');
  });

  test.each([
    '2027-03-28T02:30:00',
    '2027-03-28',
    '2027-02-30T00:00:00Z',
    '2027-13-01T00:00:00Z',
    '2027-01-01T25:00:00Z',
    '2027-01-01T00:00:00+25:00',
    '0000-01-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '9999-12-31T23:59:59-01:00',
    '+010000-01-01T00:00:00Z',
    'now',
    '',
  ])('%j is none that can be used', (value) => {
    expect(accepts(Instant)(value)).toBe(false);
  });
});

describe('a time zone', () => {
  test.each(['Europe/Berlin', 'UTC', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5'])('%s is one', (zone) => {
    expect(accepts(TimeZone)(zone)).toBe(true);
  });

  test.each([
    '',
    '+01:00',
    '-0500',
    'Mars/Olympus',
    'Europe/Berlin ',
    '../../etc/passwd',
    '2027-01-01T00:00Z',
    '2027-01-01T00:00+01:00[Europe/Berlin]',
    'a'.repeat(65),
  ])('%j is none', (zone) => {
    expect(accepts(TimeZone)(zone)).toBe(false);
  });
});

describe('a number in a query', () => {
  const schema = z.strictObject({ max: inQuery(z.number().min(0)).optional() });

  test('is read as one, and may be left out', () => {
    expect(schema.parse({ max: '4.5' })).toEqual({ max: 4.5 });
    expect(schema.parse({ max: '0' })).toEqual({ max: 0 });
    expect(schema.parse({ max: String(1.5e-7) })).toEqual({ max: 1.5e-7 });
    expect(schema.parse({})).toEqual({});
  });

  test.each([
    '',
    ' ',
    'x',
    '1,5',
    '-1',
    'NaN',
    'Infinity',
    '0x10',
    '1e1',
    '1e+1',
    '1e-0',
    'e-1',
    '0b1',
    ' 1',
    '.5',
    '5.',
    '1_0',
    ['1', '2'],
  ])('%j is refused and not taken for 0', (max) => {
    expect(accepts(schema)({ max })).toBe(false);
  });
});

test('a page is asked for with a limit of 1 to 100, 20 if nothing is said', () => {
  expect(PageQuery.parse({})).toEqual({ limit: 20 });
  expect(PageQuery.parse({ limit: '100', cursor: 'c' })).toEqual({ limit: 100, cursor: 'c' });
  for (const limit of ['0', '101', '-1', '']) expect(accepts(PageQuery)({ limit })).toBe(false);
  expect(accepts(PageQuery)({ offset: '1' })).toBe(false);
  expect(accepts(PageQuery)({ cursor: '' })).toBe(false);
});

test('the last page has no cursor', () => {
  expect(accepts(pageOf(z.string()))({ items: ['a'], nextCursor: null })).toBe(true);
  expect(accepts(pageOf(z.string()))({ items: ['a'] })).toBe(false);
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
  ['https://meet.example', true],
  ['HTTPS://Meet.Example/raum/größe', true],
  ['https://meet.example:8443/~ada/[1]', true],
  ['https:meet.example', false],
  ['https:/meet.example', false],
  ['https:///meet.example', false],
  ['https:\\\\meet.example', false],
  ['https://meet.example\\@evil.example', false],
  ['http://cdn.example.com/a.png', false],
  ['javascript:alert(1)', false],
  ['data:image/png;base64,AAAA', false],
  ['https://user:secret@cdn.example.com/a.png', false],
  ['https://user@cdn.example.com', false],
  ['https://', false],
  ['https://?x', false],
  ['https://cdn.example.com/"><script>', false],
  ['https://cdn.example.com/a b', false],
  ['https://meet.example/\nroom', false],
  [`https://cdn.example.com/${'a'.repeat(2_048)}`, false],
])('the link %s is accepted: %s', (url, accepted) => {
  expect(HttpsUrl.safeParse(url).success).toBe(accepted);
});
