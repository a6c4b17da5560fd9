import { and, eq, isNull, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { type TutorAccountStatus, tutorAccounts } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { announce } from '../../../platform/changes';
import { type KeyedRequest, once, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { TUTOR_ACCOUNT_LEASE_SECONDS } from '../rules';

// Requests to become a tutor: what is stored of one, and what the saga that opens the account asks of it.

/** Stores a request of a student, or finds the one that is under way. The caller holds the user's lock. @returns the request's id */
export async function requestTutorAccount(tx: Transaction, userId: string): Promise<string> {
  const [pending] = await tx
    .select({ id: tutorAccounts.id })
    .from(tutorAccounts)
    .where(and(eq(tutorAccounts.userId, userId), eq(tutorAccounts.status, 'pending')));
  if (pending) return pending.id;
  const id = uuidv7();
  await tx.insert(tutorAccounts).values({ id, userId });
  return id;
}

/** What became of a request. @throws ProblemError not_found */
export async function readTutorAccount(
  db: Database | Transaction,
  id: string,
): Promise<{ userId: string; status: TutorAccountStatus }> {
  const [row] = await db
    .select({ userId: tutorAccounts.userId, status: tutorAccounts.status })
    .from(tutorAccounts)
    .where(eq(tutorAccounts.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** Requests whose saga has not begun, though whoever was to start it has had the time. */
export async function unstartedTutorAccounts(
  db: Database,
  atMost: number,
): Promise<{ requestId: string; userId: string }[]> {
  return db
    .select({ requestId: tutorAccounts.id, userId: tutorAccounts.userId })
    .from(tutorAccounts)
    .where(
      and(
        isNull(tutorAccounts.sagaStartedAt),
        eq(tutorAccounts.status, 'pending'),
        lt(tutorAccounts.createdAt, sql`now() - make_interval(secs => ${TUTOR_ACCOUNT_LEASE_SECONDS})`),
      ),
    )
    .orderBy(tutorAccounts.createdAt)
    .limit(atMost);
}

/** Notes that a request was handed to Temporal for good. */
export async function markTutorAccountStarted(db: Database | Transaction, id: string): Promise<void> {
  await db
    .update(tutorAccounts)
    .set({ sagaStartedAt: sql`now()` })
    .where(and(eq(tutorAccounts.id, id), isNull(tutorAccounts.sagaStartedAt)));
}

/** Saga step: notes that the saga runs. @throws ProblemError not_found, undone */
export async function beginTutorAccount(db: Database, request: KeyedRequest, id: string): Promise<void> {
  await once(db, request, async (tx) => {
    await readTutorAccount(tx, id);
    await markTutorAccountStarted(tx, id);
    return { status: 204, body: undefined };
  });
}

/** Undo of asking: the person stays what they are, and can ask again. Harmless when the person is gone. @throws ProblemError invalid_state when the account was opened */
export async function refuseTutorAccount(db: Database, request: UndoRequest, id: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    await closeTutorAccount(tx, id, 'refused');
    return { status: 204, body: undefined };
  });
}

/** Says what became of a request, and tells whoever waits for it. @throws ProblemError invalid_state when another thing became of it */
export async function closeTutorAccount(tx: Transaction, id: string, status: 'opened' | 'refused'): Promise<void> {
  const [request] = await tx.select().from(tutorAccounts).where(eq(tutorAccounts.id, id)).for('update');
  if (request && request.status !== 'pending' && request.status !== status)
    throw new ProblemError('invalid_state', `The request was ${request.status} before`);
  await tx.update(tutorAccounts).set({ status }).where(eq(tutorAccounts.id, id));
  await announce(tx, id);
}
