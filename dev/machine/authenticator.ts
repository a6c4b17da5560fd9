import { Secret, TOTP } from 'otpauth';

/** What an authenticator app with this secret (Base32) shows at `at`. */
export function codeOf(secret: string, at = new Date()): string {
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: at.getTime() });
}
