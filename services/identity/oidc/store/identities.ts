import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { userIdentities, users } from '../../../../db/schema/identity';
import { ProblemError } from '../../../../kernel/errors';
import { uuidv7 } from '../../../../platform/ids';
import { appendEvent } from '../../../../platform/outbox';
import type { Identity } from '../../contract';
import { identityEvents } from '../../events';
import { methodAt } from '../../rules';
import { takeOverAccount } from '../../store/passwords';
import { endSessions } from '../../store/sessions';
import { hasEmail, lockUser } from '../../store/users';
import { type AddressOwner, type Claims, canUnlink, decideUnknown } from '../rules';

/** A sign-in at a provider that is known, and whose it is. */
export interface KnownIdentity {
  identityId: string;
  userId: string;
}

/** Who is known by what a provider says; undefined: nobody. Notes when, and the address that it says now. */
export async function useIdentity(
  db: Database,
  { issuer, subject, email }: Claims,
): Promise<KnownIdentity | undefined> {
  const [known] = await db
    .update(userIdentities)
    .set({ lastUsedAt: sql`now()`, ...(email !== null && { email }) })
    .where(isThis({ issuer, subject }))
    .returning({ identityId: userIdentities.id, userId: userIdentities.userId });
  return known;
}

const isThis = ({ issuer, subject }: Pick<Claims, 'issuer' | 'subject'>) =>
  and(eq(userIdentities.issuer, issuer), eq(userIdentities.subject, subject));

/**
 * Links a sign-in that nobody is known by to the account of its address, where both have proven it. Undefined where nobody has the address.
 * @throws ProblemError link_required where somebody has, and it is not certain that they are the same
 */
export async function linkByAddress(
  db: Database,
  provider: string,
  claims: Claims,
): Promise<KnownIdentity | undefined> {
  const { email } = claims;
  if (email === null) return undefined;
  return db.transaction(async (tx) => {
    // Under the lock that every change of an account's address, proof and sign-ins holds.
    const [user] = await tx.select().from(users).where(hasEmail(email)).for('update');
    // Who came by two transactions at once is known by now.
    const [mine] = await tx
      .select({ userId: userIdentities.userId, identityId: userIdentities.id })
      .from(userIdentities)
      .where(isThis(claims));
    if (mine) return mine;
    const decision = user ? decideUnknown(claims, await ownerOf(tx, user, provider)) : 'sign_up';
    if (!user || decision === 'sign_up') return undefined;
    if (decision === 'link_required') throw linkRequired(provider);
    return { userId: user.id, identityId: (await insertIdentity(tx, user.id, provider, claims)).id };
  });
}

/** Says at which provider the account cannot be signed in to yet. */
export function linkRequired(provider: string): ProblemError {
  return new ProblemError('link_required', undefined, { extras: { provider } });
}

async function ownerOf(
  tx: Transaction,
  { id, status, emailVerifiedAt }: typeof users.$inferSelect,
  provider: string,
): Promise<AddressOwner> {
  const linked = await tx.select({ id: userIdentities.id }).from(userIdentities).where(isOf(id, provider));
  return { status, emailVerifiedAt, isLinked: linked.length > 0 };
}

const isOf = (userId: string, provider: string) =>
  and(eq(userIdentities.userId, userId), eq(userIdentities.provider, provider));

/** Stores a sign-in of a person whose lock the caller holds. @throws ProblemError conflict when it is somebody's, or they have one of this provider */
async function insertIdentity(tx: Transaction, userId: string, provider: string, { issuer, subject, email }: Claims) {
  const [row] = await tx
    .insert(userIdentities)
    .values({ id: uuidv7(), userId, provider, issuer, subject, email, lastUsedAt: sql`now()` })
    .onConflictDoNothing()
    .returning();
  if (!row)
    throw new ProblemError(
      'conflict',
      'This sign-in is linked to another account, or another one of the provider to this',
    );
  await appendEvent(tx, identityEvents, { streamId: userId, type: 'IdentityLinked', data: dataOf(row) });
  return row;
}

type Row = typeof userIdentities.$inferSelect;

const dataOf = ({ id, userId, provider }: Row) => ({
  ...{ userId, participantIds: [userId], identityId: id, provider },
});

/**
 * Links a sign-in to the account of a person who is signed in; once more is no error. Where it proves the account's address for the first time, it
 * takes the account over: see `takeOverAccount`. @throws ProblemError not_found; conflict when it is somebody else's, or they have one of this provider
 */
export async function linkIdentity(
  db: Database,
  by: { userId: string; sessionId: string },
  provider: string,
  claims: Claims,
): Promise<Identity> {
  return db.transaction(async (tx) => {
    const { userId, sessionId } = by;
    const user = await lockUser(tx, userId);
    if (!user) throw new ProblemError('not_found');
    const [known] = await tx.select().from(userIdentities).where(isThis(claims));
    if (known?.userId === userId) return shown(known);
    const isTheirs = claims.emailVerified && claims.email?.toLowerCase() === user.email.toLowerCase();
    if (isTheirs && !user.emailVerifiedAt) {
      await takeOverAccount(tx, userId, new Date());
      await tx.update(users).set({ passwordHash: null }).where(eq(users.id, userId));
      await endSessions(tx, userId, { except: sessionId, reason: 'address_proven' });
    }
    return shown(await insertIdentity(tx, userId, provider, claims));
  });
}

/** Unlinks what was linked to an account since. The caller holds the user's lock, and sees to the sessions. */
export async function unlinkSince(tx: Transaction, userId: string, since: Date): Promise<void> {
  const unlinked = await tx
    .delete(userIdentities)
    .where(and(eq(userIdentities.userId, userId), gt(userIdentities.linkedAt, since)))
    .returning();
  for (const row of unlinked)
    await appendEvent(tx, identityEvents, { streamId: userId, type: 'IdentityUnlinked', data: dataOf(row) });
}

const shown = ({ id, provider, email, linkedAt, lastUsedAt }: Row): Identity => ({
  ...{ id, provider, email, linkedAt: linkedAt.toISOString(), lastUsedAt: lastUsedAt?.toISOString() ?? null },
});

/** A person's sign-ins at providers, the oldest first. */
export async function listIdentities(db: Database, userId: string): Promise<Identity[]> {
  const rows = await db
    .select()
    .from(userIdentities)
    .where(eq(userIdentities.userId, userId))
    .orderBy(asc(userIdentities.id));
  return rows.map(shown);
}

/**
 * Unlinks a sign-in at a provider; other sessions that began there have ended.
 * @throws ProblemError not_found, also for a stranger's; last_sign_in_method where nothing else would let the person in
 */
export async function unlinkIdentity(
  db: Database,
  { userId, sessionId }: { userId: string; sessionId: string },
  identityId: string,
): Promise<void> {
  await db.transaction(async (tx) => {
    // Two who unlink the last two wait for each other here, and the second finds one.
    const user = await lockUser(tx, userId);
    const linked = await tx.select().from(userIdentities).where(eq(userIdentities.userId, userId));
    const identity = linked.find(({ id }) => id === identityId);
    if (!user || !identity) throw new ProblemError('not_found');
    if (!canUnlink({ hasPassword: user.passwordHash !== null, identities: linked.length }))
      throw new ProblemError('last_sign_in_method');
    await tx.delete(userIdentities).where(eq(userIdentities.id, identityId));
    await endSessions(tx, userId, { except: sessionId, method: methodAt(identity.provider), reason: 'revoked' });
    await appendEvent(tx, identityEvents, { streamId: userId, type: 'IdentityUnlinked', data: dataOf(identity) });
  });
}
