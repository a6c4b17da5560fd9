import { ProblemError } from '../../../kernel/errors';
import type { Intent } from '../stripe/answers';
import { perform, type Till } from '../stripe/attempt';
import { isCancellable } from './rules';
import type { PaymentRow } from './store';

/**
 * Gives back an intent that bears a payment's id and is not the payment's own: made by a request that Stripe had
 * answered with a failure and completed later all the same (docs.stripe.com/error-low-level#server-errors), or found after
 * the payment was over. Cancelled if it still can be, else refunded in full; the ledger shows its money coming and going.
 * @throws ProblemError refund_failed when Stripe refuses; rate_limited, upstream_unavailable
 */
export async function giveBackStray(till: Till, payment: PaymentRow, intent: Intent): Promise<void> {
  const { payments, refunds, stripe } = till;
  const stepKey = `stray:${intent.id}`;
  let now = intent;
  if (isCancellable(now)) {
    const attempt = await payments.beginStray(payment.id, `${stepKey}/cancel`, 'cancel', intent.id);
    const outcome = await perform(attempt, {
      find: async () => {
        const found = await stripe.retrieveIntent(intent.id);
        return found && !isCancellable(found) ? found : null;
      },
      send: (key) => stripe.cancelIntent(key, intent.id),
      giveUp: () => payments.close({ attempt, outcome: 'nothing' }),
    });
    await payments.close({ attempt, outcome: outcome.kind === 'done' ? 'done' : 'refused' });
    now = (outcome.kind === 'done' ? outcome.value : await stripe.retrieveIntent(intent.id)) ?? now;
  }
  if (now.received === 0) return;
  await payments.recordStray(payment.id, now);
  const [made] = await stripe.listRefunds(intent.id);
  if (made) return refunds.recordStray(payment.id, now, made);

  const attempt = await payments.beginStray(payment.id, `${stepKey}/refund`, 'refund', intent.id);
  const outcome = await perform(attempt, {
    find: async () => (await stripe.listRefunds(intent.id))[0] ?? null,
    send: (key) =>
      stripe.createRefund(key, {
        intentId: intent.id,
        amount: now.received,
        paymentId: payment.id,
        refundId: null,
      }),
    giveUp: () => payments.close({ attempt, outcome: 'nothing' }),
  });
  await payments.close({ attempt, outcome: outcome.kind === 'done' ? 'done' : 'refused' });
  if (outcome.kind !== 'done')
    throw new ProblemError('refund_failed', undefined, { extras: { paymentId: payment.id } });
  await refunds.recordStray(payment.id, now, outcome.value);
}
