import { and, eq, gt, isNotNull, isNull, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { recoveryCodes, type Sealed, type SecondFactor, totpFactors } from '../../../db/schema/identity';
import { seal, unseal } from '../../../platform/sealing';
import { typedCode } from '../rules';
import { hashToken } from '../secrets';
import { stepOf } from '../totp';

// What a person has as a second factor, and codes that are taken. `key` opens the secrets: the database alone makes no codes.

/** Seals a secret for its person alone. */
export function sealSecret(key: Buffer, userId: string, secret: string): Sealed {
  return seal(key, userId, secret);
}

/** Whether a person has to show a second factor when they sign in. */
export async function hasSecondFactor(db: Database | Transaction, userId: string): Promise<boolean> {
  const rows = await db
    .select({ userId: totpFactors.userId })
    .from(totpFactors)
    .where(and(eq(totpFactors.userId, userId), isNotNull(totpFactors.confirmedAt)));
  return rows.length > 0;
}

/** What a person can show as their second factor now; nothing where none is asked of them. */
export async function shownBy(db: Database, userId: string): Promise<SecondFactor[]> {
  const rows = await db
    .select({ codeHash: recoveryCodes.codeHash })
    .from(totpFactors)
    .leftJoin(recoveryCodes, and(eq(recoveryCodes.userId, totpFactors.userId), isNull(recoveryCodes.usedAt)))
    .where(and(eq(totpFactors.userId, userId), isNotNull(totpFactors.confirmedAt)))
    .limit(1);
  return rows.flatMap(({ codeHash }): SecondFactor[] => (codeHash === null ? ['totp'] : ['totp', 'recovery_code']));
}

/** A code that a person gives, and when. */
export interface GivenCode {
  code: string;
  at: Date;
  /** Opens the secret of their authenticator. */
  key: Buffer;
}

/**
 * Takes a code of a person's authenticator for the first time, or again: true once for each step, and for none before it. The caller holds the user's
 * lock. A secret that cannot be opened, because the key was changed, has no code.
 */
export async function takeTotp(tx: Transaction, userId: string, { code, at, key }: GivenCode): Promise<boolean> {
  const [factor] = await tx.select().from(totpFactors).where(eq(totpFactors.userId, userId));
  const secret = factor && unseal(key, userId, factor.sealedSecret);
  const step = secret === undefined ? undefined : stepOf(secret, typedCode(code).code, at);
  if (step === undefined) return false;
  const taken = await tx
    .update(totpFactors)
    .set({ lastStep: step })
    .where(
      and(
        eq(totpFactors.userId, userId),
        or(isNull(totpFactors.lastStep), gt(sql`${step}::bigint`, totpFactors.lastStep)),
      ),
    )
    .returning({ userId: totpFactors.userId });
  return taken.length > 0;
}

/**
 * Takes what a person gives as their second factor, each code once. The caller holds the user's lock, and knows that they have one.
 * @returns what it was; undefined when it is wrong or was used
 */
export async function takeCode(tx: Transaction, userId: string, given: GivenCode): Promise<SecondFactor | undefined> {
  const { factor, code } = typedCode(given.code);
  if (factor === 'totp') return (await takeTotp(tx, userId, given)) ? factor : undefined;
  const taken = await tx
    .update(recoveryCodes)
    .set({ usedAt: sql`now()` })
    .where(
      and(eq(recoveryCodes.userId, userId), eq(recoveryCodes.codeHash, hashToken(code)), isNull(recoveryCodes.usedAt)),
    )
    .returning({ userId: recoveryCodes.userId });
  return taken.length > 0 ? factor : undefined;
}
