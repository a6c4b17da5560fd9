import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { PayoutActivities, PayoutNews, PayoutSummary } from '../activities/payout';
import type { ErrorCode } from '../kernel/errors';
import type { Settlement } from '../kernel/saga-type';
import type { PayoutReason } from '../kernel/statuses';
import { DAY, MINUTE } from '../kernel/time';
import { addBusinessDays } from '../kernel/week';
import { LOCAL_CALL, LOCAL_ONCE, RECORDED_CALL, UNTIL_DONE_DAYLONG } from './activity-options';
import type { Calls, Pursuit } from './duties';
import { codeOf, orRefusal, refuse } from './failures';
import { localFirst } from './local-first';
import { type PayoutInput, type PayoutResult, payoutChanged, payoutSaga } from './payout.api';
import { createSaga } from './saga';
import { highestVersion } from './versions';

/** What happens to a payout. Each step with what takes it back; tests and `docs/sagas/payout.md` go by this table. */
export const PAYOUT_STEPS = {
  open: { does: 'startPayout', undo: 'cancelPayout', runs: 'local' },
  check: { does: 'checkPayout', undo: null, runs: 'recorded' },
  transfer: { does: 'transferPayout', undo: 'reverseTransfer', runs: 'recorded' },
  // the pivot: once Stripe has taken the order, from here only forward
  bank: { does: 'sendPayout', undo: null, runs: 'recorded' },
  refresh: { does: 'refreshPayout', undo: null, runs: 'recorded' },
  return: { does: 'returnPayout', undo: null, runs: 'recorded' },
} as const;

const startPayout = localFirst(
  proxyLocalActivities<PayoutActivities>(LOCAL_CALL).startPayout,
  proxyActivities<PayoutActivities>(RECORDED_CALL).startPayout,
);
const notifyPayout = localFirst(
  proxyLocalActivities<PayoutActivities>(LOCAL_ONCE).notifyPayout,
  proxyActivities<PayoutActivities>(UNTIL_DONE_DAYLONG).notifyPayout,
);

/** Webhooks are the fast way; a lost one is found by asking Stripe, at first soon, then four times a day; of a payee once. */
const FIRST_POLL_MS = MINUTE;
const SLOWEST_POLL_MS = DAY / 4;
/** How long a payee may take to let themselves be paid, and Stripe to let us have the money. */
const WAITS_MS = { awaiting_onboarding: 30 * DAY, awaiting_bank_account: 30 * DAY, awaiting_funds: 7 * DAY } as const;
/** A bank that has said nothing by then is an operator's. */
const BANK_SAYS_WITHIN_MS = 10 * DAY;
/** For so long after "paid" the bank may still send it back (docs.stripe.com/api/payouts/object). */
const RETURNED_WITHIN_BUSINESS_DAYS = 5;

