import { inTurn } from '../../../platform/in-turn';
import type { Sagas } from '../../../platform/temporal';
import type { PayoutsSwept } from '../contract';
import type { Till } from '../till';
import { findOut, refreshPayout } from './payout';
import { wakePayout } from './sagas';
import { settledInDoubt, takeUnwatched } from './store/payouts';

/** Stripe is asked about so many in one sweep: 14,400 a day, of a payout 23 times. The next sweep goes on. */
const MOST_ASKED = 20;

/**
 * Asks Stripe about what no saga asks any more: payouts that arrived, which their bank may have sent back without our hearing of it, and
 * what became of requests of those that an operator has settled. Whoever does not answer is left alone until their turn comes again.
 * @throws the first failure that asking again does not mend, once all others have had their turn
 */
export async function sweepPayouts(till: Till, sagas: Sagas): Promise<PayoutsSwept> {
  const swept = { asked: 0, returned: 0 };
  const doubtful = await inTurn(await settledInDoubt(till.db, MOST_ASKED), async (id) => {
    await findOut(till, id);
    swept.asked += 1;
  });
  const unwatched = await inTurn(await takeUnwatched(till.db, MOST_ASKED), async (id) => {
    const payout = await refreshPayout(till, id);
    if (payout.status === 'failed') {
      await wakePayout(sagas, payout);
      swept.returned += 1;
    }
    swept.asked += 1;
  });
  const failures = [...doubtful.failures, ...unwatched.failures];
  if (failures.length > 0) throw failures[0];
  return swept;
}
