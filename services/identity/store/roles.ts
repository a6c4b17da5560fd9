import { and, asc, eq, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { type UserRole, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { recordAct } from '../../../platform/audit';
import { type KeyedRequest, once } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import { identityEvents } from '../events';
import { decideRole } from '../rules';
import { publishPerson } from './people';
import { dropSecondFactors, type Enrolment, enrol } from './second-factors';
import { endSessions } from './sessions';
import { hasSecondFactor } from './totp';
import { closeTutorAccount, readTutorAccount, requestTutorAccount } from './tutor-accounts';
import { hasEmail, lockUser } from './users';

/** What an administrator asks for. */
export interface RoleChange {
  userId: string;
  adminId: string;
  role: UserRole;
  reason: string;
}

/** Written out, so that it goes by the index of administrators. */
const isAdmin = sql`${users.role} = 'admin' and ${users.status} = 'active'`;

/**
 * Gives a person another role; their sessions have ended. Nothing happens to one who has it. For a student who becomes a tutor a request is stored
 * that a saga carries out, and is returned.
 * @throws ProblemError not_found; invalid_state; last_admin; forbidden to whoever is no administrator any more
 */
export async function changeRole(
  db: Database,
  { userId, adminId, role, reason }: RoleChange,
): Promise<{ requestId: string | null }> {
  return db.transaction(async (tx) => {
    const user = await lockAmongAdmins(tx, { userId, adminId, staysAdmin: role === 'admin' });
    if (user.status !== 'active') throw new ProblemError('invalid_state', 'The account is not active');
    const decision = decideRole(user.role, role, hasTutorAccount(user));
    if (decision === 'set') await giveRole(tx, user, role, { adminId, reason });
    if (decision !== 'open') return { requestId: null };
    await recordRole(tx, user, role, { adminId, reason });
    return { requestId: await requestTutorAccount(tx, userId) };
  });
}

/**
 * A user whom an administrator acts on, locked with all administrators in the order of their ids: all who take one away follow each other.
 * @throws ProblemError not_found; last_admin for one who would not stay an administrator; forbidden to whoever is none any more
 */
export async function lockAmongAdmins(
  tx: Transaction,
  { userId, adminId, staysAdmin }: { userId: string; adminId: string; staysAdmin: boolean },
): Promise<UserRow> {
  const locked = await tx
    .select()
    .from(users)
    .where(or(eq(users.id, userId), isAdmin))
    .orderBy(asc(users.id))
    .for('update');
  const user = locked.find(({ id }) => id === userId);
  if (!user) throw new ProblemError('not_found');
  const admins = locked.filter((other) => other.role === 'admin' && other.status === 'active');
  const [only, ...others] = admins;
  if (!staysAdmin && only?.id === userId && others.length === 0) throw new ProblemError('last_admin');
  if (!admins.some(({ id }) => id === adminId)) throw new ProblemError('forbidden');
  return user;
}

/**
 * Takes a person's own request to become a tutor. @returns the request that a saga carries out; null for who is one
 * @throws ProblemError not_found; invalid_state for an administrator
 */
export async function askTutorAccount(db: Database, userId: string): Promise<{ requestId: string | null }> {
  return db.transaction(async (tx) => {
    const user = await lockUser(tx, userId);
    if (!user) throw new ProblemError('not_found');
    if (user.role === 'admin') throw new ProblemError('invalid_state', 'Another administrator changes your role');
    const decision = decideRole(user.role, 'tutor', hasTutorAccount(user));
    return { requestId: decision === 'open' ? await requestTutorAccount(tx, userId) : null };
  });
}

/**
 * Saga step, the pivot: the person is a tutor, from the next refresh of their token on. Who was made an administrator meanwhile stays one,
 * and has what a tutor has. Nothing refuses it once all is opened. @throws ProblemError not_found, undone
 */
export async function becomeTutor(db: Database, request: KeyedRequest, requestId: string): Promise<void> {
  await once(db, request, async (tx) => {
    const { userId } = await readTutorAccount(tx, requestId);
    const user = await lockUser(tx, userId);
    if (!user) throw new ProblemError('not_found');
    if (user.role === 'student') await setRole(tx, user, 'tutor');
    if (user.role === 'admin') await tx.update(users).set({ wasTutor: true }).where(eq(users.id, userId));
    await closeTutorAccount(tx, requestId, 'opened');
    return { status: 204, body: undefined };
  });
}

/** Whether the person has in other contexts what a tutor has there. */
export const hasTutorAccount = ({ role, wasTutor }: UserRow) => role === 'tutor' || wasTutor;

/** Who was made an admin, and the second factor that they got with it; undefined where they have one. */
export interface Granted {
  userId: string;
  enrolment: Enrolment | undefined;
}

const BY_HOLDER = 'By whoever holds the database';

/**
 * Makes an active user an admin. Nobody can register as one, so the first is made by whoever holds the database. The person's sessions end. Without a
 * second factor an admin may do nothing, so a person who has none gets one, sealed under `key`. `anew`: another one, for who has lost theirs.
 * @throws ProblemError not_found when no active user has this address
 */
export async function grantAdmin(
  db: Database,
  email: string,
  { key, anew = false }: { key: Buffer; anew?: boolean },
): Promise<Granted> {
  return db.transaction(async (tx) => {
    const [user] = await tx
      .select()
      .from(users)
      .where(and(hasEmail(email), eq(users.status, 'active')))
      .for('update');
    if (!user) throw new ProblemError('not_found', 'No active user has this address');
    const userId = user.id;
    if (user.role !== 'admin') await giveRole(tx, user, 'admin', { adminId: null, reason: BY_HOLDER });
    const before = await hasSecondFactor(tx, userId);
    if (before && !anew) return { userId, enrolment: undefined };
    if (before) await replaceSecondFactor(tx, userId);
    return { userId, enrolment: await enrol(tx, user, key) };
  });
}

async function replaceSecondFactor(tx: Transaction, userId: string): Promise<void> {
  await dropSecondFactors(tx, userId);
  await recordAct(tx, {
    ...{ adminId: null, act: 'second_factor_replaced', subject: { type: 'user', id: userId } },
    ...{ reason: BY_HOLDER, before: {}, after: {} },
  });
}

type UserRow = typeof users.$inferSelect;
/** By whom, null: by whoever holds the database. */
interface Why {
  adminId: string | null;
  reason: string;
}

/** Sets the role for an administrator: no session goes on that was opened or refreshed by the role of before. */
async function giveRole(tx: Transaction, user: UserRow, to: UserRole, why: Why): Promise<void> {
  await setRole(tx, user, to);
  await endSessions(tx, user.id, { reason: 'role_changed' });
  await recordRole(tx, user, to, why);
}

async function recordRole(tx: Transaction, { id, role }: UserRow, to: UserRole, why: Why): Promise<void> {
  await recordAct(tx, {
    ...{ act: 'role_changed', subject: { type: 'user', id } },
    ...{ ...why, before: { role }, after: { role: to } },
  });
}

/** Sets the role and tells of it. The caller holds the user's lock. */
async function setRole(tx: Transaction, { id, role: from, wasTutor }: UserRow, to: UserRole): Promise<void> {
  await tx
    .update(users)
    .set({ role: to, wasTutor: wasTutor || from === 'tutor', updatedAt: sql`now()` })
    .where(eq(users.id, id));
  await appendEvent(tx, identityEvents, {
    streamId: id,
    type: 'UserRoleChanged',
    data: { userId: id, participantIds: [id], from, to },
  });
  await publishPerson(tx, id);
}
