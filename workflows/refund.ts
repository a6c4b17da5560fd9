import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  executeChild,
  log,
  ParentClosePolicy,
  patched,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { PaymentActivities } from '../activities/payment';
import type { RefundActivities, RefundSummary } from '../activities/refund';
import type { OperatorAction, Settlement } from '../kernel/saga-type';
import { DAY, MINUTE } from '../kernel/time';
import { LOCAL_CALL, UNTIL_DONE_DAYLONG } from './activity-options';
import type { Calls } from './duties';
import { codeOf, orRefusal } from './failures';
import { localFirst } from './local-first';
import { type RefundInput, type RefundResult, refundChanged, refundSaga } from './refund.api';
import { createSaga, type Saga } from './saga';
import { highestVersion } from './versions';

const notifyRefund = localFirst(
  proxyLocalActivities<RefundActivities>(LOCAL_CALL).notifyRefund,
  proxyActivities<RefundActivities>(UNTIL_DONE_DAYLONG).notifyRefund,
);
const notifyRefundReturned = localFirst(
  proxyLocalActivities<RefundActivities>(LOCAL_CALL).notifyRefundReturned,
  proxyActivities<RefundActivities>(UNTIL_DONE_DAYLONG).notifyRefundReturned,
);
const notifyRefundWaits = localFirst(
  proxyLocalActivities<RefundActivities>(LOCAL_CALL).notifyRefundWaits,
  proxyActivities<RefundActivities>(UNTIL_DONE_DAYLONG).notifyRefundWaits,
);

/** Sagas that were begun before heard nothing while an operator was asked. */
const NEWS_WHILE_ASKED = 'news-while-asked';

const FIRST_POLL_MS = MINUTE;
const SLOWEST_POLL_MS = DAY / 4;

const WAITS_FOR_DECISION = "waits for the bank's decision about a dispute of the payment";

/** A refund that Stripe has made, or has failed to make. */
type Decided = RefundSummary & { status: RefundResult['status'] };

/**
 * A refund from request to the money being back: see `docs/sagas/refund.md`. It has no undo: a refund that was promised is pursued
 * until Stripe has made it, or an operator has settled it by other means.
 */
