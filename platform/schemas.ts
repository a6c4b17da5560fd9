import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';

// Wire types that every contract shares. Registered under an id, so that OpenAPI names them once.

const MAX_MINOR_UNITS = 99_999_999; // Stripe's largest amount: eight digits

/** Normalised to NFC and trimmed; refuses control characters (NUL breaks Postgres text, the rest breaks mail and logs). */
export function text(min: number, max: number) {
  return z
    .string()
    .overwrite((value) => value.normalize('NFC').trim())
    .min(min)
    .max(max)
    .refine((value) => !hasControlCharacter(value), 'must not contain control characters')
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode');
}

function hasControlCharacter(value: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(value);
}

/** Lower-cased, as Postgres and workflow ids have it: RFC 9562 compares without regard to case. */
export const Uuid = z.uuid().overwrite((id) => id.toLowerCase());
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR')
  .refine((code) => Intl.supportedValuesOf('currency').includes(code), 'is not a currency of ISO 4217');

/** Money on the wire: integer minor units. Zero is allowed; a price or a charge states its own minimum. */
export const Money = z
  .strictObject({ amount: z.int().min(0).max(MAX_MINOR_UNITS), currency: Currency })
  .meta({ id: 'Money', description: 'Integer minor units of an ISO 4217 currency' });

/** An instant with offset, as UTC with milliseconds after parsing. Years 1970–9999. */
export const Instant = z.iso
  .datetime({ offset: true })
  .refine((value) => Number.isFinite(Date.parse(value)), 'is not an instant that exists')
  .overwrite((value) => (Number.isFinite(Date.parse(value)) ? new Date(value).toISOString() : value));

/** An instant in a reply: UTC with milliseconds. */
export const InstantOut = z.iso.datetime({ offset: true });

/** An IANA time zone such as `Europe/Berlin`. */
export const TimeZone = z.string().min(1).max(64).refine(isTimeZone, 'is not an IANA time zone');

function isTimeZone(zone: string): boolean {
  // An offset such as +01:00 is no IANA zone: it does not know daylight saving.
  if (/^[+-]/.test(zone)) return false;
  try {
    Temporal.Now.zonedDateTimeISO(zone);
    return true;
  } catch {
    return false;
  }
}

export const IdParams = z.strictObject({ id: Uuid });

/** Query of every list: at most `limit` items after `cursor`, which is opaque to the client. */
export const PageQuery = z.strictObject({
  cursor: z.string().min(1).max(512).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

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
