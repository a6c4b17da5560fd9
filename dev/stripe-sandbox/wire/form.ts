/**
 * Form-encoded parameters as Stripe reads them. Express decodes the form (`a[b]=c` into objects); here every value is
 * still text, and these schemas say what Stripe accepts and how it words a refusal.
 */
import { z } from 'zod';
import { chargeableCurrencies, isChargeable } from '../../../kernel/currencies';
import { badParameter, type StripeProblem } from '../memory/errors';

type Path = readonly PropertyKey[];

/** `['shipping', 'address', 'city']` is written `shipping[address][city]`. */
function paramName(path: Path): string {
  const [first, ...rest] = path.map(String);
  return (first ?? '') + rest.map((part) => `[${part}]`).join('');
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

function complain(context: z.RefinementCtx<unknown>, code: string | undefined, message: string): never {
  context.addIssue({ code: 'custom', message, params: { code } });
  return z.NEVER;
}

/** Non-empty text: Stripe takes an empty value for an attempt to unset, which most parameters do not allow. */
export function text(maxLength = 5000) {
  return z.string().transform((value, context) => {
    if (value === '') {
      return complain(
        context,
        'parameter_invalid_empty',
        'You passed an empty string. We assume empty values are an attempt to unset a parameter; however this one cannot be unset.',
      );
    }
    if (value.length > maxLength) {
      return complain(context, undefined, `Invalid string: must be at most ${maxLength} characters`);
    }
    return value;
  });
}

/** Where a browser is sent. Plain HTTP is fine in test mode. */
export const webAddress = () =>
  text().transform((value, context) =>
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
      ? value
      : complain(context, 'url_invalid', 'Not a valid URL'),
  );

/** Text that an empty value unsets. */
export function clearableText(maxLength = 5000) {
  return z.union([z.literal('').transform(() => null), text(maxLength)]);
}

function integer(minimum: number, maximum: number, codeIfLarger = 'parameter_invalid_integer') {
  return z.string().transform((value, context) => {
    if (!/^-?\d{1,15}$/.test(value)) {
      return complain(context, 'parameter_invalid_integer', `Invalid integer: ${value}`);
    }
    const number = Number(value);
    if (number < minimum) {
      const message = `This value must be greater than or equal to ${minimum}.`;
      return complain(context, 'parameter_invalid_integer', message);
    }
    if (number > maximum) {
      return complain(context, codeIfLarger, `This value must be less than or equal to ${maximum}.`);
    }
    return number;
  });
}

/** A positive amount in minor units, up to the eight digits Stripe supports. See https://docs.stripe.com/currencies */
export const amount = () => integer(1, 99_999_999, 'amount_too_large');

/** A number from one to another. */
export const wholeNumber = (minimum: number, maximum: number) => integer(minimum, maximum);

/** `true` or `false`, as a form spells them. */
export const flag = () =>
  z.string().transform((value, context) => {
    if (value === 'true' || value === 'false') return value === 'true';
    return complain(context, undefined, `Invalid boolean: ${value}`);
  });

/** One of a few words. */
export function choice<const T extends string>(...allowed: T[]) {
  return z.string().transform((value, context): T => {
    const found = allowed.find((option) => option === value);
    return found ?? complain(context, undefined, `Invalid value '${value}': must be one of ${allowed.join(', ')}`);
  });
}

/** A three-letter code in any case; lower case in objects. The sandbox settles each currency that Stripe charges in in itself. */
export const currency = () =>
  z.string().transform((value, context) => {
    const code = value.toLowerCase();
    if (isChargeable(value.toUpperCase())) return code;
    const known = chargeableCurrencies().join(', ').toLowerCase();
    return complain(
      context,
      undefined,
      `Invalid currency: ${value}. Stripe currently supports these currencies: ${known}`,
    );
  });

/** What a request does to an object's metadata: `null` empties it, an empty value removes that key. */
export type MetadataChange = Record<string, string> | null;

/** Up to 50 keys of 40 characters with values of 500. See https://docs.stripe.com/api/metadata */
export const metadata = () =>
  z.union([
    z.literal('').transform(() => null),
    z.record(z.string(), z.string()).transform((value, context) => {
      const entries = Object.entries(value);
      if (entries.length > 50) return complain(context, undefined, 'You can have at most 50 metadata keys.');
      for (const [key, content] of entries) {
        if (key.length > 40) {
          return complain(
            context,
            undefined,
            `Metadata keys can have up to 40 characters, but you passed in a key of ${key.length}.`,
          );
        }
        if (content.length > 500) {
          return complain(
            context,
            undefined,
            `Metadata values can have up to 500 characters, but you passed in a value of ${content.length}.`,
          );
        }
      }
      return value;
    }),
  ]);

/** Metadata after a change: given keys are merged in, emptied ones go. See https://docs.stripe.com/api/metadata */
export function changeMetadata(current: Record<string, string>, change: MetadataChange | undefined) {
  if (change === undefined) return current;
  if (change === null) return {};
  const merged = Object.entries({ ...current, ...change }).filter(([, value]) => value !== '');
  return Object.fromEntries(merged);
}

export const address = () =>
  z.strictObject({
    city: text().optional(),
    country: text(2).optional(),
    line1: text().optional(),
    line2: text().optional(),
    postal_code: text().optional(),
    state: text().optional(),
  });

export const shipping = () =>
  z.strictObject({
    address: address(),
    name: text(),
    carrier: text().optional(),
    phone: text().optional(),
    tracking_number: text().optional(),
  });

const NO_ADDRESS = { city: null, country: null, line1: null, line2: null, postal_code: null, state: null };

/** Stripe shows every part of an address, null where nothing was given. */
export function fullAddress(given: z.output<ReturnType<typeof address>>) {
  return { ...NO_ADDRESS, ...given };
}

/** The same for a parcel. */
export function fullShipping(given: z.output<ReturnType<typeof shipping>>) {
  return { carrier: null, phone: null, tracking_number: null, ...given, address: fullAddress(given.address) };
}

const seconds = () => integer(0, 99_999_999_999);

/** `created=123` or `created[gte]=123`. */
export const timeRange = () =>
  z.union([
    seconds(),
    z.strictObject({
      gt: seconds().optional(),
      gte: seconds().optional(),
      lt: seconds().optional(),
      lte: seconds().optional(),
    }),
  ]);

/** Every request may ask for expansions. See https://docs.stripe.com/expand */
export const expand = () => z.array(z.string()).max(20).optional();

/** Every list may be paged. See https://docs.stripe.com/api/pagination */
export const paging = {
  limit: integer(1, 100).optional(),
  starting_after: text().optional(),
  ending_before: text().optional(),
  created: timeRange().optional(),
  expand: expand(),
};

/**
 * Reads decoded form values with a schema.
 * @throws StripeProblem (400, not stored under an idempotency key) worded like Stripe: `parameter_unknown`,
 *   `parameter_missing`, `parameter_invalid_integer`, `parameter_invalid_empty` …
 */
export function parseParams<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw mostTelling(parsed.error.issues, raw);
}

