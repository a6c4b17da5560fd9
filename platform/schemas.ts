import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';
import { CURRENCIES, MOST_MINOR_UNITS } from '../kernel/currencies';
import { isOnGrid, LENGTH_STEP_MINUTES, LONGEST_MINUTES, SHORTEST_MINUTES } from '../kernel/session';
import { TIME_ZONES } from '../kernel/time-zones';

// Wire types that every contract shares. Registered under an id, so that OpenAPI names them once.

// A refinement is nothing that OpenAPI knows of: whatever a schema refuses stands in the document as well, as a pattern or a list.

/**
 * Normalised to NFC, without invisible characters, and trimmed: what is stored is what can be seen. Refuses control characters
 * (NUL breaks Postgres text, the rest breaks mail and logs), and what consists of nothing visible. Lengths count characters (code
 * points), as JSON Schema and Postgres do.
 */
export function text(min: number, max: number) {
  return z
    .string()
    .overwrite((value) => withoutInvisible(value.normalize('NFC')).trim())
    .refine(...lengthBetween(min, max))
    .refine((value) => value === '' || VISIBLE.test(value), 'must contain something visible')
    .refine((value) => !CONTROL.test(value), { error: 'must not contain control characters', abort: true })
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
    .meta({ minLength: min, maxLength: max, pattern: visiblePattern(min) });
}

/** The check of a length in code points, and its words. */
export function lengthBetween(min: number, max: number) {
  const check = (value: string) => {
    const { length } = [...value];
    return length >= min && length <= max;
  };
  return [check, `must have ${min} to ${max} characters`] as const;
}

// All but tab and the two line breaks.
const CONTROLS = String.raw`\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f`;
const CONTROL = new RegExp(`[${CONTROLS}]`);

// For readers of the document, whose tools know few properties of Unicode. Alone they are nothing that can be seen.
const NEVER_SEEN = String.raw`\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb`;

/** No control character and none of `alsoNot`, and as many characters that can be seen as there have to be at least. */
export function visiblePattern(min: number, alsoNot = ''): string {
  const any = `[^${CONTROLS}${alsoNot}]*`;
  const visible = String.raw`[^\s\p{M}${CONTROLS}${NEVER_SEEN}]`;
  return `^${any}${`${visible}${any}`.repeat(min)}$`;
}

