import { asc, gt, isNull, lt, or, sql } from 'drizzle-orm';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import type { Database, Transaction } from '../../../db/client';
import { type StoredJwk, signingKeys } from '../../../db/schema/identity';
import { TOKEN_ALGORITHM } from '../../../platform/auth';
import { type Sealed, seal } from '../../../platform/sealing';
import { Jwk } from '../contract';

const PublicJwk = Jwk.pick({ kty: true, crv: true, x: true, y: true });

/** A signing key as stored: the public half in the clear, the private one sealed. */
export interface StoredKey {
  kid: string;
  publicJwk: StoredJwk;
  privateJwk: Sealed;
  /** Whether it may still sign; the oldest that may is the one that does. */
  signs: boolean;
}

/** Published for an hour after its last signature: access tokens live 15 minutes, caches of the JWKS ten. */
const PUBLISHED_AFTER_RETIREMENT = sql`interval '1 hour'`;
/** A new key is published this long before it signs, so that every cached JWKS knows it by then. */
const LEAD_SECONDS = 900;

/** Every key that tokens in circulation may be signed with, the oldest first. */
export async function readKeys(db: Database | Transaction): Promise<StoredKey[]> {
  return db
    .select({
      kid: signingKeys.kid,
      publicJwk: signingKeys.publicJwk,
      privateJwk: signingKeys.privateJwk,
      signs: sql<boolean>`${signingKeys.retiredAt} is null or ${signingKeys.retiredAt} > now()`,
    })
    .from(signingKeys)
    .where(or(isNull(signingKeys.retiredAt), gt(signingKeys.retiredAt, sql`now() - ${PUBLISHED_AFTER_RETIREMENT}`)))
    .orderBy(asc(signingKeys.createdAt), asc(signingKeys.kid));
}

/**
 * Makes a key unless one that `isUsable` is there already; those that are not retire, so that what a lost or leaked secret
 * encrypted does not count for ever. Of two processes that start at once one makes it, the other
 * waits and finds it.
 */
export async function ensureKey(
  db: Database,
  sealingKey: Buffer,
  isUsable: (key: StoredKey) => boolean,
): Promise<void> {
  await db.transaction(async (tx) => {
    await lockKeys(tx);
    const keys = await readKeys(tx);
    if (keys.some((key) => key.signs && isUsable(key))) return;
    await retireKeys(tx);
    await insertKey(tx, sealingKey);
  });
}

/**
 * Adds a key that takes over in 15 minutes from all there are; they stay published until no token of theirs can be
 * alive. With `compromised` the old keys are forgotten at once: every access token ends, refresh tokens go on.
 * Returns the new key's id.
 */
export async function rotateKey(
  db: Database,
  sealingKey: Buffer,
  { compromised }: { compromised: boolean },
): Promise<string> {
  return db.transaction(async (tx) => {
    await lockKeys(tx);
    if (compromised) await tx.delete(signingKeys);
    await retireKeys(tx);
    return insertKey(tx, sealingKey);
  });
}

/** Deletes keys that are published no longer. */
export async function forgetOldSigningKeys(db: Database): Promise<void> {
  await db.delete(signingKeys).where(lt(signingKeys.retiredAt, sql`now() - ${PUBLISHED_AFTER_RETIREMENT}`));
}

async function lockKeys(tx: Transaction): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext('identity:signing-keys'))`);
}

/** Lets the keys of now sign on until every cache knows their successor. */
async function retireKeys(tx: Transaction): Promise<void> {
  await tx
    .update(signingKeys)
    .set({ retiredAt: sql`now() + make_interval(secs => ${LEAD_SECONDS})` })
    .where(isNull(signingKeys.retiredAt));
}

async function insertKey(tx: Transaction, sealingKey: Buffer): Promise<string> {
  const pair = await generateKeyPair(TOKEN_ALGORITHM, { extractable: true });
  const publicJwk: StoredJwk = PublicJwk.parse(await exportJWK(pair.publicKey));
  const kid = await calculateJwkThumbprint(publicJwk);
  const privateJwk = seal(sealingKey, kid, JSON.stringify(await exportJWK(pair.privateKey)));
  await tx.insert(signingKeys).values({ kid, publicJwk, privateJwk, createdAt: sql`clock_timestamp()` });
  return kid;
}
