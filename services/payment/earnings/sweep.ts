import { isRetryable } from '../../../platform/problem';
import { askAgain } from '../charges/intent';
import { readPayment } from '../charges/store/payments';
import type { EarningsSwept } from '../contract';
import type { Till } from '../till';
import { type Due, dueEarnings, releaseDue, unknownEarnings } from './store';

/** So many shares one sweep makes payable, and so many payments it asks Stripe about; the next sweep goes on. */
const [MOST_RELEASED, MOST_ASKED] = [500, 20];

/**
 * Makes payable what is due. When Stripe has the money it says with its fee, a moment after the charge; a payment of which nobody knows that
 * yet comes after the others, and Stripe is asked about it first. Whoever does not answer is left alone until the next sweep.
 * @throws the first failure that asking again does not mend, once all others have had their turn
 */
export async function sweepEarnings(till: Till): Promise<EarningsSwept> {
  const swept = { released: 0, left: 0 };
  const failures: unknown[] = [];
  const sweep = async (all: readonly Due[], release: (due: Due) => Promise<boolean>) => {
    for (const [done, due] of all.entries()) {
      try {
        if (await release(due)) swept.released += 1;
      } catch (error) {
        if (isRetryable(error)) {
          swept.left += all.length - done;
          return;
        }
        failures.push(error);
      }
    }
  };
  await sweep(await dueEarnings(till.db, MOST_RELEASED), (due) => releaseDue(till.db, due));
  await sweep(await unknownEarnings(till.db, MOST_ASKED), async (due) => {
    await askAgain(till, await readPayment(till.db, due.id));
    return releaseDue(till.db, due);
  });
  if (failures.length > 0) throw failures[0];
  return swept;
}
