import type { ReceiptLanguage } from '../../../kernel/receipt-language';
import type { NamedPerson } from '../contract';

/** What payer and payee are called on a receipt; null: they were no user any more when it was issued. */
export interface ReceiptNames {
  payer: string | null;
  payee: string | null;
}

/** The language of receipts that somebody with this locale reads; English where it is none of theirs, or unknown. */
export function languageOf(locale: string | null): ReceiptLanguage {
  return locale !== null && /^de(-|$)/i.test(locale) ? 'de' : 'en';
}

/** `R-2026-000001`, and `C-…` of a credit note. More than a million a year have a digit more. */
export function numberOf(kind: 'R' | 'C', { year, number }: { year: number; number: number }): string {
  return `${kind}-${year}-${String(number).padStart(6, '0')}`;
}

/** Scripts that the font of receipts has, and in which one character after another is a line. */
const WRITTEN = /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Common}\p{Script=Inherited}]*$/u;

/** A text on one line, or null where it holds something that would be boxes. `hasGlyph`: whether the font has a character. */
export function printable(text: string, hasGlyph: (character: string) => boolean): string | null {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  const isPrintable = WRITTEN.test(line) && [...line].every(hasGlyph);
  return isPrintable && line !== '' ? line : null;
}

/** What a person is called on a receipt: by their name, or by their address where that cannot be printed. */
export function printedName(person: NamedPerson | null, hasGlyph: (character: string) => boolean): string | null {
  return person && (printable(person.name, hasGlyph) ?? person.emailName);
}
