import { and, asc, eq, gt, ne, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { userProfiles, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import type { UserContact } from '../contract';
import { displayName } from '../rules';
import { known } from './users';

/** Where a person is reached. @throws ProblemError not_found */
export async function readContact(db: Database, userId: string): Promise<UserContact> {
  const [row] = await selectContacts(db).where(eq(users.id, userId));
  if (!row) throw new ProblemError('not_found');
  return toContact(row);
}

/**
 * Where people are reached, a page at a time, by their ids. Those whose sign-up is not done are left out: it may still be undone, and
 * nothing may remain then. `next` is null after the last page.
 */
export async function listContacts(
  db: Database,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<{ items: UserContact[]; next: string | null }> {
  const rows = await selectContacts(db)
    .where(and(ne(users.status, 'pending'), after === undefined ? undefined : gt(users.id, after)))
    .orderBy(asc(users.id))
    .limit(limit + 1);
  const items = rows.slice(0, limit).map(toContact);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next: last?.userId ?? null };
}

type Row = Awaited<ReturnType<typeof selectContacts>>[number];

function selectContacts(db: Database) {
  return db
    .select({
      userId: users.id,
      email: users.email,
      emailVerifiedAt: users.emailVerifiedAt,
      firstName: known(userProfiles.firstName, 'firstName'),
      lastName: known(userProfiles.lastName, 'lastName'),
      locale: known(userProfiles.locale, 'locale'),
      timeZone: known(userProfiles.timeZone, 'timeZone'),
      // A change of the profile changes no account, and of two states the newer one has to be known.
      asOf: sql<Date>`greatest(${users.updatedAt}, ${userProfiles.updatedAt})`.mapWith(users.updatedAt),
    })
    .from(users)
    .leftJoin(userProfiles, eq(userProfiles.userId, users.id))
    .$dynamic();
}

function toContact({ emailVerifiedAt, firstName, lastName, asOf, ...row }: Row): UserContact {
  return {
    ...row,
    emailVerified: emailVerifiedAt !== null,
    name: displayName({ firstName, lastName }),
    asOf: asOf.toISOString(),
  };
}
