import { and, eq, inArray, isNull, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { type Registration, userIdentities, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { SIGN_UP_LEASE_SECONDS } from '../rules';
import { hasEmail } from './users';

/** A registration that owns a pending user. */
export interface PendingSignUp {
  userId: string;
  attemptId: string;
}

export interface NewUser {
  email: string;
  /** Null: they sign in at a provider, by `identity`. */
  passwordHash: string | null;
  role: 'student' | 'tutor';
  registration: Registration;
  identity?: { provider: string; issuer: string; subject: string; email: string | null } | undefined;
  /** Whether the provider says that the address is theirs. */
  isEmailProven?: boolean;
}

/**
 * Stores a pending user, or takes over one whose sign-up never started: same id, everything else new. The
 * registration owns the row for as long as starting its saga may take. Another registration of the address is refused
 * meanwhile.
 * @throws ProblemError email_taken; conflict when the sign-in at a provider is known already
 */
export async function storePendingUser(
  db: Database,
  { identity, isEmailProven = false, ...input }: NewUser,
): Promise<PendingSignUp> {
  const attemptId = uuidv7();
  const values = {
    ...input,
    attemptId,
    emailVerifiedAt: isEmailProven ? sql`now()` : null,
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
    await replaceIdentity(tx, row.id, identity);
    return { userId: row.id, attemptId };
  });
}

/** What a registration before had by which its person would sign in is gone. @throws ProblemError conflict when the sign-in is known already */
async function replaceIdentity(tx: Transaction, userId: string, identity: NewUser['identity']): Promise<void> {
  await tx.delete(userIdentities).where(eq(userIdentities.userId, userId));
  if (!identity) return;
  const added = await tx
    .insert(userIdentities)
    .values({ id: uuidv7(), userId, ...identity })
    .onConflictDoNothing()
    .returning({ id: userIdentities.id });
  if (added.length === 0) throw new ProblemError('conflict', 'This sign-in has an account already');
}

async function orNothing<Row>(query: PromiseLike<Row[]>): Promise<Row[] | undefined> {
  const rows = await query;
  return rows.length > 0 ? rows : undefined;
}

/**
 * Notes that the saga of a sign-up runs: nobody takes the user over any more. False when the row is gone or belongs to
 * another registration.
 */
export async function markSagaStarted(db: Database, { userId, attemptId }: PendingSignUp): Promise<boolean> {
  const marked = await db
    .update(users)
    .set({ sagaStartedAt: sql`coalesce(${users.sagaStartedAt}, now())` })
    .where(and(eq(users.id, userId), eq(users.attemptId, attemptId)))
    .returning({ id: users.id });
  return marked.length > 0;
}

/** Registrations whose saga has not begun, though the request that was to start it is over, and what each is started with. */
export async function unstartedSignUps(
  db: Database,
  atMost: number,
): Promise<{ userId: string; role: NewUser['role'] }[]> {
  const rows = await db
    .select({ userId: users.id, role: users.role })
    .from(users)
    .where(
      and(
        eq(users.status, 'pending'),
        isNull(users.sagaStartedAt),
        lt(users.attemptUntil, sql`clock_timestamp()`),
        inArray(users.role, ['student', 'tutor']),
      ),
    )
    .orderBy(users.attemptUntil)
    .limit(atMost);
  return rows.map(({ userId, role }) => ({ userId, role: role === 'tutor' ? 'tutor' : 'student' }));
}

/** Notes that a sign-up was handed to Temporal for good, whoever owns the row by now. */
export async function markHandedOver(db: Database, userId: string): Promise<void> {
  await db
    .update(users)
    .set({ sagaStartedAt: sql`now()` })
    .where(and(eq(users.id, userId), isNull(users.sagaStartedAt)));
}

/** Gives up a user whose saga could not be started: the next registration of the address takes the user over at once. */
export async function releasePendingUser(db: Database, { userId, attemptId }: PendingSignUp): Promise<void> {
  await db
    .update(users)
    .set({ attemptUntil: sql`now() - interval '1 second'` })
    .where(and(eq(users.id, userId), eq(users.attemptId, attemptId)));
}
