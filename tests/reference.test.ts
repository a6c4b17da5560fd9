import { z } from 'zod';
import { chargeableCurrencies } from '../kernel/currencies';
import { ROUTED_CONTEXTS } from '../kernel/modules';
import { chargeFault } from '../kernel/money';
import { TIME_ZONES } from '../kernel/time-zones';
import { amountOf } from '../platform/amounts';
import { Email } from '../platform/email';
import { endpoint } from '../platform/endpoint';
import { PersonName } from '../platform/names';
import { openApiDocument } from '../platform/openapi';
import {
  CalendarDate,
  Currency,
  HttpsUrl,
  IdempotencyKey,
  Instant,
  KnownTimeZone,
  Locale,
  SessionStart,
  TimeZone,
  text,
} from '../platform/schemas';
import { mergeDocuments, ServiceDocument } from '../services/gateway/docs/openapi';
import { priceFault } from '../services/tutoring/rules/prices';
import { contracts, operations } from './support/contracts';

// What a schema refuses, its place in the reference refuses too: whoever goes by the reference is not surprised.

const Words = z.object({
  enum: z.array(z.string()).optional(),
  pattern: z.string().optional(),
  minLength: z.int().default(0),
  maxLength: z.int().default(Number.POSITIVE_INFINITY),
});
const Amount = z.object({
  properties: z.object({
    amount: z.object({ minimum: z.int(), maximum: z.int(), multipleOf: z.int() }),
    currency: z.object({ enum: z.tuple([z.string()]) }),
  }),
});
const Document = z.object({
  paths: z.object({
    '/': z.object({
      post: z.object({
        requestBody: z.object({
          content: z.object({ 'application/json': z.object({ schema: z.object({ properties: z.unknown() }) }) }),
        }),
      }),
    }),
  }),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});
const Referring = z.object({ $ref: z.string() });

/** How the reference describes a field of a body. */
function described(field: z.ZodType, settling?: readonly string[]): unknown {
  const operation = endpoint({
    method: 'post',
    path: '/',
    operationId: 'say',
    summary: 'Say it',
    access: 'user',
    body: z.strictObject({ field }),
    replies: { 204: null },
  });
  const { paths, components } = Document.parse(openApiDocument('words', { operation }, { settling }));
  const { properties } = paths['/'].post.requestBody.content['application/json'].schema;
  const { field: found } = z.object({ field: z.unknown() }).parse(properties);
  const referring = Referring.safeParse(found);
  return referring.success ? components.schemas[referring.data.$ref.replace('#/components/schemas/', '')] : found;
}

/** Whether the reference allows a text. */
function allows(schema: z.ZodType): (value: string) => boolean {
  const words = Words.parse(described(schema));
  const pattern = new RegExp(words.pattern ?? '', 'u');
  return (value) => {
    const { length } = [...value];
    const isLong = length >= words.minLength && length <= words.maxLength;
    return isLong && pattern.test(value) && (words.enum?.includes(value) ?? true);
  };
}

interface Case {
  name: string;
  schema: z.ZodType;
  taken: string[];
  refused: string[];
}

