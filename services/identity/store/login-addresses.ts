import { createHmac } from 'node:crypto';
import { and, eq, gt, lt, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { loginAddresses, users } from '../../../db/schema/identity';
import { addressBucket, KNOWN_ADDRESS_DAYS } from '../rules';
import { hasEmail } from './users';

// From where people have signed in. `key` makes the hashes: without it nobody finds an address by trying all of them.

/** Notes that a person has signed in from `address`. */
export async function rememberAddress(db: Database, key: Buffer, userId: string, address: string): Promise<void> {
  await db
    .insert(loginAddresses)
    .values({ userId, addressHash: hashOf(key, address) })
    .onConflictDoUpdate({
      target: [loginAddresses.userId, loginAddresses.addressHash],
      set: { lastLoginAt: sql`now()` },
    });
}

/** Whether the person of `email`, if there is one, has signed in from `address` lately. */
export async function isKnownAddress(db: Database, key: Buffer, email: string, address: string): Promise<boolean> {
  const [known] = await db
    .select({ userId: loginAddresses.userId })
    .from(loginAddresses)
    .innerJoin(users, eq(users.id, loginAddresses.userId))
    .where(
      and(hasEmail(email), eq(loginAddresses.addressHash, hashOf(key, address)), gt(loginAddresses.lastLoginAt, since)),
    );
  return known !== undefined;
}

/** Deletes what counts no more. */
export async function forgetOldAddresses(db: Database): Promise<void> {
  await db.delete(loginAddresses).where(lt(loginAddresses.lastLoginAt, since));
}

const since = sql`now() - make_interval(days => ${KNOWN_ADDRESS_DAYS})`;

function hashOf(key: Buffer, address: string): string {
  return createHmac('sha256', key).update(addressBucket(address)).digest('base64url');
}
