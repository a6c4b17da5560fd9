import { SWEEP_BATCH } from '../../../platform/saga-request';
import type { Swept } from '../../../platform/schemas';
import type { Sagas } from '../../../platform/temporal';
import { payoutSaga } from '../../../workflows/payout.api';
import { refundSaga } from '../../../workflows/refund.api';
import { refuseAbandonedPayments } from '../charges/store/requests';
import { markStarted as markPayoutStarted, unstartedPayouts } from '../payouts/store/payouts';
import { markStarted, unstartedRefunds } from '../refunds/store/refunds';
import { postWhatFailedBefore } from '../refunds/store/unposted';
import type { Till } from '../till';

/**
 * Sees to what was stored and never begun. A refund is started: it was promised, and reserves its amount until it is made. So is a payout. A direct
 * payment is refused: nobody is charged by a sweep. What the code of before left out of the ledger is posted.
 * @throws ProblemError upstream_unavailable when Temporal does not answer; what was started by then is noted
 */
export async function sweepPayments({ db }: Till, sagas: Sagas): Promise<Swept> {
  await postWhatFailedBefore(db, SWEEP_BATCH);
  const refused = await refuseAbandonedPayments(db, SWEEP_BATCH);
  const refunds = await unstartedRefunds(db, SWEEP_BATCH);
  for (const refund of refunds) {
    await sagas.start(refundSaga, refund);
    // Also one that ran already and never came to its first step, because it was ended from outside: that is an operator's.
    await markStarted(db, refund.refundId);
  }
  const payouts = await unstartedPayouts(db, SWEEP_BATCH);
  for (const { id: payoutId, payeeId } of payouts) {
    await sagas.start(payoutSaga, { payoutId, payeeId });
    await markPayoutStarted(db, payoutId);
  }
  const started = refunds.length + payouts.length;
  return { found: refused + started, started, refused };
}
