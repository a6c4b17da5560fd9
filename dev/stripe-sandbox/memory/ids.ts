import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 24 characters of base 62, the length of the random part in Stripe's own ids. */
export function randomText(length = 24): string {
  let text = '';
  for (const byte of randomBytes(length)) text += ALPHABET[byte % ALPHABET.length];
  return text;
}

/** An id that looks like Stripe's: `pi_3Q…`, `acct_…`, `evt_…`. */
export function newId(prefix: string): string {
  return `${prefix}_${randomText()}`;
}
