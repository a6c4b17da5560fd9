import { ERROR_CODES, ProblemError } from '../../../kernel/errors';
import { askAgain } from '../charges/intent';
import { readPayment } from '../charges/store/payments';
import type { EarningsSwept } from '../contract';
import type { Till } from '../till';
import { type Due, dueEarnings, releaseDue, unknownEarnings } from './store';

/** So many shares one sweep makes payable, and so many payments it asks Stripe about; the next sweep goes on. */
const [MOST_RELEASED, MOST_ASKED] = [500, 20];

/**
 * Makes payable what is due. When Stripe has the money it says with its fee, a moment after the charge; of a payment of which nobody knows
 * that yet it is asked first. While it cannot be asked such payments are left to the next sweep, and hold up no others.
 */
export async function sweepEarnings(till: Till): Promise<EarningsSwept> {
  let released = 0;
  const releaseAll = async (all: readonly Due[]) => {
    for (const due of all) if (await releaseDue(till.db, due)) released += 1;
  };
  await releaseAll(await dueEarnings(till.db, MOST_RELEASED));
  const unknown = await unknownEarnings(till.db, MOST_ASKED);
  const asked = await askedUntilAway(till, unknown);
  await releaseAll(asked);
  return { released, left: unknown.length - asked.length };
}

/** Asks Stripe about payments, until it does not answer. @returns those about which it did */
async function askedUntilAway(till: Till, unknown: readonly Due[]): Promise<Due[]> {
  const asked: Due[] = [];
  for (const due of unknown) {
    try {
      await askAgain(till, await readPayment(till.db, due.id));
      asked.push(due);
    } catch (error) {
      if (!(error instanceof ProblemError) || !ERROR_CODES[error.code].retryable) throw error;
      break;
    }
  }
  return asked;
}
