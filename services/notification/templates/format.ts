import { digitsOf } from '../../../kernel/currencies';
import type { Money } from '../../../kernel/money';

/** How one recipient reads times and money. */
export interface Reader {
  /** A weekday, date and time of day with the zone's short name: `Monday, 3 March 2025 at 10:00 CET`. */
  when(instant: string): string;
  /** The date alone, for subject lines. */
  day(instant: string): string;
  money(amount: Money): string;
  /** The IANA name of the zone that times are shown in. */
  zone: string;
}

const FALLBACK_LOCALE = 'en-GB';
const FALLBACK_ZONE = 'UTC';

const readers = new Map<string, Reader>();
/** More than all zones there are, in the one language of the templates. */
const MOST_READERS = 1_000;

/**
 * A reader for `locale` and `timeZone`. What Intl does not know is shown in English and UTC: a notice must not fail over it. Readers are
 * kept, because Intl takes longer to make its formats than a template to render.
 */
export function readerFor(locale: string, timeZone: string): Reader {
  const name = `${locale} ${timeZone}`;
  const known = readers.get(name);
  if (known) return known;
  if (readers.size >= MOST_READERS) readers.clear();
  const reader = newReader(locale, timeZone);
  readers.set(name, reader);
  return reader;
}

function newReader(locale: string, timeZone: string): Reader {
  const language = usable(locale, (tag) => new Intl.DateTimeFormat(tag)) ? locale : FALLBACK_LOCALE;
  const zone = usable(timeZone, (name) => new Intl.DateTimeFormat(language, { timeZone: name }))
    ? timeZone
    : FALLBACK_ZONE;
  const day = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', timeZone: zone } as const;
  const dayFormat = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', timeZone: zone });
  const whenFormat = new Intl.DateTimeFormat(language, {
    ...day,
    hour: 'numeric',
    minute: '2-digit',
    timeZoneName: 'short',
  });
  return {
    zone,
    when: (instant) => whenFormat.format(new Date(instant)),
    day: (instant) => dayFormat.format(new Date(instant)),
    money: ({ amount, currency }) => {
      // Intl by itself shows the digits that CLDR finds usual (none for HUF or IDR), which are not those of the minor unit.
      const digits = digitsOf(currency);
      const shown = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      return new Intl.NumberFormat(language, { style: 'currency', currency, ...shown }).format(amount / 10 ** digits);
    },
  };
}

function usable(value: string, attempt: (value: string) => unknown): boolean {
  try {
    attempt(value);
    return true;
  } catch {
    return false;
  }
}

/**
 * Text that somebody typed, on one line: line breaks would end a mail header, and the characters that turn the reading
 * direction (Unicode bidi controls) would let a name rewrite the sentence around it.
 */
export function singleLine(typed: string): string {
  return typed
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim();
}
