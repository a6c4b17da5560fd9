import { and, eq, isNull, lt, ne, notInArray, or, type SQL, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import {
  accountMails,
  type EmailChangeStatus,
  emailAddresses,
  emailChanges,
  users,
} from '../../../../db/schema/identity';
import { ProblemError } from '../../../../kernel/errors';
import { type KeyedRequest, once, type UndoRequest, undoOnce } from '../../../../platform/idempotency';
import { uuidv7 } from '../../../../platform/ids';
import { appendEvent } from '../../../../platform/outbox';
import { identityEvents } from '../../events';
import { EMAIL_CHANGE_LEASE_SECONDS, EMAIL_REVERT_DAYS } from '../../rules';
import { setEmailChange } from '../../store/email-changes';
import { markVerified } from '../../store/email-verification';
import { replaceResets } from '../../store/passwords';
import { endSessions } from '../../store/sessions';
import type { EmailChange, EmailChangeAddresses, EmailChangeReverted } from '../contract';
import { lockChange, lockOut } from './links';

/** How a change stands. @throws ProblemError not_found */
export async function readEmailChange(db: Database, id: string): Promise<Pick<EmailChange, 'status'>> {
  const [row] = await db.select({ status: emailChanges.status }).from(emailChanges).where(eq(emailChanges.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** The two addresses of a change, for notification alone. @throws ProblemError not_found */
export async function readAddresses(db: Database, id: string): Promise<EmailChangeAddresses> {
  const [row] = await db
    .select({ userId: emailChanges.userId, from: emailChanges.fromEmail, to: emailChanges.toEmail })
    .from(emailChanges)
    .where(eq(emailChanges.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

/**
 * Saga step: how a change stands now, and until when it stays so by itself. What has run out is noted, and that the saga runs and knows it. It is
 * harmless twice. @throws ProblemError not_found
 */
export async function lookAtEmailChange(db: Database, id: string): Promise<EmailChange> {
  return db.transaction(async (tx) => {
    const { change } = await lockChange(tx, id);
    const { userId, confirmUntil, revertUntil, now } = change;
    let { status } = change;
    if (status === 'asked' && confirmUntil && confirmUntil <= now) status = 'expired';
    if (status === 'changed' && revertUntil && revertUntil <= now) status = 'kept';
    if (status !== change.status) await setEmailChange(tx, id, { status });
    if (status === 'kept') await releaseAddresses(tx, userId);
    await tx
      .update(emailChanges)
      .set({ heardStatus: status, sagaStartedAt: sql`coalesce(${emailChanges.sagaStartedAt}, now())` })
      .where(eq(emailChanges.id, id));
    const until = status === 'asked' ? confirmUntil : status === 'changed' ? revertUntil : null;
    return { status, until: until?.toISOString() ?? null };
  });
}

/** Undo of what asks for the confirmation: a change that is not made is not made any more. Harmless when there is none. */
export async function withdrawEmailChange(db: Database, request: UndoRequest, id: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    const { change } = await lockChange(tx, id);
    if (change.status === 'asked' || change.status === 'confirmed') await setByStep(tx, id, 'withdrawn');
    return { status: 204, body: null };
  });
}

/**
 * Saga step, the pivot: the account has the new address, which the link that was sent there has proven. Other sessions than the one that asked for it
 * end, and links for a new password that were sent to the address of before are void. That one is kept for the person while the change can be taken
 * back. @returns how the change stands: `taken`, and nothing is changed, when somebody else has the address
 */
export async function makeEmailChange(
  db: Database,
  request: KeyedRequest,
  id: string,
): Promise<Pick<EmailChange, 'status'>> {
  const { body } = await once(
    db,
    request,
    async (tx): Promise<{ status: number; body: Pick<EmailChange, 'status'> }> => {
      const { user, change } = await lockChange(tx, id);
      const { userId, toEmail, sessionId, now } = change;
      if (change.status !== 'confirmed') return { status: 200, body: { status: change.status } };
      if (!(await takeAddress(tx, toEmail, userId))) {
        await setByStep(tx, id, 'taken');
        return { status: 200, body: { status: 'taken' } };
      }
      await setAddress(tx, userId, toEmail, 'change');
      await (user.emailVerifiedAt ? prove(tx, userId) : markVerified(tx, userId, now));
      await replaceResets(tx, userId);
      await endSessions(tx, userId, { except: sessionId, reason: 'email_changed' });
      // An address that nobody has proven may be a stranger's, who is given no account for somebody's slip of the pen.
      const status = user.emailVerifiedAt ? 'changed' : 'kept';
      const revertUntil = sql`clock_timestamp() + make_interval(days => ${EMAIL_REVERT_DAYS})`;
      await setByStep(tx, id, status, status === 'changed' ? { revertUntil } : {});
      await releaseAddresses(tx, userId);
      return { status: 200, body: { status } };
    },
  );
  return body;
}

/**
 * Saga step: the account has the address of before again, nobody is signed in, and a mail by which a new password is set is asked for.
 * @returns how the change stands, and the request of that mail
 */
export async function takeEmailChangeBack(
  db: Database,
  request: KeyedRequest,
  id: string,
): Promise<EmailChangeReverted> {
  const { body } = await once(db, request, async (tx): Promise<{ status: number; body: EmailChangeReverted }> => {
    const { change } = await lockChange(tx, id);
    const { userId, fromEmail, status } = change;
    if (status !== 'reverting') return { status: 200, body: { status, mailId: null } };
    await setAddress(tx, userId, fromEmail, 'revert');
    await prove(tx, userId);
    await lockOut(tx, change);
    await setByStep(tx, id, 'reverted');
    await releaseAddresses(tx, userId);
    const mailId = uuidv7();
    await tx.insert(accountMails).values({ id: mailId, purpose: 'password_reset', userId });
    return { status: 200, body: { status: 'reverted', mailId } };
  });
  return body;
}

/** A step of its saga sets how a change stands, so that the saga knows. */
function setByStep(tx: Transaction, id: string, status: EmailChangeStatus, more: { revertUntil?: SQL } = {}) {
  return setEmailChange(tx, id, { status, heardStatus: status, ...more });
}

/** Takes an address for a user, after waiting for whoever is taking it. False when it is somebody else's, or kept for them. */
async function takeAddress(tx: Transaction, email: string, userId: string): Promise<boolean> {
  const address = sql`lower(${email}::text)`;
  await tx.insert(emailAddresses).values({ address, userId }).onConflictDoNothing();
  const [row] = await tx
    .select({ userId: emailAddresses.userId })
    .from(emailAddresses)
    .where(eq(emailAddresses.address, address));
  return row?.userId === userId;
}

async function setAddress(tx: Transaction, userId: string, email: string, by: 'change' | 'revert'): Promise<void> {
  await tx.update(users).set({ email, updatedAt: sql`now()` }).where(eq(users.id, userId));
  await appendEvent(tx, identityEvents, {
    streamId: userId,
    type: 'UserEmailChanged',
    data: { userId, participantIds: [userId], by },
  });
}

/** The address was proven before, and now another one was. */
async function prove(tx: Transaction, userId: string): Promise<void> {
  await tx.update(users).set({ emailVerifiedAt: sql`now()` }).where(eq(users.id, userId));
}

/** Lets others have what addresses are kept for a user and cannot come back to them. The caller holds the user's lock. */
async function releaseAddresses(tx: Transaction, userId: string): Promise<void> {
  await tx.delete(emailAddresses).where(
    and(
      eq(emailAddresses.userId, userId),
      ne(emailAddresses.address, sql`(select lower(email) from users where id = ${userId})`),
      sql`not exists (select from email_changes c where c.user_id = ${userId} and c.status in ('changed', 'reverting')
        and lower(c.from_email) = ${emailAddresses.address})`,
    ),
  );
}

/**
 * Changes whose saga has not begun, though whoever was to start it has had the time, those whose saga has not heard how they stand, and those that
 * it should have seen run out.
 */
export async function neglectedChanges(
  db: Database,
  atMost: number,
): Promise<{ id: string; begun: boolean; status: EmailChangeStatus }[]> {
  const { id, status, heardStatus, statusAt, sagaStartedAt, revertUntil } = emailChanges;
  const isLeft = lt(statusAt, sql`now() - make_interval(secs => ${EMAIL_CHANGE_LEASE_SECONDS})`);
  const isOver = lt(revertUntil, sql`now() - interval '1 hour'`);
  const rows = await db
    .select({ id, status, sagaStartedAt })
    .from(emailChanges)
    .where(or(and(sql`${heardStatus} is distinct from ${status}`, isLeft), and(eq(status, 'changed'), isOver)))
    .orderBy(statusAt)
    .limit(atMost);
  return rows.map((row) => ({ id: row.id, status: row.status, begun: row.sagaStartedAt !== null }));
}

/** Notes that the saga of a change was handed to Temporal for good. */
export async function markEmailChangeStarted(db: Database, id: string): Promise<void> {
  await db
    .update(emailChanges)
    .set({ sagaStartedAt: sql`now()` })
    .where(and(eq(emailChanges.id, id), isNull(emailChanges.sagaStartedAt)));
}

/** Deletes changes that were settled a month ago, and the addresses with them. */
export async function forgetOldEmailChanges(db: Database): Promise<void> {
  await db
    .delete(emailChanges)
    .where(
      and(
        notInArray(emailChanges.status, ['confirmed', 'changed', 'reverting']),
        lt(emailChanges.statusAt, sql`now() - interval '30 days'`),
      ),
    );
}
