import { createHash, createHmac, randomBytes } from 'node:crypto';

/** A bearer secret of 256 bits, base64url. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256 of a random token: all that is stored. A slow hash is for what people choose; 256 random bits cannot be guessed. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/**
 * The token of a link in a mail to `userId`, for one issuing command; `key` says what the token is for. Derived instead of drawn: repeating the
 * command under its key gives the same link again although no token is stored.
 */
export function emailToken(key: Buffer, userId: string, commandKey: string): string {
  return createHmac('sha256', key).update(`${userId}\n${commandKey}`).digest('base64url');
}

/** 32 letters and digits, without those that look like others. */
const LEGIBLE = 'abcdefghijkmnpqrstuvwxyz23456789';
const RECOVERY_CODE_LENGTH = 16;

/** A code of 80 bits for people to keep, such as `k4ef-9xtz-…`: too long to be guessed, so that `hashToken` is enough for it. */
export function recoveryCode(): string {
  const letters = [...randomBytes(RECOVERY_CODE_LENGTH)].map((byte) => LEGIBLE[byte % LEGIBLE.length]).join('');
  return letters.replaceAll(/.{4}(?=.)/g, '$&-');
}
