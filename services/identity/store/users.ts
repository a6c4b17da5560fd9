import { and, type Column, eq, inArray, isNull, lt, ne, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { emailVerifications, type Registration, userProfiles, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { announce } from '../../../platform/changes';
import { type KeyedRequest, once, type StoredReply, undoOnce } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import type { CreatedProfile, EmailVerification, InternalUser, UpdateUserRequest, User } from '../contract';
import { displayName, EMAIL_TOKEN_HOURS, provesEmail, SIGN_UP_LEASE_SECONDS } from '../rules';
import { emailToken, hashToken } from '../secrets';

/** A registration that owns a pending user. */
export interface Attempt {
  userId: string;
  attemptId: string;
}

export interface NewUser {
  email: string;
  passwordHash: string;
  role: 'student' | 'tutor';
  registration: Registration;
}

/**
 * Stores a pending user, or takes over one whose sign-up never started: same id, everything else new. The attempt owns
 * the row for as long as starting its saga may take; another registration of the address is refused meanwhile.
 * @throws ProblemError email_taken
 */
export async function storePendingUser(db: Database, input: NewUser): Promise<Attempt> {
  const attemptId = uuidv7();
  const values = {
    ...input,
    attemptId,
    attemptUntil: sql`clock_timestamp() + make_interval(secs => ${SIGN_UP_LEASE_SECONDS})`,
  };
  const insert = (tx: Transaction) =>
    tx
      .insert(users)
      .values({ id: uuidv7(), status: 'pending', ...values })
      .onConflictDoNothing()
      .returning({ id: users.id });
  const takeOver = (tx: Transaction) =>
    tx
      .update(users)
      .set({ ...values, createdAt: sql`now()`, updatedAt: sql`now()` })
      .where(
        and(
          hasEmail(input.email),
          eq(users.status, 'pending'),
          isNull(users.sagaStartedAt),
          lt(users.attemptUntil, sql`clock_timestamp()`),
        ),
      )
      .returning({ id: users.id });
  return db.transaction(async (tx) => {
    // The last try: the row that stood in the way of the first may have been removed before the second.
    const [row] = (await orNothing(insert(tx))) ?? (await orNothing(takeOver(tx))) ?? (await insert(tx));
    if (!row) throw new ProblemError('email_taken');
    return { userId: row.id, attemptId };
  });
}

async function orNothing<Row>(query: PromiseLike<Row[]>): Promise<Row[] | undefined> {
  const rows = await query;
  return rows.length > 0 ? rows : undefined;
}

/** Notes that the saga of an attempt runs: nobody takes the user over any more. False when the row is gone or another attempt's. */
export async function markSagaStarted(db: Database, { userId, attemptId }: Attempt): Promise<boolean> {
  const marked = await db
    .update(users)
    .set({ sagaStartedAt: sql`coalesce(${users.sagaStartedAt}, now())` })
    .where(and(eq(users.id, userId), eq(users.attemptId, attemptId)))
    .returning({ id: users.id });
  return marked.length > 0;
}

/** Gives a user up whose saga could not be started: the next registration of the address takes it over at once. */
export async function releaseAttempt(db: Database, { userId, attemptId }: Attempt): Promise<void> {
  await db
    .update(users)
    .set({ attemptUntil: sql`now() - interval '1 second'` })
    .where(and(eq(users.id, userId), eq(users.attemptId, attemptId)));
}

/** What a sign-up has come to. Nothing remains of one that was undone. */
export async function signUpState(db: Database, userId: string): Promise<'pending' | 'active' | 'removed'> {
  const [user] = await db.select({ status: users.status }).from(users).where(eq(users.id, userId));
  return user?.status ?? 'removed';
}

const hasEmail = (email: string) => eq(sql`lower(${users.email})`, email.toLowerCase());

/** What login needs to know. `email` is a normalised address. */
export async function findByEmail(db: Database, email: string) {
  const [user] = await db
    .select({ id: users.id, role: users.role, status: users.status, passwordHash: users.passwordHash })
    .from(users)
    .where(hasEmail(email));
  return user;
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
function known(column: Column, field: keyof Registration) {
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

async function lockUser(tx: Transaction, id: string) {
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
      .returning();
    if (!user || !profile) throw new ProblemError('not_found');
    // Names, zone and locale are what read models of other contexts keep of a person.
    await appendEvent(tx, {
      streamId: id,
      type: 'UserProfileUpdated',
      data: {
        userId: id,
        displayName: displayName(profile),
        avatarUrl: profile.avatarUrl,
        timeZone: profile.timeZone,
        locale: profile.locale,
      },
    });
    return { status: 200, body: await readUser(tx, id) };
  });
}

/** Saga step: makes the profile from what was registered. @throws ProblemError not_found, undone */
export async function createProfile(
  db: Database,
  request: KeyedRequest,
  id: string,
): Promise<StoredReply<CreatedProfile>> {
  return once(db, request, async (tx) => {
    const user = await lockUser(tx, id);
    if (!user) throw new ProblemError('not_found');
    if (user.registration) {
      await tx
        .insert(userProfiles)
        .values({ userId: id, ...user.registration })
        .onConflictDoNothing();
    }
    // The saga is running, whatever became of the registration that started it: nobody takes the row over from here on.
    await tx
      .update(users)
      .set({ sagaStartedAt: sql`coalesce(${users.sagaStartedAt}, now())` })
      .where(eq(users.id, id));
    const { profile, role } = await readUser(tx, id);
    return {
      status: 200,
      body: { displayName: displayName(profile), timeZone: profile.timeZone, locale: profile.locale, role },
    };
  });
}

/** Undo of createProfile. @throws ProblemError invalid_state for an active user */
export async function removeProfile(db: Database, request: KeyedRequest, id: string): Promise<StoredReply<undefined>> {
  return undoOnce(db, request, async (tx) => {
    refuseActive(await lockUser(tx, id));
    await tx.delete(userProfiles).where(eq(userProfiles.userId, id));
    return { status: 204, body: undefined };
  });
}

/**
 * Saga step, the pivot: from now on the person can log in. Other contexts learn of a user here and not at registration,
 * so that they never hear of one that is undone. @throws ProblemError not_found, undone; invalid_state without a profile
 */
export async function activateUser(
  db: Database,
  request: KeyedRequest,
  id: string,
): Promise<StoredReply<{ status: 'active' }>> {
  return once(db, request, async (tx) => {
    const user = await lockUser(tx, id);
    if (!user) throw new ProblemError('not_found');
    if (user.status === 'pending') {
      const [profile] = await tx.select().from(userProfiles).where(eq(userProfiles.userId, id));
      if (!profile) throw new ProblemError('invalid_state', 'The user has no profile yet');
      await tx
        .update(users)
        .set({ status: 'active', registration: null, updatedAt: sql`now()` })
        .where(eq(users.id, id));
      await appendEvent(tx, { streamId: id, type: 'UserRegistered', data: { userId: id, role: user.role } });
      await announce(tx, id);
    }
    return { status: 200, body: { status: 'active' } };
  });
}

/**
 * Undo of registering: nothing of the pending user remains, and the address can register again.
 * @throws ProblemError invalid_state for an active user
 */
export async function removeUser(db: Database, request: KeyedRequest, id: string): Promise<StoredReply<undefined>> {
  return undoOnce(db, request, async (tx) => {
    refuseActive(await lockUser(tx, id));
    await tx.delete(users).where(eq(users.id, id));
    await announce(tx, id);
    return { status: 204, body: undefined };
  });
}

function refuseActive(user: { status: string } | undefined): void {
  if (user?.status === 'active') throw new ProblemError('invalid_state', 'An active user is not undone');
}

/**
 * Issues a token that proves the user's e-mail address and replaces those that were not used. The reply is stored
 * nowhere: the same `commandKey` derives the same token again. @throws ProblemError not_found
 */
export async function issueEmailVerification(
  db: Database,
  id: string,
  commandKey: string,
  secretKey: Buffer,
): Promise<EmailVerification> {
  const token = emailToken(secretKey, id, commandKey);
  const tokenHash = hashToken(token);
  return db.transaction(async (tx) => {
    if (!(await lockUser(tx, id))) throw new ProblemError('not_found');
    const [issued] = await tx
      .insert(emailVerifications)
      .values({ tokenHash, userId: id, expiresAt: sql`now() + make_interval(hours => ${EMAIL_TOKEN_HOURS})` })
      .onConflictDoNothing()
      .returning();
    // A late repetition of an earlier command must not revive its token in place of a newer one.
    if (!issued) return { token, expiresAt: (await readVerification(tx, tokenHash)).expiresAt.toISOString() };
    await tx
      .update(emailVerifications)
      .set({ replacedAt: sql`now()` })
      .where(
        and(
          eq(emailVerifications.userId, id),
          ne(emailVerifications.tokenHash, tokenHash),
          isNull(emailVerifications.usedAt),
          isNull(emailVerifications.replacedAt),
        ),
      );
    return { token, expiresAt: issued.expiresAt.toISOString() };
  });
}

/** Spends a verification token. @throws ProblemError invalid_token when it is unknown, used, replaced or expired */
export async function verifyEmail(db: Database, token: string): Promise<void> {
  const tokenHash = hashToken(token);
  await db.transaction(async (tx) => {
    const stored = await readVerification(tx, tokenHash);
    const user = await lockUser(tx, stored.userId);
    // Read again under the user's lock, which every change of a verification holds.
    const { now, ...current } = await readVerification(tx, tokenHash);
    if (!user || !provesEmail(current, now)) throw new ProblemError('invalid_token');
    await tx.update(emailVerifications).set({ usedAt: now }).where(eq(emailVerifications.tokenHash, tokenHash));
    if (user.emailVerifiedAt) return;
    await tx.update(users).set({ emailVerifiedAt: now, updatedAt: now }).where(eq(users.id, user.id));
    await appendEvent(tx, { streamId: user.id, type: 'UserEmailVerified', data: { userId: user.id } });
  });
}

async function readVerification(tx: Transaction, tokenHash: string) {
  const [row] = await tx
    .select({
      userId: emailVerifications.userId,
      usedAt: emailVerifications.usedAt,
      replacedAt: emailVerifications.replacedAt,
      expiresAt: emailVerifications.expiresAt,
      now: sql<Date>`clock_timestamp()`.mapWith(emailVerifications.expiresAt),
    })
    .from(emailVerifications)
    .where(eq(emailVerifications.tokenHash, tokenHash));
  if (!row) throw new ProblemError('invalid_token');
  return row;
}

/** Deletes verification tokens that expired a month ago. */
export async function forgetOldVerifications(db: Database): Promise<void> {
  await db.delete(emailVerifications).where(lt(emailVerifications.expiresAt, sql`now() - interval '30 days'`));
}
