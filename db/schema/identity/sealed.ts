/** A text under AES-256-GCM, all parts base64url. */
export interface Sealed {
  iv: string;
  ciphertext: string;
  tag: string;
}