const cases: Case[] = [
  {
    name: 'text',
    schema: text(1, 8),
    taken: ['a', ' a\t', '\n\na', '👩‍🏫', '🦉'.repeat(8), 'ก็', 'é', '…', '老师'],
    refused: [
      '',
      ' ',
      '\n',
      '\u200b',
      '\u3164',
      '\u2800',
      '\u0301',
      '\ufe0f',
      'a\u0000',
      '\u0007',
      'a\u0085',
      'a'.repeat(9),
    ],
  },
  { name: 'text of two', schema: text(2, 4), taken: ['de', 'd e', 'abcd'], refused: ['d', 'd ', 'e\u0301', 'abcde'] },
  { name: 'text that may be empty', schema: text(0, 2), taken: ['', 'ab'], refused: ['abc', '\u0000'] },
  {
    name: 'instant',
    schema: Instant,
    taken: ['1970-01-01T00:00:00Z', '2026-11-28T10:07:59.123456+05:45', '2028-02-29T00:00:00Z', '9999-12-31T23:59:59Z'],
    refused: [
      '1969-12-31T23:59:59Z',
      '2026-11-28T10:00Z',
      '2026-11-28t10:00:00z',
      '2026-02-29T00:00:00Z',
      '2026-11-28',
    ],
  },
  {
    name: 'start of a session',
    schema: SessionStart,
    taken: ['2026-11-28T10:15:00Z', '2026-11-28T10:45:00.000+05:45'],
    refused: ['2026-11-28T10:05:00Z', '2026-11-28T10:15:01Z', '2026-11-28T10:15:00.001Z', '2026-11-28T10:15:00+00:07'],
  },
  {
    name: 'time zone',
    schema: TimeZone,
    taken: ['Europe/Berlin', 'UTC', 'Asia/Calcutta'],
    refused: ['', 'europe/berlin', '+01:00'],
  },
  { name: 'currency', schema: Currency, taken: ['EUR', 'KWD'], refused: ['eur', 'XDR', 'EURO', ''] },
  {
    name: 'locale',
    schema: Locale,
    taken: ['en', 'de-AT', 'zh-Hant-TW', 'es-419', 'ca-valencia', 'sl-1994'],
    refused: ['', 'e', 'en_US', 'de-', 'abcd', 'en-u', '12', 'de-AT-DE'],
  },
  {
    name: 'link',
    schema: HttpsUrl,
    taken: [
      'https://meet.example',
      'HTTPS://MEET.example:65535/a?b#c',
      'https://größe.example/größe?a=[1]#b',
      'https://1.2.example',
      'https://x',
    ],
    refused: [
      'https:meet.example',
      'http://meet.example',
      'https://me@meet.example',
      'https://meet.example:65536',
      'https://meet.example/a b',
      'https://meet.example/<b>',
      'https://1.2.3',
      'https://-a.example',
      'https://a..example',
      'https://',
    ],
  },
  {
    name: 'name of a person',
    schema: PersonName,
    taken: ['Ada', "Anne-Marie O'Neil Jr.", 'J.R. Tolkien', '山田'],
    refused: ['http://evil.example/win', 'evil.example', 'a@b', 'Ada\nLovelace', '\u200b', ''],
  },
  {
    name: 'e-mail address',
    schema: Email,
    taken: ['ada@example.com', `${'a'.repeat(64)}@example.com`, "o'brien+tutor@a.b.museum"],
    refused: [`${'a'.repeat(65)}@example.com`, 'ada@example', '=ada@example.com', 'ada', `ada@${'a.'.repeat(125)}com`],
  },
  {
    name: 'Idempotency-Key',
    schema: IdempotencyKey,
    taken: ['!', '~'.repeat(255), '01a2236d-b20f-748c-8e9a-d44d88e225dd'],
    refused: ['', 'a b', 'é', 'a\u007f', 'k'.repeat(256)],
  },
];

describe.each(cases)('of a $name', ({ schema, taken, refused }) => {
  test('the reference allows what is taken', () => {
    expect(taken.filter((value) => !schema.safeParse(value).success)).toEqual([]);
    expect(taken.filter((value) => !allows(schema)(value))).toEqual([]);
  });

  test('the reference forbids what is refused', () => {
    expect(refused.filter((value) => schema.safeParse(value).success)).toEqual([]);
    expect(refused.filter(allows(schema))).toEqual([]);
  });
});

test('a start whose offset is no quarter of an hour is taken, and the reference does not tell of it', () => {
  const start = '2026-11-28T10:22:00+00:07';
  expect(SessionStart.parse(start)).toBe('2026-11-28T10:15:00.000Z');
  expect(allows(SessionStart)(start)).toBe(false);
});

