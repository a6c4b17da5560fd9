import { and, eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { type UserRole, users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { recordAct } from '../../../platform/audit';
import { appendEvent } from '../../../platform/outbox';
import { identityEvents } from '../events';
import { publishPerson } from './people';
import { dropSecondFactors, type Enrolment, enrol } from './second-factors';
import { hasSecondFactor } from './totp';

/** Who was made an admin, and the second factor that they got with it; undefined where they have one. */
export interface Granted {
  userId: string;
  enrolment: Enrolment | undefined;
}

/**
 * Makes an active user an admin. Nobody can register as one, so the first is made by whoever holds the database. Without a second factor an admin
 * may do nothing, so a person who has none gets one, sealed under `key`, and their sessions end. `anew`: another one, for who has lost theirs.
 * @throws ProblemError not_found when no active user has this address
 */
export async function grantAdmin(
  db: Database,
  email: string,
  { key, anew = false }: { key: Buffer; anew?: boolean },
): Promise<Granted> {
  return db.transaction(async (tx) => {
    const [user] = await tx
      .select({ id: users.id, email: users.email, role: users.role })
      .from(users)
      .where(and(sql`lower(${users.email}) = lower(${email})`, eq(users.status, 'active')))
      .for('update');
    if (!user) throw new ProblemError('not_found', 'No active user has this address');
    const userId = user.id;
    if (user.role !== 'admin') await makeAdmin(tx, user);
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
    ...{ reason: 'By whoever holds the database', before: {}, after: {} },
  });
}

async function makeAdmin(tx: Transaction, user: { id: string; role: UserRole }): Promise<void> {
  await tx.update(users).set({ role: 'admin', updatedAt: sql`now()` }).where(eq(users.id, user.id));
  await recordAct(tx, {
    ...{ adminId: null, act: 'role_changed', subject: { type: 'user', id: user.id } },
    ...{ reason: 'By whoever holds the database', before: { role: user.role }, after: { role: 'admin' } },
  });
  await appendEvent(tx, identityEvents, {
    streamId: user.id,
    type: 'UserRoleChanged',
    data: { userId: user.id, participantIds: [user.id], from: user.role, to: 'admin' },
  });
  await publishPerson(tx, user.id);
}
