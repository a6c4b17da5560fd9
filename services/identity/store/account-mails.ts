import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { accountMails, users } from '../../../db/schema/identity';
import { uuidv7 } from '../../../platform/ids';
import type { AccountMail, LinkOfMail } from '../contract';
import { listIdentities } from '../oidc/store/identities';
import { MAIL_LEASE_SECONDS, MAIL_WANTED_MINUTES } from '../rules';
import { issueReset } from './passwords';
import { issueEmailVerification } from './saga-steps';
import { hasEmail } from './users';

// Mails with a link that people ask for: what is stored of a request, and what the saga that sends the mail asks of it.

/**
 * Stores a request for a new password of whoever has the address. It is one statement, the same for every address: nobody learns from it or from
 * the time it takes whether there is an account. @returns the request's id
 */
export async function storeResetRequest(db: Database, email: string): Promise<string> {
  const id = uuidv7();
  const userId = sql`(select id from users where ${hasEmail(email)} and status = 'active')`;
  await db.insert(accountMails).values({ id, purpose: 'password_reset', userId });
  return id;
}

/** Stores a request for a link that proves the user's address. @returns the request's id */
export async function storeVerificationRequest(db: Database, userId: string): Promise<string> {
  const id = uuidv7();
  await db.insert(accountMails).values({ id, purpose: 'email_verification', userId });
  return id;
}

const isWanted = gt(accountMails.createdAt, sql`now() - make_interval(mins => ${MAIL_WANTED_MINUTES})`);

/** Requests whose saga has not begun, though whoever was to start it has had the time, and which are of use still. */
export async function unstartedMails(db: Database, atMost: number): Promise<string[]> {
  const rows = await db
    .select({ id: accountMails.id })
    .from(accountMails)
    .where(
      and(
        isNull(accountMails.sagaStartedAt),
        lt(accountMails.createdAt, sql`now() - make_interval(secs => ${MAIL_LEASE_SECONDS})`),
        isWanted,
      ),
    )
    .orderBy(accountMails.createdAt)
    .limit(atMost);
  return rows.map(({ id }) => id);
}

/** Notes that a request was handed to Temporal for good. */
export async function markMailStarted(db: Database, id: string): Promise<void> {
  await db
    .update(accountMails)
    .set({ sagaStartedAt: sql`now()` })
    .where(and(eq(accountMails.id, id), isNull(accountMails.sagaStartedAt)));
}

/** Saga step: what is to be sent, if anything. It notes that the saga runs, and changes nothing else. */
export async function beginMail(db: Database, id: string): Promise<AccountMail> {
  await markMailStarted(db, id);
  return { purpose: (await readWanted(db, id))?.purpose ?? null };
}

/** A request for a mail that is to be sent: none where nobody has the address, it is proven already, or it was asked for too long ago. */
async function readWanted(db: Database, id: string) {
  const [row] = await db
    .select({
      ...{ purpose: accountMails.purpose, userId: users.id, emailVerifiedAt: users.emailVerifiedAt },
      hasPassword: sql<boolean>`${users.passwordHash} is not null`,
    })
    .from(accountMails)
    .innerJoin(users, and(eq(users.id, accountMails.userId), eq(users.status, 'active')))
    .where(and(eq(accountMails.id, id), isWanted));
  return row?.purpose === 'email_verification' && row.emailVerifiedAt ? undefined : row;
}

/** What the tokens of links are derived with. */
export interface LinkKeys {
  reset: Buffer;
  verification: Buffer;
}

/**
 * Saga step: the link of a mail and to whom it goes; null where nothing is to be sent. With it the providers by which alone they sign
 * in. The reply is stored nowhere: the same `commandKey` derives the
 * same token again, for as long as its mail is wanted.
 */
export async function issueLink(db: Database, id: string, commandKey: string, keys: LinkKeys): Promise<LinkOfMail> {
  const wanted = await readWanted(db, id);
  if (!wanted) return { link: null };
  const { purpose, userId, hasPassword } = wanted;
  const issued =
    purpose === 'email_verification'
      ? await issueEmailVerification(db, userId, commandKey, keys.verification)
      : await issueReset(db, userId, commandKey, keys.reset);
  // What is linked to an address that is not proven, its first proof takes away.
  const identities = hasPassword || !wanted.emailVerifiedAt ? [] : await listIdentities(db, userId);
  return { link: { purpose, userId, ...issued, providers: identities.map(({ provider }) => provider) } };
}

/** Deletes requests of a month ago. */
export async function forgetOldMails(db: Database): Promise<void> {
  await db.delete(accountMails).where(lt(accountMails.createdAt, sql`now() - interval '30 days'`));
}
