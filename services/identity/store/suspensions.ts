import { and, eq, isNotNull, isNull, lt, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { suspensions, type UserStatus, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { recordAct } from '../../../platform/audit';
import { type KeyedRequest, once } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import type { Suspension } from '../contract';
import { identityEvents } from '../events';
import { SUSPENSION_LEASE_SECONDS } from '../rules';
import { publishPerson } from './people';
import { hasTutorAccount, lockAmongAdmins } from './roles';
import { endSessions } from './sessions';
import { lockUser } from './users';

// Who is kept out, from the act of an administrator on. A saga sees to what they have in other contexts.

type Row = typeof suspensions.$inferSelect;

/** What an administrator asks for. `until`: ISO; null: until one says otherwise. */
export interface NewSuspension {
  userId: string;
  adminId: string;
  reason: string;
  until: string | null;
}

/**
 * Keeps a person out: their sessions have ended, and none is opened. @throws ProblemError not_found; invalid_state unless they are active;
 * last_admin; forbidden to whoever is no administrator any more
 */
export async function suspend(db: Database, { userId, adminId, reason, until }: NewSuspension): Promise<Suspension> {
  return db.transaction(async (tx) => {
    const user = await lockAmongAdmins(tx, { userId, adminId, staysAdmin: false });
    if (user.status !== 'active') throw new ProblemError('invalid_state', `The account is ${user.status}`);
    const id = uuidv7();
    const stored = await tx
      .insert(suspensions)
      .values({ id, userId, until: until === null ? null : new Date(until) })
      .returning();
    await setStatus(tx, userId, 'suspended');
    await endSessions(tx, userId, { reason: 'suspended' });
    await recordAct(tx, {
      ...{ adminId, act: 'user_suspended', subject: { type: 'user', id: userId }, reason },
      ...{ before: { status: 'active' }, after: { status: 'suspended', until } },
    });
    await appendEvent(tx, identityEvents, {
      streamId: userId,
      type: 'UserSuspended',
      data: { userId, participantIds: [userId], suspensionId: id, until },
    });
    return shown(theOnly(stored));
  });
}

/** Lets a person in again before it is time. @throws ProblemError not_found; invalid_state unless they are suspended; forbidden */
export async function unsuspend(
  db: Database,
  { userId, adminId, reason }: Omit<NewSuspension, 'until'>,
): Promise<Suspension> {
  return db.transaction(async (tx) => {
    await lockAmongAdmins(tx, { userId, adminId, staysAdmin: true });
    const [open] = await tx
      .select({ id: suspensions.id })
      .from(suspensions)
      .where(and(eq(suspensions.userId, userId), isNull(suspensions.endedAt)));
    if (!open) throw new ProblemError('invalid_state', 'The account is not suspended');
    await recordAct(tx, {
      ...{ adminId, act: 'user_reinstated', subject: { type: 'user', id: userId }, reason },
      ...{ before: { status: 'suspended' }, after: { status: 'active' } },
    });
    return shown(await end(tx, open.id, userId));
  });
}

/** Saga step: the suspension is over, and its saga has heard so. Harmless when it is already. @throws ProblemError not_found */
export async function reinstate(db: Database, request: KeyedRequest, id: string): Promise<void> {
  await once(db, request, async (tx) => {
    const { userId } = await readRow(tx, id);
    await lockUser(tx, userId);
    if ((await readRow(tx, id)).endedAt === null) await end(tx, id, userId);
    await tx.update(suspensions).set({ heardEndAt: sql`now()` }).where(eq(suspensions.id, id));
    return { status: 204, body: undefined };
  });
}

/** Ends a suspension that is open; the caller holds the user's lock. */
async function end(tx: Transaction, id: string, userId: string): Promise<Row> {
  const ended = await tx.update(suspensions).set({ endedAt: sql`now()` }).where(eq(suspensions.id, id)).returning();
  await setStatus(tx, userId, 'active');
  await appendEvent(tx, identityEvents, {
    streamId: userId,
    type: 'UserReinstated',
    data: { userId, participantIds: [userId], suspensionId: id },
  });
  return theOnly(ended);
}

async function setStatus(tx: Transaction, userId: string, status: UserStatus): Promise<void> {
  await tx.update(users).set({ status, updatedAt: sql`now()` }).where(eq(users.id, userId));
  await publishPerson(tx, userId);
}

/** Saga step: how it stands; notes that the saga runs. @throws ProblemError not_found */
export async function lookAtSuspension(
  db: Database,
  id: string,
): Promise<{ tutor: boolean; until: string | null; over: boolean }> {
  return db.transaction(async (tx) => {
    await markSuspensionStarted(tx, id);
    const { userId, until, endedAt } = await readRow(tx, id);
    const user = theOnly(await tx.select().from(users).where(eq(users.id, userId)));
    return { tutor: hasTutorAccount(user), until: until?.toISOString() ?? null, over: endedAt !== null };
  });
}

/** Suspensions whose saga has not begun, though whoever was to start it has had the time. */
export async function unstartedSuspensions(
  db: Database,
  atMost: number,
): Promise<{ suspensionId: string; userId: string }[]> {
  return db
    .select({ suspensionId: suspensions.id, userId: suspensions.userId })
    .from(suspensions)
    .where(
      and(
        isNull(suspensions.sagaStartedAt),
        lt(suspensions.createdAt, sql`now() - make_interval(secs => ${SUSPENSION_LEASE_SECONDS})`),
      ),
    )
    .orderBy(suspensions.createdAt)
    .limit(atMost);
}

/** Suspensions that are over and whose saga has not heard so, though whoever was to tell it has had the time. */
export async function unheardEnds(db: Database, atMost: number): Promise<{ suspensionId: string; userId: string }[]> {
  return db
    .select({ suspensionId: suspensions.id, userId: suspensions.userId })
    .from(suspensions)
    .where(
      and(
        ...[isNull(suspensions.heardEndAt), isNotNull(suspensions.sagaStartedAt)],
        lt(suspensions.endedAt, sql`now() - make_interval(secs => ${SUSPENSION_LEASE_SECONDS})`),
      ),
    )
    .orderBy(suspensions.endedAt)
    .limit(atMost);
}

/** Notes that a suspension was handed to Temporal for good. */
export async function markSuspensionStarted(db: Database | Transaction, id: string): Promise<void> {
  await db
    .update(suspensions)
    .set({ sagaStartedAt: sql`now()` })
    .where(and(eq(suspensions.id, id), isNull(suspensions.sagaStartedAt)));
}

async function readRow(tx: Transaction, id: string): Promise<Row> {
  const [row] = await tx.select().from(suspensions).where(eq(suspensions.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

function shown({ id, userId, until, createdAt, endedAt }: Row): Suspension {
  return {
    ...{ id, userId, until: until?.toISOString() ?? null },
    ...{ createdAt: createdAt.toISOString(), endedAt: endedAt?.toISOString() ?? null },
  };
}
