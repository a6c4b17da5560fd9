import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import { z } from 'zod';
import { type Database, theOnly } from '../../../../db/client';
import { oidcTransactions, type Sealed, type SignUpWishes } from '../../../../db/schema/identity';
import { ProblemError } from '../../../../kernel/errors';
import { uuidv7 } from '../../../../platform/ids';
import { seal, unseal } from '../../../../platform/sealing';
import { hashToken } from '../../secrets';
import { type Claims, COMPLETE_MINUTES, type Secrets, TRANSACTION_MINUTES } from '../rules';

export type { SignUpWishes };

// Sign-ins at a provider between their start and their end. What is secret of one is sealed under its id.

export interface NewTransaction {
  provider: string;
  /** Who links it to their account; null: whoever signs in. */
  userId: string | null;
  verifierHash: string;
  redirectUri: string;
  wishes: SignUpWishes;
  secrets: Secrets;
}

/** By what an app names its transaction, and shows that it began it. */
export interface Named {
  transactionId: string;
  provider: string;
  verifier: string;
}

const StoredSecrets = z.strictObject({ state: z.string(), nonce: z.string(), codeVerifier: z.string() });
const StoredClaims = z.strictObject({
  ...{ issuer: z.string(), subject: z.string(), email: z.string().nullable(), emailVerified: z.boolean() },
  ...{ firstName: z.string().nullable(), lastName: z.string().nullable() },
});

/** Stores a transaction that begins. @returns its id, and until when it may be finished */
export async function storeTransaction(
  db: Database,
  key: Buffer,
  { secrets, redirectUri, ...input }: NewTransaction,
): Promise<{ transactionId: string; expiresAt: string }> {
  const id = uuidv7();
  const expiresAt = sql`now() + make_interval(mins => ${TRANSACTION_MINUTES})`;
  const rows = await db
    .insert(oidcTransactions)
    .values({
      ...{ id, ...input, redirectUri: new URL(redirectUri).href, expiresAt },
      ...{ stateHash: hashToken(secrets.state), secrets: seal(key, id, JSON.stringify(secrets)) },
    })
    .returning({ expiresAt: oidcTransactions.expiresAt });
  return { transactionId: id, expiresAt: theOnly(rows).expiresAt.toISOString() };
}

const isOpen = and(isNull(oidcTransactions.answeredAt), gt(oidcTransactions.expiresAt, sql`now()`));

/** Where the app is that began the transaction of a `state`; undefined when it is none that could be finished. */
export async function readRedirectUri(db: Database, state: string): Promise<string | undefined> {
  const [row] = await db
    .select({ redirectUri: oidcTransactions.redirectUri })
    .from(oidcTransactions)
    .where(and(eq(oidcTransactions.stateHash, hashToken(state)), isOpen));
  return row?.redirectUri;
}

const isNamed = ({ transactionId, provider, verifier }: Named) =>
  and(
    ...[eq(oidcTransactions.id, transactionId), eq(oidcTransactions.provider, provider)],
    eq(oidcTransactions.verifierHash, hashToken(verifier)),
  );

/**
 * Spends a transaction: from here on its answer is refused. Only for whoever began it, of their own place, and of their own account if it
 * links. @throws ProblemError invalid_token
 */
export async function spendTransaction(
  db: Database,
  key: Buffer,
  named: Named,
  { calledAt, userId }: { calledAt: string; userId: string | null },
): Promise<{ secrets: Secrets; wishes: SignUpWishes }> {
  const [row] = await db
    .update(oidcTransactions)
    .set({ answeredAt: sql`now()` })
    .where(
      and(
        ...[isNamed(named), isOpen, eq(oidcTransactions.redirectUri, calledAt)],
        userId === null ? isNull(oidcTransactions.userId) : eq(oidcTransactions.userId, userId),
      ),
    )
    .returning({ id: oidcTransactions.id, secrets: oidcTransactions.secrets, wishes: oidcTransactions.wishes });
  if (!row) throw new ProblemError('invalid_token', NO_TRANSACTION);
  return { secrets: StoredSecrets.parse(opened(key, row.id, row.secrets)), wishes: row.wishes };
}

/** What was sealed. @throws ProblemError invalid_token when the secret has been changed meanwhile */
function opened(key: Buffer, label: string, sealed: Sealed): unknown {
  const text = unseal(key, label, sealed);
  if (text === undefined) throw new ProblemError('invalid_token', NO_TRANSACTION);
  return JSON.parse(text);
}

const NO_TRANSACTION = 'This sign-in was finished, has expired, or was begun elsewhere: begin another one';

/** Keeps what a provider has said until the person has said the rest. The transaction is one that was spent. @returns until when */
export async function keepClaims(db: Database, key: Buffer, id: string, claims: Claims): Promise<string> {
  const rows = await db
    .update(oidcTransactions)
    .set({
      claims: seal(key, labelOf(id), JSON.stringify(claims)),
      expiresAt: sql`now() + make_interval(mins => ${COMPLETE_MINUTES})`,
    })
    .where(eq(oidcTransactions.id, id))
    .returning({ expiresAt: oidcTransactions.expiresAt });
  return theOnly(rows).expiresAt.toISOString();
}

const labelOf = (id: string) => `${id}/claims`;

/** What was kept, for whoever began the transaction. @throws ProblemError invalid_token */
export async function readClaims(
  db: Database,
  key: Buffer,
  named: Named,
): Promise<{ claims: Claims; wishes: SignUpWishes }> {
  const [row] = await db
    .select({ id: oidcTransactions.id, claims: oidcTransactions.claims, wishes: oidcTransactions.wishes })
    .from(oidcTransactions)
    .where(and(isNamed(named), gt(oidcTransactions.expiresAt, sql`now()`)));
  if (!row?.claims) throw new ProblemError('invalid_token', NO_TRANSACTION);
  return { claims: StoredClaims.parse(opened(key, labelOf(row.id), row.claims)), wishes: row.wishes };
}

/** Forgets what was kept, once there is an account of it. */
export async function dropClaims(db: Database, id: string): Promise<void> {
  await db.update(oidcTransactions).set({ claims: null }).where(eq(oidcTransactions.id, id));
}

/** Deletes transactions that nobody can finish any more. */
export async function forgetOldTransactions(db: Database): Promise<void> {
  await db.delete(oidcTransactions).where(lt(oidcTransactions.expiresAt, sql`now()`));
}
