import {
  allHandlersFinished,
  CancellationScope,
  condition,
  patched,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { PaymentActivities, PaymentSummary } from '../activities/payment';
import { MINUTE, SECOND } from '../kernel/time';
import { FORWARD_MONEY, LOCAL_CALL, UNTIL_DONE_DAYLONG } from './activity-options';
import { codeOf, refuse } from './failures';
import { localFirst } from './local-first';
import { PAYMENT_DEADLINE_MS, type PaymentInput, paymentChanged, paymentWorkflowId } from './payment.api';
import { createSaga } from './saga';
import { highestVersion } from './versions';

const money = proxyActivities<PaymentActivities>(FORWARD_MONEY);
const notifyPayment = localFirst(
  proxyLocalActivities<PaymentActivities>(LOCAL_CALL).notifyPayment,
  proxyActivities<PaymentActivities>(UNTIL_DONE_DAYLONG).notifyPayment,
);

/** Sagas that were begun before told nobody. */
const LATE_DECLINES_ARE_TOLD = 'late-declines-are-told';

/** Webhooks are the fast way; a lost one is found by asking Stripe, at first soon, then every two minutes. */
const FIRST_POLL_MS = 15 * SECOND;
const SLOWEST_POLL_MS = 2 * MINUTE;

export interface PaymentResult {
  outcome: 'paid' | 'failed';
  reason: string;
}

/** A direct payment from request to receipt: see `docs/sagas/payment.md`. */
export async function payment(input: PaymentInput): Promise<PaymentResult> {
  const { paymentId } = input;
  const saga = createSaga<PaymentActivities>();
  const chargeScope = new CancellationScope();
  const bank = { asked: false };
  const seenVersion = highestVersion(paymentChanged);
  CancellationScope.current().cancelRequested.catch(() => chargeScope.cancel());

  return CancellationScope.nonCancellable(async () => {
    try {
      await chargeScope.run(charge);
      if (chargeScope.consideredCancelled) throw refuse('invalid_state', 'Cancelled by an operator');
    } catch (error) {
      const reason = codeOf(error);
      saga.tell('Compensating', `Payment ${paymentId}: giving everything back (${reason}).`);
      const undone = await saga.undo();
      await tellLateDecline(reason);
      await undone?.done;
      saga.tell('Compensated', `Payment ${paymentId}: nothing is kept (${reason}).`);
      return { outcome: 'failed', reason };
    }
    saga.pivot();
    saga.tell(
      'Confirmed',
      `Payment ${paymentId} is taken. Releasing the earnings and sending the receipts.`,
      paymentId,
    );
    // What it is for has been delivered, and nobody here saw it: how long the money rests is payment's rule.
    await saga.forward('release-earnings', (act, key) => act.releaseEarnings({ paymentId, notBefore: null, key }), {
      money: true,
    });
    await notifyPayment({ paymentId, notice: 'paid', key: `payment:${paymentId}/paid` }).catch(() => undefined);
    saga.tell('Completed', `Payment ${paymentId} is settled.`);
    await condition(allHandlersFinished);
    return { outcome: 'paid', reason: 'paid' };
  });

  /** Whose bank asked them was answered before it was decided, and may not look again. */
  async function tellLateDecline(reason: string): Promise<void> {
    const isLate = bank.asked && (reason === 'payment_declined' || reason === 'payment_expired');
    if (isLate && patched(LATE_DECLINES_ARE_TOLD))
      await notifyPayment({ paymentId, notice: 'declined', key: `payment:${paymentId}/declined` }).catch(
        () => undefined,
      );
  }

  async function charge(): Promise<void> {
    saga.tell('Running', `Payment ${paymentId}: charging the card.`, paymentId);
    await saga.step('charge', {
      do: async (key) => {
        const charged = await money.chargeDirectPayment({ paymentId, key });
        if (charged.status === 'requires_action') {
          bank.asked = true;
          saga.tell('AwaitingPayment', `Payment ${paymentId}: waits for the payer to complete 3-D Secure.`);
        }
        return requirePaid(await awaitCustomerAction(charged, { key, seenVersion }));
      },
      undo: (act, key) => act.settleDirectPayment({ paymentId, key }),
      money: true,
      settled: (act, as) =>
        act.settleByHand({ paymentId, as, key: `${paymentWorkflowId(paymentId)}/settle-by-hand/undo` }),
    });
  }
}

/**
 * Waits until the customer has completed 3-D Secure: a webhook's signal or a poll, whichever is first. When the time is over
 * the PaymentIntent is cancelled first; if Stripe answers that it was authorised or paid meanwhile, that counts.
 */
export async function awaitCustomerAction(
  start: PaymentSummary,
  { key, seenVersion }: { key: string; seenVersion: () => number },
): Promise<PaymentSummary> {
  const deadline = Date.now() + PAYMENT_DEADLINE_MS;
  let now = start;
  let heard = 0;
  for (let poll = FIRST_POLL_MS; now.status === 'requires_action'; poll = Math.min(poll * 2, SLOWEST_POLL_MS)) {
    const left = deadline - Date.now();
    if (left <= 0)
      return money.abandonPayment({ paymentId: now.paymentId, bookingId: now.bookingId, key: `${key}/abandon` });
    const { paymentId, bookingId, version } = now;
    const known = Math.max(version, heard);
    await condition(() => seenVersion() > known, Math.min(poll, left));
    heard = seenVersion();
    now = await money.refreshPayment({ paymentId, bookingId, shownVersion: version });
  }
  return now;
}

const PAID: readonly PaymentSummary['status'][] = ['authorized', 'captured', 'partially_refunded', 'refunded'];

/** Whether the money is authorised or was taken: also what was given back meanwhile, as its payee may do at once. */
export function isPaid({ status }: PaymentSummary): boolean {
  return PAID.includes(status);
}

/** @throws ApplicationFailure payment_expired or payment_declined unless the money is authorised or was taken */
export function requirePaid(payment: PaymentSummary): PaymentSummary {
  if (isPaid(payment)) return payment;
  throw refuse(payment.status === 'failed' ? 'payment_declined' : 'payment_expired');
}
