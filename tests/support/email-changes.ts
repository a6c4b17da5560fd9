import { eq } from 'drizzle-orm';
import type { Database } from '../../db/client';
import { type EmailChangeStatus, emailChanges, users } from '../../db/schema/identity';
import { uuidv7 } from '../../platform/ids';
import {
  confirmEmailChange,
  issueConfirmLink,
  issueRevertLink,
  lockChange,
} from '../../services/identity/email-change/store/links';
import { storeEmailChange } from '../../services/identity/email-change/store/requests';
import { makeEmailChange, takeEmailChangeBack } from '../../services/identity/email-change/store/saga-steps';
import { setEmailChange } from '../../services/identity/store/email-changes';
import { markVerified } from '../../services/identity/store/email-verification';
import { activeUser, step, uniqueEmail } from './users';

// People of identity's store who change their address.

/** What `activeUser` signs up with. */
export const HASH = 'hash of Ada';

/** An active user whose address is known to be theirs. */
export async function provenUser(db: Database, email = uniqueEmail()): Promise<string> {
  const userId = await activeUser(db, email);
  await db.transaction((tx) => markVerified(tx, userId, new Date()));
  return userId;
}

/** Has a user ask for another address. @returns the request's id, theirs, and both addresses */
export async function askedChange(
  db: Database,
  { from = uniqueEmail(), to = uniqueEmail(), userId }: { from?: string; to?: string; userId?: string } = {},
) {
  const who = userId ?? (await provenUser(db, from));
  const asked = { email: to, currentHash: HASH, sessionId: uuidv7() };
  const stored = await storeEmailChange(db, who, asked);
  if (!stored) throw new Error('the password is another one');
  return { ...stored, userId: who, from, to, sessionId: asked.sessionId };
}

/** How a change stands. */
export async function changeOf(db: Database, requestId: string) {
  const [row] = await db.select().from(emailChanges).where(eq(emailChanges.id, requestId));
  if (!row) throw new Error('there is no such change');
  return row;
}

/** The account of a user. */
export async function accountOf(db: Database, userId: string) {
  const [row] = await db.select().from(users).where(eq(users.id, userId));
  if (!row) throw new Error('there is no such user');
  return row;
}

/** Lets a change stand so, whatever it stood as. */
export async function setStanding(db: Database, requestId: string, status: EmailChangeStatus): Promise<void> {
  await db.transaction(async (tx) => {
    await lockChange(tx, requestId);
    await setEmailChange(tx, requestId, { status });
  });
}

const SECRET = Buffer.alloc(32);

/** The token of the link that confirms a change. */
export async function confirmToken(db: Database, requestId: string): Promise<string> {
  const { link } = await issueConfirmLink(db, step(`email-change:${requestId}/ask`), requestId, SECRET);
  return link?.token ?? '';
}

/** The token of the link that takes a change back. */
export async function revertToken(db: Database, requestId: string): Promise<string> {
  const { link } = await issueRevertLink(db, step(`email-change:${requestId}/tell`), requestId, SECRET);
  return link?.token ?? '';
}

/** Has an account get its new address; how the change stands then. */
export async function makeChange(db: Database, requestId: string): Promise<string> {
  const { status } = await makeEmailChange(db, step(`email-change:${requestId}/make`), requestId);
  return status;
}

/** A change that is asked for, confirmed and made. */
export async function madeChange(db: Database, who: Parameters<typeof askedChange>[1] = {}) {
  const asked = await askedChange(db, who);
  await confirmEmailChange(db, await confirmToken(db, asked.requestId));
  await makeChange(db, asked.requestId);
  return asked;
}

/** Has an account get its address of before again; how the change stands then. */
export async function takeBack(db: Database, requestId: string) {
  return takeEmailChangeBack(db, step(`email-change:${requestId}/take-back`), requestId);
}
