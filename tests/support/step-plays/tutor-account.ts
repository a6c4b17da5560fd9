import { createTutorAccountActivities } from '../../../activities/tutor-account';
import { requestTutorAccount } from '../../../services/identity/store/tutor-accounts';
import type { StepPlay } from '../local-steps';
import { activeUser } from '../users';

/** A student becomes a tutor, but for what Stripe is asked. */
export const play: StepPlay = async (stack, noted) => {
  const { db } = stack.identity.database;
  const act = noted(createTutorAccountActivities(stack.clients));
  const userId = await activeUser(db);
  const requestId = await db.transaction((tx) => requestTutorAccount(tx, userId));
  const step = (name: string) => ({ requestId, userId, key: `tutor-account:${requestId}/${name}` });
  const undo = (name: string) => ({ requestId, userId, key: `tutor-account:${requestId}/${name}/undo` as const });
  await act.beginTutorAccount(step('begin'));
  await act.makeTutorProfile(step('profile'));
  await act.removeTutorProfile(undo('profile'));
  await act.refuseTutorAccount(undo('begin'));
};
