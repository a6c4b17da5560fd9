import { uuidv7 } from '../../../platform/ids';
import { paymentContract as payment } from '../../../services/payment/contract';
import { openedPayout } from '../payout-scene';
import type { SagaStack } from '../saga-stack';
import type { Pair } from '../undo';
import { uniqueEmail } from '../users';

export const PAIRS: Record<string, Pair> = {
  'payout: open': {
    step: payment.startPayout,
    undo: payment.cancelPayout,
    async prepare(stack) {
      const { service, params, left } = await scene(stack);
      const undoes = { params, body: { reason: null } };
      const still = (states: unknown[]) => states.filter((state) => state !== 'cancelled');
      return {
        ...{ service, key: `payout:${params.id}/open`, does: { params }, undoes },
        left: async () => still(await left('status')),
      };
    },
  },
  'payout: transfer': {
    step: payment.transferPayout,
    undo: payment.reverseTransfer,
    async prepare(stack) {
      const { service, params, left } = await scene(stack);
      return {
        ...{ service, key: `payout:${params.id}/transfer`, does: { params }, undoes: { params } },
        left: () => left("case when transferred_at is not null and reversed_at is null then 'at the account' end"),
      };
    },
  },
};

export const FORWARD_ONLY: Record<string, string> = {
  sendPayout: 'the pivot: what the bank has nobody takes back',
  returnPayout: 'after the pivot, final',
  settlePayoutByHand: 'an operator’s last word',
};

async function scene(stack: SagaStack) {
  const { service, payoutId: id } = await openedPayout(stack, { userId: uuidv7(), email: uniqueEmail() });
  const { sql } = service.database;
  /** What is left of it: `what` of its row, and of its ledger that does not balance. */
  async function left(what: string): Promise<unknown[]> {
    const rows = await sql.unsafe<{ is: string | null }[]>(`select ${what} as is from payouts where id = $1`, [id]);
    return rows.flatMap(({ is }) => is ?? []);
  }
  return { service, params: { id }, left };
}
