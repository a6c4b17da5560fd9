import { and, type Column, desc, eq, inArray, lt, sql } from 'drizzle-orm';
import { unionAll } from 'drizzle-orm/pg-core';
import type { Database, Transaction } from '../../../db/client';
import { accountWords, profileWords, type Registration, userProfiles, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { listCursor } from '../../../platform/cursor';
import { type KeyedRequest, once, type StoredReply } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import { Uuid } from '../../../platform/schemas';
import type { InternalPerson, InternalUser, UpdateUserRequest, User, UserQuery } from '../contract';
import { identityEvents } from '../events';
import { userSearch } from '../rules';
import { publishPerson } from './people';

/** The user of an address, whatever the case of its letters. */
export const hasEmail = (email: string) => eq(sql`lower(${users.email})`, email.toLowerCase());

/** What login needs to know. `email` is a normalised address. */
export async function findByEmail(db: Database, email: string) {
  const [user] = await db
    .select({ id: users.id, role: users.role, status: users.status, passwordHash: users.passwordHash })
    .from(users)
    .where(hasEmail(email));
  return user;
}

/** Undefined when there is none: nothing remains of a sign-up that was undone. */
export async function findUser(db: Database, id: string): Promise<User | undefined> {
  const [row] = await selectUsers(db).where(eq(users.id, id));
  return row && toUser(row);
}

/** @throws ProblemError not_found */
export async function readUser(db: Database | Transaction, id: string): Promise<User> {
  return toUser(await readRow(db, id));
}

/** @throws ProblemError not_found */
export async function readInternalUser(db: Database, id: string): Promise<InternalUser> {
  return toInternal(await readRow(db, id));
}

/** @throws ProblemError not_found unless both exist */
export async function readPair(db: Database, firstId: string, secondId: string) {
  const rows = await selectUsers(db).where(inArray(users.id, [firstId, secondId]));
  const found = new Map(rows.map((row) => [row.id, toInternal(row)]));
  const [first, second] = [found.get(firstId), found.get(secondId)];
  if (!first || !second) throw new ProblemError('not_found');
  return { first, second };
}

/** The same two as others may see them. @throws ProblemError not_found unless both exist */
export async function readPeople(db: Database, firstId: string, secondId: string) {
  const { first, second } = await readPair(db, firstId, secondId);
  return { first: withoutAddress(first), second: withoutAddress(second) };
}

function withoutAddress({ id, firstName, lastName, timeZone, locale }: InternalUser): InternalPerson {
  return { id, firstName, lastName, timeZone, locale };
}

function toInternal(row: UserRow): InternalUser {
  const { id, email, role, status, emailVerified, profile } = toUser(row);
  const { firstName, lastName, timeZone, locale } = profile;
  return { id, email, role, status, emailVerified, firstName, lastName, timeZone, locale };
}

async function readRow(db: Database | Transaction, id: string): Promise<UserRow> {
  const [row] = await selectUsers(db).where(eq(users.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

type UserRow = Awaited<ReturnType<typeof selectUsers>>[number];

function selectUsers(db: Database | Transaction) {
  return db
    .select({
      id: users.id,
      email: users.email,
      role: users.role,
      status: users.status,
      emailVerifiedAt: users.emailVerifiedAt,
      createdAt: users.createdAt,
      avatarUrl: userProfiles.avatarUrl,
      firstName: known(userProfiles.firstName, 'firstName'),
      lastName: known(userProfiles.lastName, 'lastName'),
      timeZone: known(userProfiles.timeZone, 'timeZone'),
      locale: known(userProfiles.locale, 'locale'),
    })
    .from(users)
    .leftJoin(userProfiles, eq(userProfiles.userId, users.id))
    .$dynamic();
}

/** Until the saga has made the profile, what was registered stands for it; the table's check keeps one of the two. */
export function known(column: Column, field: keyof Registration) {
  return sql<string>`coalesce(${column}, ${users.registration} ->> ${field}::text)`;
}

function toUser({ emailVerifiedAt, createdAt, ...row }: UserRow): User {
  const { id, email, role, status, firstName, lastName, avatarUrl, timeZone, locale } = row;
  return {
    id,
    email,
    role,
    status,
    emailVerified: emailVerifiedAt !== null,
    profile: { firstName, lastName, avatarUrl, timeZone, locale },
    createdAt: createdAt.toISOString(),
  };
}

/** Where a page of users ends: at the id of its last one. Ids of users are in the order of their creation. */
const afterUser = listCursor(Uuid);

/** Users, newest first, from where `cursor` points. @throws ProblemError validation_failed for a cursor of another list */
export async function listUsers(
  db: Database,
  { q = '', role, status, cursor, limit }: UserQuery,
): Promise<{ items: User[]; nextCursor: string | null }> {
  const rows = await selectUsers(db)
    .where(
      and(
        q === '' ? undefined : inArray(users.id, foundBy(db, q)),
        role && eq(users.role, role),
        status && eq(users.status, status),
        cursor === undefined ? undefined : lt(users.id, afterUser.read(cursor)),
      ),
    )
    .orderBy(desc(users.id))
    .limit(limit + 1);
  // The last of the page, where there is more behind it.
  const [last] = rows.slice(limit - 1, -1);
  return { items: rows.slice(0, limit).map(toUser), nextCursor: last ? afterUser.write(last.id) : null };
}

/** The ids of those whom a search finds, of each table by its own index. */
function foundBy(db: Database, question: string) {
  const { names, account } = userSearch(question);
  const asQuery = (search: string) => sql`lower(${search}::text collate "pg_c_utf8")::tsquery`;
  const accounts = db
    .select({ id: users.id })
    .from(users)
    .where(sql`${accountWords(users)} @@ ${asQuery(account)}`);
  if (names === undefined) return accounts;
  const profiles = db
    .select({ id: userProfiles.userId })
    .from(userProfiles)
    .where(sql`${profileWords(userProfiles)} @@ ${asQuery(names)}`);
  return unionAll(accounts, profiles);
}

/** The user's row, locked until the transaction ends; undefined when there is none. */
export async function lockUser(tx: Transaction, id: string) {
  const [user] = await tx.select().from(users).where(eq(users.id, id)).for('update');
  return user;
}

/** Changes a user's own profile. @throws ProblemError not_found, idempotency_key_reused */
export async function updateProfile(
  db: Database,
  request: KeyedRequest | undefined,
  id: string,
  change: UpdateUserRequest,
): Promise<StoredReply<User>> {
  return once(db, request, async (tx) => {
    const user = await lockUser(tx, id);
    const [profile] = await tx
      .update(userProfiles)
      .set({ ...change, updatedAt: sql`now()` })
      .where(eq(userProfiles.userId, id))
      .returning({ userId: userProfiles.userId });
    if (!user || !profile) throw new ProblemError('not_found');
    await appendEvent(tx, identityEvents, {
      streamId: id,
      type: 'UserProfileUpdated',
      data: { userId: id, participantIds: [id] },
    });
    await publishPerson(tx, id);
    return { status: 200, body: await readUser(tx, id) };
  });
}
