import { eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { type EmailChangeStatus, emailChanges, loginAddresses, users } from '../../../../db/schema/identity';
import { ProblemError } from '../../../../kernel/errors';
import { DAY } from '../../../../kernel/time';
import { type KeyedRequest, once } from '../../../../platform/idempotency';
import { unlinkSince } from '../../oidc/store/identities';
import { EMAIL_CHANGE_HOURS, SUSPECT_DAYS } from '../../rules';
import { emailToken, hashToken } from '../../secrets';
import { setEmailChange, voidEmailChanges } from '../../store/email-changes';
import { replaceResets } from '../../store/passwords';
import { dropSecondFactorsSince } from '../../store/second-factors';
import { endSessions } from '../../store/sessions';
import { lockUser } from '../../store/users';
import type { LinkOfEmailChange } from '../contract';
import { openChanges } from './requests';

/** A change as stored, and the time by the database's clock. */
type Change = NonNullable<Awaited<ReturnType<typeof readChange>>>;

async function readChange(db: Database | Transaction, where: ReturnType<typeof eq>) {
  const [row] = await db
    .select({ change: emailChanges, now: sql<Date>`clock_timestamp()`.mapWith(emailChanges.createdAt) })
    .from(emailChanges)
    .where(where);
  return row && { ...row.change, now: row.now };
}

/** The change with this id and its user, both under the user's lock, which every change of either holds. @throws ProblemError not_found */
export async function lockChange(tx: Transaction, id: string) {
  const found = await readChange(tx, eq(emailChanges.id, id));
  const user = found && (await lockUser(tx, found.userId));
  const change = await readChange(tx, eq(emailChanges.id, id));
  if (!user || !change) throw new ProblemError('not_found');
  return { user, change };
}

/**
 * Saga step: the link that confirms a change, good for 24 hours; null once it is not to be confirmed any more. The token is derived from the step's key
 * and stored as a hash, so that a repetition holds the same link. @throws ProblemError not_found, undone
 */
export async function issueConfirmLink(
  db: Database,
  request: KeyedRequest,
  id: string,
  secret: Buffer,
): Promise<LinkOfEmailChange> {
  const tokenOf = (userId: string) => emailToken(secret, userId, request.key);
  const { body } = await once(db, request, async (tx) => {
    const { change } = await lockChange(tx, id);
    if (change.status !== 'asked') return { status: 200, body: null };
    const until = sql`clock_timestamp() + make_interval(hours => ${EMAIL_CHANGE_HOURS})`;
    const [issued] = await tx
      .update(emailChanges)
      .set({ confirmHash: hashToken(tokenOf(change.userId)), confirmUntil: until })
      .where(eq(emailChanges.id, id))
      .returning({ until: emailChanges.confirmUntil });
    return { status: 200, body: { userId: change.userId, until: issued?.until?.toISOString() ?? '' } };
  });
  return { link: linkOf(body, tokenOf) };
}

/**
 * Saga step: the link that takes a change back, good for as long as it can be; null where it cannot. As `issueConfirmLink`.
 * @throws ProblemError not_found
 */
export async function issueRevertLink(
  db: Database,
  request: KeyedRequest,
  id: string,
  secret: Buffer,
): Promise<LinkOfEmailChange> {
  const tokenOf = (userId: string) => emailToken(secret, userId, request.key);
  const { body } = await once(db, request, async (tx) => {
    const { change } = await lockChange(tx, id);
    if (change.status !== 'changed' || !change.revertUntil) return { status: 200, body: null };
    const revertHash = hashToken(tokenOf(change.userId));
    await tx.update(emailChanges).set({ revertHash }).where(eq(emailChanges.id, id));
    return { status: 200, body: { userId: change.userId, until: change.revertUntil.toISOString() } };
  });
  return { link: linkOf(body, tokenOf) };
}

/** What was stored of a link, with its token; a repetition finds nothing where there was none. */
function linkOf(
  stored: { userId: string; until: string } | null | undefined,
  tokenOf: (userId: string) => string,
): LinkOfEmailChange['link'] {
  return stored ? { userId: stored.userId, expiresAt: stored.until, token: tokenOf(stored.userId) } : null;
}

/** What a token of a link has come to: the same for a repetition, whose answer may have been lost. */
export interface Spent {
  id: string;
}

const CONFIRMED: readonly EmailChangeStatus[] = ['confirmed', 'changed', 'kept', 'taken'];
const REVERTED: readonly EmailChangeStatus[] = ['reverting', 'reverted'];

/** Spends the token that confirms a change. @throws ProblemError invalid_token when it is unknown, replaced, void or expired */
export async function confirmEmailChange(db: Database, token: string): Promise<Spent> {
  return spend(db, eq(emailChanges.confirmHash, hashToken(token)), async (tx, { id, status, confirmUntil, now }) => {
    if (!confirmUntil || confirmUntil <= now) return false;
    if (status === 'asked') await setEmailChange(tx, id, { status: 'confirmed' });
    return status === 'asked' || CONFIRMED.includes(status);
  });
}

/**
 * Spends the token that takes a change back. At once nobody is signed in any more, nor can be by the password, which whoever made the change knows;
 * Changes that were made later, and those that are not made yet, are void.
 * @throws ProblemError invalid_token when it is unknown, void or too late; conflict while a later change is being taken back
 */
export async function revertEmailChange(db: Database, token: string): Promise<Spent> {
  return spend(db, eq(emailChanges.revertHash, hashToken(token)), async (tx, change) => {
    const { id, userId, status, revertUntil, now } = change;
    if (!revertUntil || revertUntil <= now) return false;
    if (status !== 'changed') return REVERTED.includes(status);
    if ((await openChanges(tx, userId)).some((open) => open.status === 'reverting'))
      throw new ProblemError('conflict', 'A later change is being taken back; try again in a moment');
    await voidEmailChanges(tx, userId, change);
    await lockOut(tx, change);
    await setEmailChange(tx, id, { status: 'reverting' });
    return true;
  });
}

async function spend(
  db: Database,
  isMeant: ReturnType<typeof eq>,
  use: (tx: Transaction, change: Change) => Promise<boolean>,
): Promise<Spent> {
  return db.transaction(async (tx) => {
    const found = await readChange(tx, isMeant);
    if (!found) throw new ProblemError('invalid_token');
    const { change } = await lockChange(tx, found.id);
    if (!(await use(tx, change))) throw new ProblemError('invalid_token');
    return { id: change.id };
  });
}

/**
 * Ends all by which somebody is signed in, or can be without the mailbox of the account: the password, and what ways to sign in were added in the week
 * before the change was asked for or since. Older ones are the owner's, and are no way in for who has nothing but their old mailbox. The caller holds the
 * user's lock.
 */
export async function lockOut(
  tx: Transaction,
  { userId, createdAt }: { userId: string; createdAt: Date },
): Promise<void> {
  const since = new Date(createdAt.getTime() - SUSPECT_DAYS * DAY);
  await tx.update(users).set({ passwordHash: null, updatedAt: sql`now()` }).where(eq(users.id, userId));
  await unlinkSince(tx, userId, since);
  await dropSecondFactorsSince(tx, userId, since);
  await tx.delete(loginAddresses).where(eq(loginAddresses.userId, userId));
  await replaceResets(tx, userId);
  await endSessions(tx, userId, { reason: 'email_reverted' });
}
