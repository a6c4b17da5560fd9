import { createPayoutActivities } from '../../../activities/payout';
import { undoKeyOf } from '../../../kernel/step-key';
import { storePendingUser } from '../../../services/identity/store/sign-up';
import type { StepPlay } from '../local-steps';
import { openedPayout } from '../payout-scene';
import { newUser, uniqueEmail } from '../users';

/** One payout goes to the bank, another one is called off. */
export const play: StepPlay = async (stack, noted) => {
  const act = noted(createPayoutActivities(stack.clients));
  const payee = async () => {
    const user = newUser(uniqueEmail());
    const { userId } = await storePendingUser(stack.identity.database.db, { ...user, role: 'tutor' });
    return openedPayout(stack, { userId, email: user.email });
  };
  const { payoutId, service } = await payee();
  const key = (step: string) => `payout:${payoutId}/${step}`;
  await act.startPayout({ payoutId, key: key('open') });
  await act.checkPayout({ payoutId });
  await act.transferPayout({ payoutId, key: key('transfer') });
  await act.sendPayout({ payoutId, key: key('bank') });
  const [row] = await service.database.sql`select stripe_payout_id as id from payouts where id = ${payoutId}`;
  await stack.sandbox('POST', `/payouts/${row?.id}`, { to: 'paid' });
  await act.refreshPayout({ payoutId });
  await act.notifyPayout({ payoutId, news: 'completed', key: key('completed') });
  await stack.sandbox('POST', `/payouts/${row?.id}`, { to: 'failed', code: 'account_closed' });
  await act.refreshPayout({ payoutId });
  await act.returnPayout({ payoutId, key: key('return') });
  await act.notifyPayout({ payoutId, news: 'over', key: key('over') });

  const { payoutId: other } = await payee();
  await act.startPayout({ payoutId: other, key: `payout:${other}/open` });
  await act.reverseTransfer({ payoutId: other, key: undoKeyOf(`payout:${other}/transfer`) });
  await act.cancelPayout({ payoutId: other, reason: null, key: undoKeyOf(`payout:${other}/open`) });
};
