import type Stripe from 'stripe';
import { toStripe } from '../../../../kernel/currencies';
import type { Money } from '../../../../kernel/money';
import type { StripeRefund } from '../answers';
import { type Asking, isAnyAnswer } from './asking';
import { movementOf, refundOf } from './words';

/** The calls that give money back. */
export function refundCalls(stripe: Stripe, { answerOf, reading }: Asking) {
  return {
    createRefund: (
      key: string,
      params: { intentId: string; amount: Money; paymentId: string; refundId: string | null },
    ) =>
      // Stripe has many reasons not to refund, some without a code: each is an outcome, which a person or an operator sees.
      answerOf('createRefund', isAnyAnswer, async () =>
        refundOf(
          await stripe.refunds.create(
            {
              payment_intent: params.intentId,
              amount: toStripe(params.amount),
              metadata: { paymentId: params.paymentId, ...(params.refundId && { refundId: params.refundId }) },
              expand: ['balance_transaction'],
            },
            { idempotencyKey: key },
          ),
        ),
      ),

    /** All refunds of an intent, the newest first. */
    listRefunds: (intentId: string) =>
      reading('listRefunds', async () => {
        const found: StripeRefund[] = [];
        const list = stripe.refunds.list({
          payment_intent: intentId,
          limit: 100,
          expand: ['data.balance_transaction'],
        });
        for await (const refund of list) {
          const { failure_balance_transaction: back } = refund;
          const reversal = typeof back === 'string' ? await stripe.balanceTransactions.retrieve(back) : back;
          found.push({ ...refundOf(refund), reversal: movementOf(reversal) });
        }
        return found;
      }).then((found) => found ?? []),
  };
}
