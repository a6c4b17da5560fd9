import { eq } from 'drizzle-orm';
import { createSuspensionActivities } from '../../../activities/suspension';
import { users } from '../../../db/schema/identity';
import { suspend } from '../../../services/identity/store/suspensions';
import type { StepPlay } from '../local-steps';
import { activeUser } from '../users';

/** Somebody is kept out and let in again. */
export const play: StepPlay = async (stack, noted) => {
  const { db } = stack.identity.database;
  const act = noted(createSuspensionActivities(stack.clients));
  const [userId, adminId] = [await activeUser(db), await activeUser(db)];
  await db.update(users).set({ role: 'admin' }).where(eq(users.id, adminId));
  const { id: suspensionId } = await suspend(db, { userId, adminId, reason: 'Played by a test', until: null });
  const step = (name: string) => ({ suspensionId, userId, key: `suspension:${suspensionId}/${name}` });
  await act.lookAtSuspension(step('look'));
  await act.unlistTutor(step('unlist'));
  await act.freezePayouts(step('freeze'));
  await act.withdrawSessions(step('withdraw'));
  await act.reinstateUser(step('reinstate'));
  await act.thawPayouts(step('thaw'));
  await act.relistTutor(step('relist'));
};
