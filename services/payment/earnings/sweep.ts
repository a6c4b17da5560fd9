import { inTurn } from '../../../platform/in-turn';
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
  let released = 0;
  const release = async (due: Due) => {
    if (await releaseDue(till.db, due)) released += 1;
  };
  const known = await inTurn(await dueEarnings(till.db, MOST_RELEASED), release);
  const unknown = await inTurn(await unknownEarnings(till.db, MOST_ASKED), async (due) => {
    await askAgain(till, await readPayment(till.db, due.id));
    await release(due);
  });
  const failures = [...known.failures, ...unknown.failures];
  if (failures.length > 0) throw failures[0];
  return { released, left: known.left + unknown.left };
}
