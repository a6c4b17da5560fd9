import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** A bearer secret of 256 bits, base64url. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256 of a random token: all that is stored. A slow hash is for what people choose; 256 random bits cannot be guessed. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** A key of 256 bits for one `purpose`, from the platform's secret (HKDF, RFC 5869): keys of two purposes say nothing of each other. */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `tutorconnect/identity/${purpose}`, 32));
}

/**
 * The token that proves `userId`'s e-mail address, for one issuing command. Derived instead of drawn: repeating the
 * command under its key gives the same link again although no token is stored.
 */
export function emailToken(key: Buffer, userId: string, commandKey: string): string {
  return createHmac('sha256', key).update(`${userId}\n${commandKey}`).digest('base64url');
}

/** Text under AES-256-GCM, all parts base64url. */
export interface Sealed {
  iv: string;
  ciphertext: string;
  tag: string;
}

/** Encrypts `text`; `label` must be the same to open it, so that sealed values cannot be swapped. */
export function seal(key: Buffer, label: string, text: string): Sealed {
  const iv = randomBytes(12); // NIST SP 800-38D §8.2: 96 bits, random
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(label));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return {
    iv: iv.toString('base64url'),
    ciphertext: ciphertext.toString('base64url'),
    tag: cipher.getAuthTag().toString('base64url'),
  };
}

/** The text of a sealed value; undefined when it was sealed under another key or label, or changed since. */
export function unseal(key: Buffer, label: string, sealed: Sealed): string | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.iv, 'base64url'), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(label)).setAuthTag(Buffer.from(sealed.tag, 'base64url'));
    return Buffer.concat([decipher.update(Buffer.from(sealed.ciphertext, 'base64url')), decipher.final()]).toString();
  } catch {
    return undefined;
  }
}
