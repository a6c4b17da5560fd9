import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { passkeyRegistrations, passkeys, userSessions } from '../../../db/schema/identity';
import { notValid, ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import type { AssertedCredential, CreatedCredential, Passkey } from '../contract';
import { createdPasskey, creationOptions, type RelyingParty, signedBy } from '../passkeys';
import { CHALLENGE_MINUTES, MOST_PASSKEYS } from '../rules';
import { lockedBy, tell } from './second-factors';
import { hasSecondFactor } from './totp';
import { lockUser } from './users';

// Passkeys of people who have an authenticator: with that goes what is here.

type Row = typeof passkeys.$inferSelect;

const shown = ({ id, createdAt, lastUsedAt }: Row): Passkey => ({
  id,
  createdAt: createdAt.toISOString(),
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
});

/** A person's passkeys as they are stored, the oldest first. */
export async function storedPasskeys(db: Database | Transaction, userId: string): Promise<Row[]> {
  return db.select().from(passkeys).where(eq(passkeys.userId, userId)).orderBy(asc(passkeys.id));
}

/** A person's passkeys, the oldest first. */
export async function listPasskeys(db: Database, userId: string): Promise<Passkey[]> {
  return (await storedPasskeys(db, userId)).map(shown);
}

/**
 * Whoever adds a passkey has shown the second factor that there is: otherwise a password and an open device were enough to be let in for good.
 * @throws ProblemError invalid_state, second_factor_required
 */
async function requireShown(tx: Transaction, userId: string, sessionId: string): Promise<void> {
  if (!(await hasSecondFactor(tx, userId)))
    throw new ProblemError('invalid_state', 'An authenticator app has to be set up first');
  const [session] = await tx
    .select({ secondFactor: userSessions.secondFactor })
    .from(userSessions)
    .where(eq(userSessions.id, sessionId));
  if (!session?.secondFactor)
    throw new ProblemError('second_factor_required', 'Sign in with the second factor that you have');
}

/**
 * What a browser makes a passkey by. `passwordHash` is what the person proved right before.
 * @throws ProblemError not_found; invalid_state without an authenticator; second_factor_required; conflict when there are as many as there may be;
 * validation_failed when the password was replaced meanwhile
 */
export async function startPasskey(
  db: Database,
  userId: string,
  { passwordHash, sessionId, party }: { passwordHash: string; sessionId: string; party: RelyingParty },
) {
  return db.transaction(async (tx) => {
    const user = await lockedBy(tx, userId, passwordHash);
    await requireShown(tx, userId, sessionId);
    const known = await storedPasskeys(tx, userId);
    if (known.length >= MOST_PASSKEYS)
      throw new ProblemError('conflict', `There are ${MOST_PASSKEYS} passkeys already`);
    const options = await creationOptions(party, user, known);
    const begun = {
      challenge: options.challenge,
      expiresAt: sql`now() + make_interval(mins => ${CHALLENGE_MINUTES})`,
    };
    await tx
      .insert(passkeyRegistrations)
      .values({ userId, ...begun })
      .onConflictDoUpdate({ target: passkeyRegistrations.userId, set: begun });
    return options;
  });
}

/**
 * Adds the passkey that was made for what was begun last.
 * @throws ProblemError invalid_state when nothing was begun within minutes, or without an authenticator; second_factor_required; validation_failed when
 * the credential does not answer it; conflict when it is known already
 */
export async function addPasskey(
  db: Database,
  userId: string,
  { credential, sessionId, party }: { credential: CreatedCredential; sessionId: string; party: RelyingParty },
): Promise<Passkey> {
  return db.transaction(async (tx) => {
    await lockUser(tx, userId);
    await requireShown(tx, userId, sessionId);
    const [begun] = await tx
      .delete(passkeyRegistrations)
      .where(and(eq(passkeyRegistrations.userId, userId), gt(passkeyRegistrations.expiresAt, sql`clock_timestamp()`)))
      .returning();
    if (!begun) throw new ProblemError('invalid_state', 'Nothing was begun within five minutes');
    const made = await createdPasskey(party, begun.challenge, credential);
    if (!made) throw notValid([{ path: 'credential', message: 'does not answer what was begun' }]);
    const [stored] = await tx
      .insert(passkeys)
      .values({ id: uuidv7(), userId, ...made })
      .onConflictDoNothing()
      .returning();
    if (!stored) throw new ProblemError('conflict', 'This passkey is known already');
    await tell(tx, userId, 'UserPasskeyAdded');
    return shown(stored);
  });
}

/** @throws ProblemError not_found, also for a stranger's */
export async function removePasskey(db: Database, userId: string, id: string): Promise<void> {
  await db.transaction(async (tx) => {
    await lockUser(tx, userId);
    const removed = await tx
      .delete(passkeys)
      .where(and(eq(passkeys.id, id), eq(passkeys.userId, userId)))
      .returning({ id: passkeys.id });
    if (removed.length === 0) throw new ProblemError('not_found');
    await tell(tx, userId, 'UserPasskeyRemoved');
  });
}

/** What a passkey has signed, and what it was to sign. */
export interface GivenPasskey {
  passkey: AssertedCredential;
  challenge: string | null;
  party: RelyingParty;
}

/** Takes what one of a person's passkeys has signed. The caller holds the user's lock. False when it is wrong. */
export async function takePasskey(
  tx: Transaction,
  userId: string,
  { passkey, challenge, party }: GivenPasskey,
): Promise<boolean> {
  const stored = (await storedPasskeys(tx, userId)).find(({ credentialId }) => credentialId === passkey.id);
  const counter = stored && challenge !== null ? await signedBy(party, challenge, stored, passkey) : undefined;
  if (!stored || counter === undefined) return false;
  await tx.update(passkeys).set({ counter, lastUsedAt: sql`now()` }).where(eq(passkeys.id, stored.id));
  return true;
}