// By their properties in Unicode (UTS 51, UAX 44): what is ignorable is shown as nothing, and some of it (bidirectional
// controls) makes one text look like another. People paste such characters without knowing, so they are taken out and not
// refused. Three kinds are part of writing and stay where they mean something: joiners after a letter without case, a mark
// or an emoji (Persian and Indic names, 👩‍🏫), variation selectors after what they vary (❤️, Japanese names), and the tags of
// a flag such as Scotland's.
const FLAG = /(?<flag>\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{2,6}\u{e007f})/u;
const IGNORABLE = /(?!\u200c|\u200d|\p{Variation_Selector})[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;
const IDLE_JOINER = /(?<![\p{Lo}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200c\u200d]/u;
const IDLE_SELECTOR = /(?<![\p{L}\p{N}\p{P}\p{S}])\p{Variation_Selector}/u;
const INVISIBLE = new RegExp([FLAG, IGNORABLE, IDLE_JOINER, IDLE_SELECTOR].map(({ source }) => source).join('|'), 'gu');
// A blank braille cell counts as a symbol and is seen no more than a space. What Unicode assigns later may be seen, and what
// another check refuses is named once.
const VISIBLE = /(?!\u2800)[\p{L}\p{N}\p{P}\p{S}\p{Co}\p{Cn}\p{Cc}\p{Cs}]/u;

function withoutInvisible(value: string): string {
  return value.replaceAll(INVISIBLE, '$<flag>');
}

/** Lower-cased, as Postgres and workflow ids have it: RFC 9562 compares without regard to case. */
export const Uuid = z.uuid().overwrite((id) => id.toLowerCase());

/** A currency of ISO 4217 that has minor units, as a person may name it. Which of them can be charged is asked where a price is set. */
export const Currency = z
  .enum(CURRENCIES, 'is not a currency of ISO 4217 with minor units')
  .meta({ id: 'Currency', description: 'ISO 4217' });

/** A currency in a reply: what was stored once can be told, whatever has become of it. */
export const CurrencyCode = z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR');

/**
 * Money on the wire: integer minor units. Zero is allowed; a price or a charge states its own minimum. What was stored once can be told,
 * whatever its currency has become.
 */
export const Money = z
  .strictObject({ amount: z.int().min(0).max(MOST_MINOR_UNITS), currency: CurrencyCode })
  .meta({ id: 'Money', description: 'Integer minor units of an ISO 4217 currency' });

const FIRST_INSTANT = 0;
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');
// Also false for NaN, the time of an instant that does not exist.
const isUsable = (value: string) => Date.parse(value) >= FIRST_INSTANT && Date.parse(value) <= LAST_INSTANT;

/** A day that exists of the given years, of which those in `leapYears` have one more. */
const dayOf = (years: string, leapYears: string) =>
  `(?:${years}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)` +
  `|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:${leapYears})-02-29)`;

/** A day of the calendar. Bounded, because Postgres and clients disagree about years far off. */
export const CalendarDate = z.iso
  .date()
  .refine((date) => date >= '1900-01-01' && date <= '2199-12-31', 'must be between 1900 and 2199')
  .meta({ pattern: `^${dayOf('(?:19|2[01])[0-9]{2}', '2000|(?:19|2[01])(?:0[48]|[2468][048]|[13579][26])')}$` });

const DAY = dayOf(
  '(?:19[7-9][0-9]|[2-9][0-9]{3})',
  '19(?:[79][26]|8[048])|[2-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[3579][26])00',
);

/** RFC 3339, the letters in capitals and no leap second, which Postgres and clients do not know. */
const instantPattern = (minutes: string, seconds: string) =>
  `^${DAY}T(?:[01][0-9]|2[0-3]):${minutes}:${seconds}(?:Z|[+-](?:[01][0-9]|2[0-3]):${minutes})$`;

/** An instant with offset, as UTC with milliseconds after parsing. Years 1970–9999, which Postgres and clients all know. */
export const Instant = z.iso
  .datetime({ offset: true })
  .refine(isUsable, 'must be an instant that exists, in the years 1970 to 9999')
  .overwrite((value) => (isUsable(value) ? new Date(value).toISOString() : value))
  .meta({ pattern: instantPattern('[0-5][0-9]', String.raw`[0-5][0-9](?:\.[0-9]+)?`) });

/** An instant in a reply: UTC with milliseconds. */
export const InstantOut = z.iso.datetime({ offset: true });

/** The start of a session, as UTC after parsing. */
export const SessionStart = Instant.refine((start) => isOnGrid(Date.parse(start)), 'must be on the quarter hour')
  // Its end must be an instant too, and those have years of four digits.
  .refine((start) => Date.parse(start) < Date.UTC(9999, 11, 31), 'must be before the last day of 9999')
  // An offset between the quarters is nobody's today; a start with one is taken all the same.
  .meta({ pattern: instantPattern('(?:00|15|30|45)', String.raw`00(?:\.0+)?`) });

/** The length of a session. */
export const SessionMinutes = z
  .int()
  .min(SHORTEST_MINUTES)
  .max(LONGEST_MINUTES)
  .multipleOf(LENGTH_STEP_MINUTES)
  .meta({ multipleOf: LENGTH_STEP_MINUTES });

/** The time zone of a person as another context tells it: names from before were taken in any case of their letters. */
export const KnownTimeZone = z.string().min(1).max(64).refine(isTimeZone, 'is not an IANA time zone');

/** An IANA time zone such as `Europe/Berlin`. */
export const TimeZone = z
  .enum(TIME_ZONES, 'is not an IANA time zone such as Europe/Berlin')
  // What is newer than this machine's database cannot be reckoned with.
  .refine(isTimeZone, 'is not a time zone that is known here')
  .meta({ id: 'TimeZone', description: 'A name of the IANA time zone database' });

function isTimeZone(zone: string): boolean {
  // Temporal would also take an offset, which knows no daylight saving, and the zone inside of a whole time stamp.
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    Temporal.Now.zonedDateTimeISO(zone);
    return true;
  } catch {
    return false;
  }
}

/**
 * A BCP 47 language tag, in canonical case. The document knows less than is taken: extensions are left out, and a second variant, since
 * a pattern cannot say that none is there twice.
 */
export const Locale = z
  .string()
  .min(2)
  .max(35)
  .refine((value) => canonicalLocale(value) !== undefined, 'is not a language tag such as en or de-AT')
  .overwrite((value) => canonicalLocale(value) ?? value)
  .meta({
    pattern:
      '^[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))?$',
  });

function canonicalLocale(tag: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(tag)[0];
  } catch {
    return undefined;
  }
}

