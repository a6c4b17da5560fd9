import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

// A passkey without a device: what a browser and its authenticator make of the options of a site, by the rules of Web Authentication.

type Cbor = number | string | Buffer | Map<number | string, Cbor>;

/** Concise Binary Object Representation (RFC 8949) of what WebAuthn needs: whole numbers, texts, bytes and maps. */
function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.size), ...[...value].flat().map(cbor)]);
}

function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return Buffer.from([(major << 5) | 25, length >> 8, length & 0xff]);
}

const USER_PRESENT = 0x01;
const ATTESTED = 0x40;

/** One passkey for one site. `origin`: where the browser thinks that it is. Many do not count what they sign (`counts`). */
export function softwareAuthenticator(origin: string, rpId = new URL(origin).hostname, counts = true) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const credentialId = randomBytes(32);
  const id = credentialId.toString('base64url');
  let counter = 0;

  const clientData = (type: string, challenge: string) =>
    Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  const authenticatorData = (flags: number, attested = Buffer.alloc(0)) => {
    const count = Buffer.alloc(4);
    if (counts) count.writeUInt32BE(++counter);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), count, attested]);
  };
  const encoded = (parts: Record<string, Buffer>) =>
    Object.fromEntries(Object.entries(parts).map(([name, bytes]) => [name, bytes.toString('base64url')]));

  return {
    id,
    /** As navigator.credentials.create. */
    create({ challenge }: { challenge: string }) {
      // COSE (RFC 9053): an EC2 key for ES256 on P-256.
      const key: [number, Cbor][] = [
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytesOf(x)],
        [-3, bytesOf(y)],
      ];
      const length = Buffer.from([0, credentialId.length]);
      const attested = Buffer.concat([Buffer.alloc(16), length, credentialId, cbor(new Map(key))]);
      const attestation: [string, Cbor][] = [
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', authenticatorData(USER_PRESENT | ATTESTED, attested)],
      ];
      const clientDataJSON = clientData('webauthn.create', challenge);
      const response = encoded({ clientDataJSON, attestationObject: cbor(new Map(attestation)) });
      return { id, rawId: id, type: 'public-key', response: { ...response, transports: ['internal'] } };
    },
    /** As navigator.credentials.get. */
    get({ challenge }: { challenge: string }) {
      const data = authenticatorData(USER_PRESENT);
      const clientDataJSON = clientData('webauthn.get', challenge);
      const signed = Buffer.concat([data, createHash('sha256').update(clientDataJSON).digest()]);
      const response = encoded({
        clientDataJSON,
        authenticatorData: data,
        signature: sign('sha256', signed, privateKey),
      });
      return { id, rawId: id, type: 'public-key', response };
    },
    /** The counter of a copy that was made so many signatures ago. */
    fallBack(signatures: number): void {
      counter -= signatures;
    },
  };
}

const bytesOf = (base64url: string) => Buffer.from(base64url, 'base64url');
