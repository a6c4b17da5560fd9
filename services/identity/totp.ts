import { Secret, TOTP } from 'otpauth';
import { SECOND } from '../../kernel/time';

// One-time passwords by time (RFC 6238), as authenticator apps make them.

/** How long a code is that of the moment. */
const STEP_SECONDS = 30;
/** A code counts a step too early or too late as well: clocks differ, and people take a while to type (RFC 6238 §5.2). */
const STEPS_ASIDE = 1;
/** As long as the hash that codes are made with (RFC 4226 §4 R6). */
const SECRET_BYTES = 20;

const authenticator = (secret: string, label = '') =>
  new TOTP({ issuer: 'TutorConnect', label, secret, algorithm: 'SHA1', digits: 6, period: STEP_SECONDS });

/** A new secret, in Base32. */
export function newTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/** What an authenticator app takes a secret from, as a QR code or by a tap. It shows `account` beside the codes. */
export function otpauthUri(secret: string, account: string): string {
  return authenticator(secret, account).toString();
}

/** The step whose code `code` is, of those that count at `at`; undefined where it is of none. */
export function stepOf(secret: string, code: string, at: Date): number | undefined {
  // The library compares bytes of one length, and throws where six characters have more.
  if (!/^\d{6}$/.test(code)) return undefined;
  const aside = authenticator(secret).validate({ token: code, timestamp: at.getTime(), window: STEPS_ASIDE });
  return aside === null ? undefined : Math.floor(at.getTime() / (STEP_SECONDS * SECOND)) + aside;
}