// What a URL parser would drop, escape or read as something else (spaces, quotes, backslashes, a missing `//`) would lead elsewhere
// than people see, and in a mail or a page do harm. The last label of a host begins with a letter: a number there would be read as
// part of an address.
const PORT = '(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])';
function httpsUrl(inHost: string): string {
  const rest = `(?:[${inHost}-]*[${inHost}])?`;
  const host = String.raw`(?:[\p{L}\p{N}_]${rest}\.)*\p{L}${rest}`;
  return String.raw`^[Hh][Tt][Tt][Pp][Ss]://${host}(?::${PORT})?(?:[/?#][^\s\u0000-\u001f\u007f-\u009f"<>\\^\x60{|}]*)?$`;
}
const HTTPS_URL = new RegExp(httpsUrl(String.raw`\p{L}\p{M}\p{N}_`), 'u');

/**
 * A link that somebody gives others: https, complete, as it is written, and without a user name or password. The document knows no
 * combining marks in a host: which of them a domain may have (UTS 46), a pattern cannot say.
 */
export const HttpsUrl = text(1, 2_048)
  .refine(
    (value) => HTTPS_URL.test(value) && URL.canParse(value),
    'must be an https URL without a user name or password',
  )
  .meta({ pattern: httpsUrl(String.raw`\p{L}\p{N}_`) });

/** What is taught, such as `Mathematics`. */
export const Subject = text(1, 80);

/** The token of a card, made by the client with Stripe's own library: no card number ever reaches the platform, nor a workflow's history. */
export const PaymentMethodId = z
  .string()
  .regex(/^pm_[A-Za-z0-9_]{1,200}$/, 'must be the id of a Stripe payment method (pm_…)');

/** Up to 255 printable ASCII characters, as the Idempotency-Key draft's string (draft-ietf-httpapi-idempotency-key-header §2.1) allows. */
export const IdempotencyKey = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[!-~]+$/);

/** Parameters of a path with one id. What is no id is answered with 404: nothing can be there. */
export const IdParams = z.strictObject({ id: Uuid });

/**
 * A number in a query, where all is text: as people write it, in digits, or as JSON writes one that is close to 0 (`1e-7`). What else a
 * programming language may take for a number (nothing for 0, `0x10`, `1e1`) is none.
 */
export function inQuery<Schema extends z.ZodType>(schema: Schema) {
  const read = (value: unknown) => (typeof value === 'string' && IN_DIGITS.test(value) ? Number(value) : value);
  return z.preprocess(read, schema);
}

const IN_DIGITS = /^-?\d+(\.\d+)?(e-[1-9]\d*)?$/;

/** An instant in a query. `+` means a space there (URL Standard, form-urlencoded), and many a client forgets to write `%2B`. */
export const QueryInstant = z.preprocess(
  (value) => (typeof value === 'string' ? value.replace(' ', '+') : value),
  Instant,
);

/** Query of every list: at most `limit` items after `cursor`, which is opaque to the client. */
export const PageQuery = z.strictObject({
  cursor: z.string().min(1).max(512).optional(),
  limit: inQuery(z.int().min(1).max(100)).default(20),
});

/** One page of a list; `nextCursor` is null on the last. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** RFC 9457 problem details, the body of every error. */
export const Problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    instance: z.string(),
    requestId: z.string(),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

/** What a sweep came to in one context: the rows it found, the sagas it started for them, and the requests it refused for good. */
export const Swept = z
  .strictObject({ found: z.int().min(0), started: z.int().min(0), refused: z.int().min(0) })
  .meta({ id: 'Swept' });
export type Swept = z.output<typeof Swept>;

/** The most rows that one check of folds looks at, in all tables together. */
export const MOST_CHECKED = 1_000;

/** What is asked of a check whether rows are what their events say. The same `seed` chooses the same rows of a table that has not changed. */
export const CheckFolds = z.strictObject({
  limit: z.int().min(1).max(MOST_CHECKED),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31)
    .optional(),
});
export type CheckFolds = z.output<typeof CheckFolds>;

/** How many rows a check looked at, and the columns of those that are not what their events say. */
export const FoldsChecked = z
  .strictObject({
    checked: z.int().min(0),
    different: z.array(z.strictObject({ kind: z.string(), id: Uuid, columns: z.array(z.string()).min(1) })),
  })
  .meta({ id: 'FoldsChecked' });
export type FoldsChecked = z.output<typeof FoldsChecked>;
