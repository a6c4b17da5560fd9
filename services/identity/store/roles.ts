import { and, eq, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { users } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import { recordAct } from '../../../platform/audit';
import { appendEvent } from '../../../platform/outbox';
import { identityEvents } from '../events';
import { publishPerson } from './people';

/**
 * Makes an active user an admin. Nobody can register as one, so the first is made by whoever holds the database.
 * Access tokens issued before keep the old role until they expire.
 * @returns the user's id @throws ProblemError not_found when no active user has this address
 */
export async function grantAdmin(db: Database, email: string): Promise<string> {
  return db.transaction(async (tx) => {
    const [user] = await tx
      .select({ id: users.id, role: users.role })
      .from(users)
      .where(and(sql`lower(${users.email}) = lower(${email})`, eq(users.status, 'active')))
      .for('update');
    if (!user) throw new ProblemError('not_found', 'No active user has this address');
    if (user.role === 'admin') return user.id;
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
    return user.id;
  });
}