test('the references of all services make one, with every operation that people have', () => {
  const documents = ROUTED_CONTEXTS.map((context) => {
    const document: unknown = JSON.parse(JSON.stringify(openApiDocument(context, contracts.get(context) ?? {})));
    return [context, ServiceDocument.parse(document)] as const;
  });
  const { paths } = mergeDocuments(ROUTED_CONTEXTS, new Map(documents), 'https://api.example.org');
  const told = Object.values(paths).flatMap((methods) => Object.keys(methods));
  expect(told).toHaveLength(operations.filter(({ access }) => access !== 'service').length);
});

test('days are those of the calendar, in the reference too', () => {
  const two = (number: number) => String(number).padStart(2, '0');
  const isAllowed = allows(CalendarDate);
  const differing: string[] = [];
  for (let year = 1896; year <= 2204; year += 1)
    for (let month = 0; month <= 13; month += 1)
      for (const day of [0, 1, 28, 29, 30, 31, 32]) {
        const date = `${year}-${two(month)}-${two(day)}`;
        if (isAllowed(date) !== CalendarDate.safeParse(date).success) differing.push(date);
      }
  expect(differing).toEqual([]);
});

test('leap days of instants are those of the calendar, in the reference too', () => {
  const isAllowed = allows(Instant);
  const years = Array.from({ length: 10_000 }, (_, year) => String(year).padStart(4, '0'));
  const leapDays = years.map((year) => `${year}-02-29T12:00:00Z`);
  expect(leapDays.filter((day) => isAllowed(day) !== Instant.safeParse(day).success)).toEqual([]);
});

test('every zone of the list can be reckoned with here', () => {
  expect(TIME_ZONES.filter((zone) => !TimeZone.safeParse(zone).success)).toEqual([]);
});

test('a zone that another context tells of may be from before, in any case of its letters', () => {
  expect(KnownTimeZone.parse('europe/berlin')).toBe('europe/berlin');
  expect(KnownTimeZone.safeParse('+01:00').success).toBe(false);
});

describe('amounts', () => {
  const settling = chargeableCurrencies();
  const alternativesOf = (schema: z.ZodType) =>
    z.object({ oneOf: z.array(Amount) }).parse(described(schema, settling)).oneOf;

  test.each([
    ['charge', (amount: number, currency: string) => chargeFault({ amount, currency }, settling)],
    [
      'hourlyPrice',
      (amount: number, currency: string) => priceFault({ kind: 'hourly', price: { amount, currency } }, settling),
    ],
    [
      'packagePrice',
      (amount: number, currency: string) => priceFault({ kind: 'package', price: { amount, currency } }, settling),
    ],
  ] as const)('the limits of a %s are those that are judged by, in every currency', (kind, fault) => {
    const schema = amountOf(kind, kind === 'charge' ? 1 : 100);
    const differing = alternativesOf(schema).flatMap(({ properties }) => {
      const { minimum, maximum, multipleOf } = properties.amount;
      const [currency] = properties.currency.enum;
      const around = [minimum, maximum, minimum + multipleOf];
      const tried = new Set(
        around.flatMap((amount) => [amount - multipleOf, amount - 1, amount, amount + 1, amount + multipleOf]),
      );
      return [...tried].flatMap((amount) => {
        const allowed = amount >= minimum && amount <= maximum && amount % multipleOf === 0;
        const taken = schema.safeParse({ amount, currency }).success && fault(amount, currency) === undefined;
        return allowed === taken ? [] : [`${amount} ${currency}`];
      });
    });
    expect(differing).toEqual([]);
  });

  test('currencies that do not settle are in no alternative', () => {
    const [euro, ...others] = z
      .object({ oneOf: z.array(Amount) })
      .parse(described(amountOf('charge', 1), ['EUR'])).oneOf;
    expect(euro?.properties.currency.enum).toEqual(['EUR']);
    expect(others).toEqual([]);
  });
});
