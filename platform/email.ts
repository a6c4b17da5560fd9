import { domainToASCII, domainToUnicode } from 'node:url';
import { z } from 'zod';

/** RFC 5321 §4.5.3.1.3 allows a path of 256 octets with its angle brackets. */
const MAX_EMAIL = 254;
const MAX_LOCAL_PART = 64;
// This is less than RFC 5321 allows, on purpose: no quotes, no leading sign, nothing that a shell, a spreadsheet or a mail header
// could misread. A top-level domain is of letters, or an internationalised one in its ASCII form (`xn--p1ai`).
const EMAIL =
  /^[A-Za-z0-9_][A-Za-z0-9_+-]*('[A-Za-z0-9_+-]+)*(\.[A-Za-z0-9_+-]+('[A-Za-z0-9_+-]+)*)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63}|xn--[A-Za-z0-9-]{0,58}[A-Za-z0-9])$/;

/** Trimmed, NFC, domain in lower case and in its ASCII form (`bücher.example` → `xn--bcher-kva.example`). */
function normalizeEmail(value: string): string {
  const trimmed = value.normalize('NFC').trim();
  const at = trimmed.lastIndexOf('@');
  if (at < 0 || trimmed.length > MAX_EMAIL) return trimmed;
  return `${trimmed.slice(0, at)}@${asciiDomain(trimmed.slice(at + 1))}`;
}

/** One form for all spellings of a domain, so that they are one account; empty for what no spelling stands for. */
function asciiDomain(domain: string): string {
  if (!/^[\x21-\x7e]*$/.test(domain)) return domainToASCII(domain);
  const lowered = domain.toLowerCase();
  // Plain ASCII is only lowered: the URL parser would turn `1.2` or `0x7f.1` into an address.
  return /(^|\.)xn--/.test(lowered) ? domainToASCII(domainToUnicode(lowered)) : lowered;
}

/** An e-mail address, normalised: the same in every context. */
export const Email = z
  .string()
  .overwrite(normalizeEmail)
  .max(MAX_EMAIL)
  .regex(EMAIL, 'must be an e-mail address such as ada@example.com')
  .refine((value) => value.indexOf('@') <= MAX_LOCAL_PART, 'has more than 64 characters before the @')
  .meta({ pattern: `^(?=[^@]{1,${MAX_LOCAL_PART}}@)${EMAIL.source.slice(1)}` });
