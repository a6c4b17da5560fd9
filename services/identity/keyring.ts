import { createPrivateKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, type LocalJWKSet, SignJWT } from 'jose';
import { SECOND } from '../../kernel/time';
import { TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_ISSUER, type User, verifyAccessToken } from '../../platform/auth';
import { ConfigError } from '../../platform/config';
import { uuidv7 } from '../../platform/ids';
import { deriveKey, unseal } from '../../platform/sealing';
import type { ServiceDeps } from '../../platform/service';
import type { Jwk } from './contract';
import { ACCESS_TOKEN_MS } from './rules';
import { ensureKey, readKeys, rotateKey, type StoredKey } from './store/signing-keys';

/** Another process may have rotated the keys: the table is read again after this long. */
const KEYS_FRESH_MS = 60 * SECOND;
/** A token with an unknown `kid` has it read sooner, but not more often than this. */
const UNKNOWN_KID_MS = 5 * SECOND;

interface AccessToken {
  accessToken: string;
  accessTokenExpiresAt: string;
}

interface Keys {
  published: Jwk[];
  resolve: LocalJWKSet;
  signer: { kid: string; key: KeyObject };
}

/** What a keyring works with. */
export interface KeyringDeps {
  config: Pick<ServiceDeps['config'], 'IDENTITY_KEY_SECRET'>;
  database: Pick<ServiceDeps['database'], 'db'>;
}

/**
 * A key of identity's own for one purpose.
 * @throws ConfigError without IDENTITY_KEY_SECRET
 */
export function identityKey(
  config: KeyringDeps['config'],
  purpose:
    | ('signing-keys' | 'email-verification' | 'password-reset' | 'login-addresses' | 'refresh-repeats')
    | ('email-change' | 'email-revert' | 'oidc-transactions' | 'totp'),
): Buffer {
  if (config.IDENTITY_KEY_SECRET !== undefined) return deriveKey(config.IDENTITY_KEY_SECRET, `identity/${purpose}`);
  throw new ConfigError(
    'identity has no IDENTITY_KEY_SECRET, which its signing keys are encrypted with: set it to 32 or more random characters',
  );
}

function privateHalf(sealingKey: Buffer, stored: StoredKey): KeyObject | undefined {
  const jwk = stored.signs ? unseal(sealingKey, stored.kid, stored.privateJwk) : undefined;
  return jwk === undefined ? undefined : createPrivateKey({ key: JSON.parse(jwk), format: 'jwk' });
}

/**
 * An operator's rotation of the signing keys; see `rotateKey` of the store. Returns the new key's id.
 * @throws ConfigError when the secret is not the one that identity runs with: its key would never sign
 */
export async function rotateSigningKey(
  { config, database }: KeyringDeps,
  options: { compromised: boolean },
): Promise<string> {
  const sealingKey = identityKey(config, 'signing-keys');
  const keys = await readKeys(database.db);
  if (keys.length > 0 && !keys.some((stored) => privateHalf(sealingKey, stored))) {
    throw new ConfigError(
      'This IDENTITY_KEY_SECRET opens none of the signing keys: use the one that identity runs with. Where the secret ' +
        'itself was changed, restart identity first',
    );
  }
  return rotateKey(database.db, sealingKey, options);
}

/**
 * The keys of access tokens: signs with the oldest that still may, verifies with all that are published. Keys that this
 * process cannot unseal (IDENTITY_KEY_SECRET was changed) it does not sign with; when it can unseal none, it makes one and
 * has the others retire. So a changed secret ends nobody's session, and for a while processes with the old and the new
 * secret get along.
 */
export function createKeyring({ config, database }: KeyringDeps) {
  const sealingKey = identityKey(config, 'signing-keys');
  let cache: { readAt: number; keys: Promise<Keys> } | undefined;

  async function read(): Promise<Keys> {
    await ensureKey(database.db, sealingKey, (stored) => privateHalf(sealingKey, stored) !== undefined);
    const all = await readKeys(database.db);
    const [signer] = all.flatMap((stored) => {
      const key = privateHalf(sealingKey, stored);
      return key ? [{ kid: stored.kid, key }] : [];
    });
    if (!signer) throw new Error('no signing key can be opened');
    const published = all.map(({ kid, publicJwk }): Jwk => ({ ...publicJwk, kid, alg: TOKEN_ALGORITHM, use: 'sig' }));
    return { published, resolve: createLocalJWKSet({ keys: published }), signer };
  }

  /** The keys as read at most `maxAgeMs` ago; requests that come while they are read wait for the same reading. */
  function keys(maxAgeMs = KEYS_FRESH_MS): Promise<Keys> {
    if (!cache || Date.now() - cache.readAt >= maxAgeMs) {
      const entry = { readAt: Date.now(), keys: read() };
      entry.keys.catch(() => {
        if (cache === entry) cache = undefined;
      });
      cache = entry;
    }
    return cache.keys;
  }

  return {
    /** The public keys, oldest first. */
    async published(): Promise<Jwk[]> {
      return (await keys()).published;
    },

    /** Reads the keys beforehand, so that an unreachable database is noticed before a refresh token is spent. */
    async ready(): Promise<void> {
      await keys();
    },

    /** An access token for 15 minutes. */
    async sign(user: User): Promise<AccessToken> {
      const { signer } = await keys();
      const issuedAt = Math.floor(Date.now() / 1_000);
      const expiresAt = issuedAt + ACCESS_TOKEN_MS / 1_000;
      const accessToken = await new SignJWT({ role: user.role, sid: user.sessionId, amr: user.amr })
        .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid: signer.kid, typ: 'JWT' })
        .setSubject(user.id)
        .setIssuer(TOKEN_ISSUER)
        .setAudience(TOKEN_AUDIENCE)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .setJti(uuidv7())
        .sign(signer.key);
      return { accessToken, accessTokenExpiresAt: new Date(expiresAt * 1_000).toISOString() };
    },

    /** The user of an access token. @throws ProblemError unauthenticated; the database's error when there are no keys to be had */
    async verify(token: string): Promise<User> {
      const held = await keys();
      const known = held.published.some(({ kid }) => kid === keyIdOf(token));
      const { resolve } = known ? held : await keys(UNKNOWN_KID_MS);
      return verifyAccessToken(token, resolve);
    },
  };
}

export type Keyring = ReturnType<typeof createKeyring>;

function keyIdOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}
