import { ProblemError } from '../../../kernel/errors';
import type { Intent } from '../stripe/answers';
import { perform } from '../stripe/attempt';
import { closeWithoutEffect } from '../stripe/store';
import type { Till } from '../till';
import { isCancellable } from './rules';
import type { PaymentRow } from './store/payments';
import { beginStray, recordStrayCapture, recordStrayRefund } from './store/strays';

/**
 * Gives back an intent that bears a payment's id and is not the payment's own: made by a request that Stripe had
 * answered with a failure and completed later all the same (docs.stripe.com/error-low-level#server-errors), or found after
 * the payment was over. The intent is cancelled if it still can be, else refunded in full; the ledger shows its money coming and going.
 * @throws ProblemError refund_failed when Stripe refuses; rate_limited, upstream_unavailable
 */
export async function giveBackStray({ db, stripe }: Till, payment: PaymentRow, intent: Intent): Promise<void> {
  const stepKey = `stray:${intent.id}`;
  let now = intent;
  if (isCancellable(now)) {
    const attempt = await beginStray(db, payment.id, `${stepKey}/cancel`, 'cancel', intent.id);
    const outcome = await perform(attempt, {
      find: async () => {
        const found = await stripe.retrieveIntent(intent.id);
        return found && !isCancellable(found) ? found : null;
      },
      send: (key) => stripe.cancelIntent(key, intent.id),
      giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
    });
    await closeWithoutEffect(db, { attempt, outcome: outcome.kind === 'done' ? 'done' : 'refused' });
    now = (outcome.kind === 'done' ? outcome.value : await stripe.retrieveIntent(intent.id)) ?? now;
  }
  if (now.received === 0) return;
  await recordStrayCapture(db, payment.id, now);
  const [made] = await stripe.listRefunds(intent.id);
  if (made) return recordStrayRefund(db, payment.id, now, made);

  const attempt = await beginStray(db, payment.id, `${stepKey}/refund`, 'refund', intent.id);
  const outcome = await perform(attempt, {
    find: async () => (await stripe.listRefunds(intent.id))[0] ?? null,
    send: (key) =>
      stripe.createRefund(key, {
        intentId: intent.id,
        amount: { amount: now.received, currency: now.currency },
        paymentId: payment.id,
        refundId: null,
      }),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  await closeWithoutEffect(db, { attempt, outcome: outcome.kind === 'done' ? 'done' : 'refused' });
  if (outcome.kind !== 'done')
    throw new ProblemError('refund_failed', undefined, { extras: { paymentId: payment.id } });
  await recordStrayRefund(db, payment.id, now, outcome.value);
}
