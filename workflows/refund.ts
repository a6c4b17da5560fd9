import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
} from '@temporalio/workflow';
import type { RefundActivities } from '../activities/refund';
import { DAY, MINUTE } from '../kernel/time';
import { NOTICE, SERVICE_CALL, UNTIL_DONE_MONEY } from './activity-options';
import { type RefundInput, type RefundResult, refundChanged } from './refund.api';
import { createSaga } from './saga';

const money = proxyActivities<RefundActivities>(UNTIL_DONE_MONEY);
const local = proxyLocalActivities<RefundActivities>(SERVICE_CALL);
const mail = proxyLocalActivities<Pick<RefundActivities, 'notifyRefund'>>(NOTICE);

const FIRST_POLL_MS = MINUTE;
const SLOWEST_POLL_MS = DAY / 4;

/**
 * A refund from request to the money being back: see `docs/sagas/refund.md`. It has no undo: a refund that was promised is pursued
 * until Stripe has made it, or says for good that it cannot, which is an operator's business.
 */
export async function refund(input: RefundInput): Promise<RefundResult> {
  const { refundId, paymentId, bookingId } = input;
  const saga = createSaga();
  let seen = 0;
  setHandler(refundChanged, ({ version }) => {
    seen = Math.max(seen, version);
  });

  return CancellationScope.nonCancellable(async () => {
    saga.tell('Running', `Refund ${refundId} of payment ${paymentId}: asking Stripe.`, paymentId);
    for (let attempt = 1; ; attempt++) {
      const status = await pursue(attempt);
      if (status === 'succeeded') return finish(status, `Refund ${refundId} of payment ${paymentId} is made.`);
      // Stripe gives a failed refund's money back to the platform and does not try again: somebody is still owed it.
      const answer = await saga.askOperator('refund', 'Stripe could not make it, the customer is still owed the money');
      if (answer === 'accept')
        return finish(
          'failed',
          `Refund ${refundId} of payment ${paymentId} failed; an operator settled it by other means.`,
        );
    }
  });

  /** Hands the refund to Stripe and waits for what becomes of it. */
  async function pursue(attempt: number): Promise<RefundResult['status']> {
    let state = await saga.forward(`submit-${attempt}`, (key) => money.submitRefund({ refundId, key }));
    for (let poll = FIRST_POLL_MS; state?.status === 'pending'; poll = Math.min(poll * 2, SLOWEST_POLL_MS)) {
      saga.tell('Running', `Refund ${refundId} of payment ${paymentId}: Stripe has it; waits for the bank.`);
      const { version } = state;
      await condition(() => seen > version, poll);
      state = await saga.forward('refresh', () => money.refreshRefund({ refundId }));
    }
    if (bookingId) await saga.forward('record', (key) => local.recordRefund({ refundId, bookingId, key }));
    return state?.status === 'succeeded' ? 'succeeded' : 'failed';
  }

  async function finish(status: RefundResult['status'], sentence: string): Promise<RefundResult> {
    if (status === 'succeeded') {
      await mail.notifyRefund({ refundId, bookingId, key: `refund:${refundId}/succeeded` }).catch(() => undefined);
    }
    saga.tell('Completed', sentence);
    await condition(allHandlersFinished);
    return { status };
  }
}