function mostTelling(issues: readonly z.core.$ZodIssue[], raw: unknown): StripeProblem {
  const flat = issues.flatMap(innermost);
  const unknown = flat.find((issue) => issue.code === 'unrecognized_keys');
  const missing = flat.find((issue) => isMissing(issue, raw));
  return problemOf(unknown ?? missing ?? flat[0], raw);
}

/** A union reports each branch: the branch that got furthest says what was meant. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const branches = issue.errors.map((branch) =>
    branch.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(innermost),
  );
  const telling = branches.find((branch) =>
    branch.some(
      (inner) => inner.code === 'custom' || inner.code === 'unrecognized_keys' || inner.path.length > issue.path.length,
    ),
  );
  return telling ?? branches.at(-1) ?? [];
}

function isMissing(issue: z.core.$ZodIssue, raw: unknown): boolean {
  return issue.code === 'invalid_type' && valueAt(raw, issue.path) === undefined;
}

function problemOf(issue: z.core.$ZodIssue | undefined, raw: unknown): StripeProblem {
  if (issue === undefined) return badParameter('Invalid request.', '');
  const name = paramName(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => paramName([...issue.path, key]));
    const noun = names.length > 1 ? 'parameters' : 'parameter';
    return badParameter(`Received unknown ${noun}: ${names.join(', ')}`, names[0] ?? '', 'parameter_unknown');
  }
  if (isMissing(issue, raw)) return badParameter(`Missing required param: ${name}.`, name, 'parameter_missing');
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.code;
    return badParameter(issue.message, name, typeof code === 'string' ? code : undefined);
  }
  if (issue.code === 'invalid_type') return badParameter(`Invalid ${issue.expected}`, name);
  return badParameter(`Invalid ${name}: ${issue.message}`, name);
}
