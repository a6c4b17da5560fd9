import type { Database } from '../../../../db/client';
import type { Settlement } from '../../../../kernel/saga-type';
import { payoutByHandEntries } from '../../ledger/rules';
import { post } from '../../ledger/store';
import { locked, postBack } from './at-stripe';
import { changePayout, type PayoutRow } from './payouts';

/**
 * Records that an operator has settled a payout by hand. `paid_elsewhere`: its payee has the money, by whatever way, and it is completed;
 * what Stripe still has of it is the platform's. `waived`: it is payable again, and what Stripe does not give back is the platform's loss.
 * Settled already, it stays as it is. @throws ProblemError not_found
 */
export async function settlePayoutByHand(db: Database, id: string, as: Settlement): Promise<PayoutRow> {
  return locked(db, id, async (tx, row) => {
    if (row.returnedAt || row.closedAs) return row;
    const { amount, currency, transferredAt, reversedAt, stripePayoutId } = row;
    const isAway = transferredAt !== null && reversedAt === null;
    const posting = { ...{ payoutId: id, kind: as, reference: id, currency } };
    if (as === 'paid_elsewhere') {
      if (!isAway) await post(tx, row, { ...posting, entries: payoutByHandEntries(amount, id) });
      return changePayout(tx, row, { status: 'completed', closedAs: as, now: ['stoppedAt', 'arrivedAt'] });
    }
    if (isAway) await post(tx, row, { ...posting, entries: payoutByHandEntries(-amount, id) });
    await postBack(tx, row);
    const status = stripePayoutId === null ? 'cancelled' : 'failed';
    return changePayout(tx, row, { status, closedAs: as, now: ['stoppedAt', 'returnedAt'] });
  });
}
