import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/**
 * A key of 256 bits for one `purpose`, `<context>/<what for>`, from that context's secret (HKDF, RFC 5869): keys of two purposes say
 * nothing of each other.
 */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `tutorconnect/${purpose}`, 32));
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