export async function refund(input: RefundInput): Promise<RefundResult> {
  const { refundId, paymentId, bookingId } = input;
  const about = `Refund ${refundId} of payment ${paymentId}`;
  const saga = createSaga<RefundActivities & GiveUp>();
  const toldVersion = highestVersion(refundChanged);
  const giveUp = givingUp(input);
  const byHand = { money: true, settled: giveUp };
  /** The latest try of which payer and payee are told that it waits for a bank, and the telling. */
  const wait = { told: 0, telling: new CancellationScope() };

  return CancellationScope.nonCancellable(async () => {
    saga.tell('Running', `${about}: asking Stripe.`, paymentId);
    let state = await saga.forward('submit-1', (act, key) => act.submitRefund({ refundId, key }), byHand);
    let lookedAt = 0;
    for (;;) {
      const decided = await untilDecided(state);
      if (!decided) return finish('failed', `${about}: an operator gave it up.`);
      if (bookingId)
        await saga.forward('record', (act, key) => act.recordRefund({ refundId, bookingId, key }), {
          local: () => true,
        });
      if (decided.status === 'succeeded') await tellPayer(decided);
      else {
        if (decided.returned) await tellOfReturn(decided);
        if (isOwed(decided)) {
          state = await tryAgain(decided);
          if (state) continue;
        }
      }

      const closed = await saga.forward('close', (act, key) => act.closeRefund({ refundId, as: decided.status, key }), {
        local: () => true,
      });
      if (decided.status === 'failed')
        return finish(
          'failed',
          isOwed(decided)
            ? `${about} failed; an operator settled it by other means.`
            : `${about} failed, and nobody is owed it any more: other refunds have taken its place, or it was given up.`,
        );
      // A bank may return it at the last moment, when no other saga would be started for it.
      const looked = Math.max(lookedAt, closed?.version ?? 0);
      if (!closed || (closed.status === 'succeeded' && toldVersion() <= looked))
        return finish('succeeded', `${about} is made.`);
      lookedAt = toldVersion();
      state = closed;
    }
  });

  /** Waits for what becomes of the refund at Stripe. Undefined when an operator gave it up. */
  async function untilDecided(start: RefundSummary | undefined): Promise<Decided | undefined> {
    const state = await follow(start, ({ status }) => status === 'pending');
    return state && { ...state, status: state.status === 'succeeded' ? 'succeeded' : 'failed' };
  }

  /**
   * Asks what becomes of the refund, soon after news and again and again, for as long as it `isOpen`. What waited for the end of a dispute is
   * handed to Stripe then. Undefined when an operator gave it up.
   */
  async function follow(
    start: RefundSummary | undefined,
    isOpen: (state: RefundSummary) => boolean,
  ): Promise<RefundSummary | undefined> {
    let state = start;
    let heard = 0;
    for (let poll = FIRST_POLL_MS; state && isOpen(state); poll = Math.min(poll * 2, SLOWEST_POLL_MS)) {
      const { version, disputed } = state;
      saga.tell('Running', `${about}: ${disputed ? WAITS_FOR_DECISION : 'Stripe has it; waits for the bank'}.`);
      if (disputed) tellOfWait(state);
      const known = Math.max(version, heard);
      await condition(() => toldVersion() > known, poll);
      heard = toldVersion();
      state = await saga.forward('refresh', (act) => act.refreshRefund({ refundId }), byHand);
      if (disputed && state?.status === 'pending' && !state.disputed)
        state = await saga.forward(`submit-${state.tries}`, (act, key) => act.submitRefund({ refundId, key }), byHand);
    }
    // It waits no more: nobody needs to hear that it does.
    wait.telling.cancel();
    return state;
  }

  /**
   * Stripe gives a failed refund's money back to the platform and never tries again: somebody is still owed it. An operator
   * decides whether it is made as a new one. A dispute is waited for first, because it makes refunds fail: after it one is made without asking.
   * Undefined when it was settled by other means.
   */
  async function tryAgain(failed: Decided): Promise<RefundSummary | undefined> {
    const number = failed.tries + 1;
    let trouble = 'Stripe could not make it, the customer is still owed the money';
    let asks = !failed.disputed;
    let { version } = failed;
    if (failed.disputed) {
      const state = await follow(failed, (now) => now.disputed === true && now.status === 'failed' && isOwed(now));
      if (state?.status !== 'failed' || !isOwed(state)) return state;
      version = state.version;
    }
    for (;;) {
      if (asks) {
        const said = await operatorOrNews(trouble, version);
        if (typeof said !== 'string') return said;
        if (said !== 'retry') return undefined;
      }
      asks = true;
      saga.tell('Running', `${about}: asking Stripe again, try ${number}.`);
      const answer = await saga.forward(
        `submit-${number}`,
        (act, key) => orRefusal(act.retryRefund({ refundId, number, key })),
        byHand,
      );
      if (typeof answer !== 'string') return answer;
      trouble =
        answer === 'refund_exceeds_payment'
          ? 'it was not made again: other refunds of the payment have used its amount, so the customer may have the money'
          : `it was not made again: ${answer}`;
    }
  }

  /**
   * What an operator says; or the refund, when news come before that which show that nobody is owed it any more. To make a stuck refund in
   * Stripe's dashboard is an answer too.
   */
  async function operatorOrNews(trouble: string, seen: number): Promise<OperatorAction | RefundSummary> {
    const operator: { said?: OperatorAction } = {};
    const asking = saga.askOperator('refund', trouble, giveUp).then((said) => {
      operator.said = said;
      // Nobody waits for it any more.
      saga.drop((name) => name === 'refresh');
    });
    for (let known = seen; ; ) {
      await condition(() => operator.said !== undefined || toldVersion() > known);
      if (operator.said !== undefined) return operator.said;
      known = toldVersion();
      if (!patched(NEWS_WHILE_ASKED)) continue;
      const now = await saga.forward('refresh', (act) => act.refreshRefund({ refundId }), byHand);
      if (!now || isOwed(now)) continue;
      saga.drop((name) => name === 'refund');
      await asking;
      return now;
    }
  }

  /** Once per try: of one that succeeded and came back the payer was told, and of the next one is told again. */
  async function tellPayer({ tries }: Decided): Promise<void> {
    const key = `refund:${refundId}/succeeded-${tries}`;
    await notifyRefund({ refundId, bookingId, key }).catch(() => undefined);
  }

  /** Once per try, too: who was told that money is on its way is told that it came back. */
  async function tellOfReturn({ tries }: Decided): Promise<void> {
    const key = `refund:${refundId}/returned-${tries}`;
    await notifyRefundReturned({ refundId, bookingId, key }).catch(() => undefined);
  }

  /** Once per try: both who wait for what the bank decides. Beside the wait, which no mail holds up. */
  function tellOfWait({ tries }: RefundSummary): void {
    if (wait.told >= tries) return;
    wait.told = tries;
    wait.telling = new CancellationScope();
    const key = `refund:${refundId}/waits-${tries}`;
    wait.telling.run(() => notifyRefundWaits({ refundId, bookingId, key })).catch(() => undefined);
  }

  async function finish(status: RefundResult['status'], sentence: string): Promise<RefundResult> {
    saga.tell('Completed', sentence);
    await condition(allHandlersFinished);
    return { status };
  }
}

/** Histories of before do not say whether a failed refund is owed: it was. */
function isOwed({ owed }: RefundSummary): boolean {
  return owed !== false;
}

type GiveUp = Pick<PaymentActivities, 'giveUpRefund'>;

/** An operator has settled the refund by hand: nothing of it stays reserved. */
function givingUp(input: RefundInput) {
  const { refundId } = input;
  const key = `${refundSaga.workflowId(input)}/by-hand`;
  return (act: Calls<GiveUp>, as: Settlement) => act.giveUpRefund({ refundId, as, key });
}

/**
 * Runs the refund as a saga of its own, `refund:<refundId>`, and waits for its end. One that was ended from outside asks an operator,
 * and is started again at the retry. An operator's accept ends the wait.
 */
export async function refundAsChild(saga: Saga<GiveUp>, input: RefundInput): Promise<void> {
  const { refundId } = input;
  const workflowId = refundSaga.workflowId(input);
  for (let said: OperatorAction = 'retry'; said === 'retry'; ) {
    try {
      await executeChild(refundSaga.workflowType, {
        args: [input],
        workflowId,
        taskQueue: refundSaga.taskQueue,
        staticSummary: refundSaga.summary(input),
        parentClosePolicy: ParentClosePolicy.ABANDON,
        searchAttributes: Object.fromEntries(
          Object.entries(refundSaga.searchAttributes(input)).map(([name, value]) => [name, [value].flat()]),
        ),
      });
      return;
    } catch (error) {
      // Started by somebody else already: it runs by itself, and the refund's row says what becomes of it.
      if (error instanceof WorkflowExecutionAlreadyStartedError) return;
      log.warn('the refund saga ended without a result', { refundId, code: codeOf(error) });
      said = await saga.askOperator('refund', `${workflowId} was ended from outside`, givingUp(input));
    }
  }
}
