import { domainToASCII } from 'node:url';
import { z } from 'zod';

/** RFC 5321 §4.5.3.1.3 allows a path of 256 octets with its angle brackets. */
const MAX_EMAIL = 254;
const MAX_LOCAL_PART = 64;
// This is less than RFC 5321 allows, on purpose: no quotes, no leading sign, nothing that a shell, a spreadsheet or a mail header
// could misread. It also takes nothing that zod's own `z.email()` refuses, by which other services check addresses again.
const EMAIL =
  /^[A-Za-z0-9_][A-Za-z0-9_+-]*('[A-Za-z0-9_+-]+)*(\.[A-Za-z0-9_+-]+('[A-Za-z0-9_+-]+)*)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$/;

/** Trimmed, NFC, domain in lower case and in its ASCII form (`bücher.example` → `xn--bcher-kva.example`). */
function normalizeEmail(value: string): string {
  const trimmed = value.normalize('NFC').trim();
  const at = trimmed.lastIndexOf('@');
  if (at < 0 || trimmed.length > MAX_EMAIL) return trimmed;
  const domain = trimmed.slice(at + 1);
  // Plain ASCII is only lowered: the URL parser would turn `1.2` or `0x7f.1` into an address.
  const ascii = /^[\x21-\x7e]*$/.test(domain) ? domain.toLowerCase() : domainToASCII(domain);
  return `${trimmed.slice(0, at)}@${ascii}`;
}

/** An e-mail address, normalised. */
export const Email = z
  .string()
  .overwrite(normalizeEmail)
  .max(MAX_EMAIL)
  .regex(EMAIL, 'must be an e-mail address such as ada@example.com')
  .refine((value) => value.indexOf('@') <= MAX_LOCAL_PART, 'has more than 64 characters before the @');