/** A payout from being set aside to the bank: see `docs/sagas/payout.md`. */
export async function payout(input: PayoutInput): Promise<PayoutResult> {
  const { payoutId, payeeId } = input;
  const about = `Payout ${payoutId} of payee ${payeeId}`;
  const saga = createSaga<PayoutActivities>();
  const toldVersion = highestVersion(payoutChanged);
  const beforePivot = new CancellationScope();
  // Temporal's own Cancel is an operator who calls it off; once the bank has it, it is too late for that.
  CancellationScope.current().cancelRequested.catch(() => beforePivot.cancel());
  const byHand: Pursuit<PayoutActivities> = { money: true, settled: settling(input) };
  const told = new Set<PayoutNews>();
  let heard = 0;

  return CancellationScope.nonCancellable(async () => {
    let state: PayoutSummary;
    try {
      state = await beforePivot.run(untilSent);
    } catch (error) {
      return calledOff(beforePivot.consideredCancelled ? 'cancelled_by_operator' : codeOf(error));
    }
    if (state.closed) return finish(state);
    saga.pivot();
    return finish(await untilOver(state));
  });

  /** Until Stripe has taken the order to send it to the bank. A saga that is started again finds that done. */
  async function untilSent(): Promise<PayoutSummary> {
    saga.tell('Running', `${about}: set aside.`);
    const opened = await saga.step('open', {
      do: (key) => startPayout({ payoutId, key }),
      undo: (act, key) => act.cancelPayout({ payoutId, reason: operatorCancelled(), key }),
      ...byHand,
    });
    if (opened.closed || opened.sent) return opened;
    await saga.step('transfer', {
      do: untilTransferred,
      undo: (act, key) => act.reverseTransfer({ payoutId, key }),
      ...byHand,
    });
    requireGoingOn();
    saga.tell('Running', `${about}: the money is at the payee's account, asking Stripe to send it to the bank.`);
    const sent = accepted(
      await saga.forward('bank', (act, key) => orRefusal(act.sendPayout({ payoutId, key })), byHand),
    );
    if (!sent.sent) throw refuse('conflict', `Stripe did not send it: ${sent.reason}`);
    return sent;
  }

  /** Until the money is at the payee's account. Stripe may find something missing that was there a moment ago: it is waited for again. */
  async function untilTransferred(key: string): Promise<void> {
    for (;;) {
      await untilReady();
      requireGoingOn();
      saga.tell('Running', `${about}: asking Stripe to transfer it to the payee's account.`);
      const moved = accepted(
        await saga.forward('transfer', (act) => orRefusal(act.transferPayout({ payoutId, key })), byHand),
      );
      if (moved.transferred) return;
      if (!waitOf(moved)) throw refuse('conflict', `Stripe refused the transfer: ${moved.reason}`);
    }
  }

  /** Until nothing is between the money and the payee's account. What takes too long is called off. */
  async function untilReady(): Promise<void> {
    const since = Date.now();
    for (let poll = FIRST_POLL_MS; ; poll = Math.min(poll * 2, DAY)) {
      const state = accepted(await saga.forward('check', (act) => act.checkPayout({ payoutId }), byHand));
      const wait = waitOf(state);
      if (!wait) return;
      const left = since + WAITS_MS[wait] - Date.now();
      if (left <= 0) throw refuse('conflict', `It has waited too long: ${wait}`);
      saga.tell(wait === 'awaiting_funds' ? 'Running' : 'AwaitingTutor', `${about}: ${wait}.`);
      // Our funds are nothing that its payee could hurry.
      if (wait !== 'awaiting_funds') await tellOnce(wait);
      await untilNews(state, Math.min(poll, left, wait === 'awaiting_funds' ? SLOWEST_POLL_MS : DAY));
    }
  }

  /** Forward from the pivot: until the bank has it and cannot send it back any more, or it is payable again. */
  async function untilOver(start: PayoutSummary): Promise<PayoutSummary> {
    let state = start;
    let deadline = Date.now() + BANK_SAYS_WITHIN_MS;
    for (let poll = FIRST_POLL_MS; state.status === 'processing'; poll = Math.min(poll * 2, SLOWEST_POLL_MS)) {
      saga.tell('Confirmed', `${about}: on its way to the bank, expected ${state.expectedAt ?? 'some day'}.`);
      const left = deadline - Date.now();
      if (left <= 0) {
        const said = await saga.askOperator('bank', 'the bank has said nothing for ten days', byHand.settled);
        if (said !== 'retry') return settledByHand(state);
        deadline = Date.now() + BANK_SAYS_WITHIN_MS;
      }
      await untilNews(state, Math.min(poll, Math.max(left, MINUTE)));
      state = await refresh(state);
    }
    if (state.status === 'completed' && state.arrivedAt !== null) state = await untilKept(state, state.arrivedAt);
    if (state.status !== 'failed' || state.closed) return state;
    await tellOnce('over');
    saga.tell('Compensating', `${about}: the bank has it not, fetching it back from the payee's account.`);
    const returned = await saga.forward('return', (act, key) => act.returnPayout({ payoutId, key }), byHand);
    return returned ?? refresh(state);
  }

  /** An operator has said what became of it, which its payee is told. */
  async function settledByHand(asked: PayoutSummary): Promise<PayoutSummary> {
    const settled = await refresh(asked);
    await tellOnce('over');
    return settled;
  }

  /** It is at the bank. A bank may send it back for some days. */
  async function untilKept(paid: PayoutSummary, arrivedAt: string): Promise<PayoutSummary> {
    await tellOnce('completed');
    const until = addBusinessDays(Date.parse(arrivedAt), RETURNED_WITHIN_BUSINESS_DAYS);
    saga.tell('Confirmed', `${about}: at the bank, which may send it back until ${new Date(until).toISOString()}.`);
    let state = paid;
    while (state.status === 'completed' && !state.closed && Date.now() < until) {
      await untilNews(state, Math.min(DAY, until - Date.now()));
      state = await refresh(state);
    }
    return state;
  }

  /** What has become of it, or what is `known` where an operator has settled the question. */
  async function refresh<Known extends Pick<PayoutSummary, 'status'>>(known: Known): Promise<PayoutSummary | Known> {
    const asked = await saga.forward('refresh', (act) => act.refreshPayout({ payoutId }), byHand);
    return asked ?? known;
  }

  /** Waits until payment says that something has changed, no longer than `atMostMs`. */
  async function untilNews({ version }: PayoutSummary, atMostMs: number): Promise<void> {
    const known = Math.max(version, heard);
    await condition(() => toldVersion() > known, atMostMs);
    heard = toldVersion();
  }

  async function calledOff(reason: string): Promise<PayoutResult> {
    saga.tell('Compensating', `${about}: taking it back (${reason}).`);
    // What was transferred is fetched back before the amount is payable again, however long that takes.
    await saga.undo(Number.POSITIVE_INFINITY);
    await tellOnce('over');
    // Unless an operator has settled it by other means.
    const { status } = await refresh({ status: 'cancelled' });
    saga.tell('Compensated', `${about}: taken back (${reason}), it is ${status}.`);
    return over(status);
  }

  async function finish({ status }: PayoutSummary): Promise<PayoutResult> {
    saga.tell('Completed', `${about} is ${status}.`);
    return over(status);
  }

  async function over(status: PayoutSummary['status']): Promise<PayoutResult> {
    await condition(allHandlersFinished);
    return { status: status === 'completed' || status === 'failed' ? status : 'cancelled' };
  }

  /** Of each kind of news the payee is told once; of every other thing that it waits for, too. */
  async function tellOnce(news: PayoutNews): Promise<void> {
    if (told.has(news)) return;
    told.add(news);
    const name = news === 'completed' || news === 'over' ? news : `waits-${news}`;
    await notifyPayout({ payoutId, news, key: `payout:${payoutId}/${name}` }).catch(() => undefined);
  }

  function operatorCancelled(): PayoutReason | null {
    return beforePivot.consideredCancelled ? 'cancelled_by_operator' : null;
  }

  function requireGoingOn(): void {
    if (beforePivot.consideredCancelled) throw refuse('invalid_state', 'Cancelled by an operator');
  }
}

/** What a payout waits for that is not sent yet. */
function waitOf({ reason }: PayoutSummary): keyof typeof WAITS_MS | undefined {
  return reason === 'awaiting_onboarding' || reason === 'awaiting_bank_account' || reason === 'awaiting_funds'
    ? reason
    : undefined;
}

/** @throws ApplicationFailure with the code of a refusal; invalid_state when an operator has settled it by hand instead */
function accepted(answer: PayoutSummary | ErrorCode | undefined): PayoutSummary {
  if (answer === undefined) throw refuse('invalid_state', 'An operator settled it by hand');
  if (typeof answer === 'string') throw refuse(answer);
  return answer;
}

/** An operator has settled the payout by hand. */
function settling(input: PayoutInput) {
  const { payoutId } = input;
  const key = `${payoutSaga.workflowId(input)}/by-hand`;
  return (act: Calls<PayoutActivities>, as: Settlement) => act.settlePayout({ payoutId, as, key });
}
