import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { DisputeActivities, DisputeNews, DisputeSummary } from '../activities/dispute';
import type { SagaState } from '../kernel/saga-type';
import { isInquiry } from '../kernel/statuses';
import { DAY, HOUR } from '../kernel/time';
import { UNTIL_DONE_DAYLONG } from './activity-options';
import { type DisputeInput, type DisputeResult, disputeChanged, disputeSaga } from './dispute.api';
import { createSaga, withPatience } from './saga';
import { highestVersion } from './versions';

/** What happens to a dispute; nothing takes it back. Tests and `docs/sagas/dispute.md` go by this table. */
export const DISPUTE_STEPS = {
  look: { does: 'lookAtDispute', undo: null, runs: 'recorded' },
  gather: { does: 'gatherEvidence', undo: null, runs: 'recorded' },
  submit: { does: 'submitEvidence', undo: null, runs: 'recorded' },
  close: { does: 'closeDispute', undo: null, runs: 'recorded' },
} as const;

const { notifyDispute } = proxyActivities<DisputeActivities>(UNTIL_DONE_DAYLONG);

/** A webhook may be lost. */
const LOOKS_EVERY_MS = DAY;
/** A payee who has said nothing is reminded so long before it is too late. */
const REMIND_HOURS_BEFORE = [72, 24];
/** Half of the time between the payee's last word and the bank's: what is hard to gather holds up nothing that there is. */
const GATHERS_FOR_MS = DAY / 2;

/** What one run hands on to the next. */
export interface DisputeSoFar {
  /** What is done once: what the payee was told of, and the deadlines at which evidence was sent. */
  done: string[];
  /** What the search attributes say. */
  shown: SagaState;
}

/**
 * A payment that its card's holder disputes, until its bank has decided: see `docs/sagas/dispute.md`. Its payee is told and reminded, and what
 * speaks against it is sent in time. A cancel changes nothing: the bank decides. `before`: what the run before handed on.
 */
export async function dispute(input: DisputeInput, before?: DisputeSoFar): Promise<DisputeResult> {
  const { disputeId, paymentId, bookingId } = input;
  const about = `Dispute ${disputeId} of payment ${paymentId}`;
  let shown = before?.shown ?? 'Running';
  const saga = createSaga<DisputeActivities>({ state: shown });
  const toldVersion = highestVersion(disputeChanged);
  const done = new Set(before?.done);
  // Beside whatever the saga does: the bank's deadline waits neither for a mail nor for what is hard to gather.
  const [notices, evidence] = [inTurn(), inTurn()];
  /** The deadline at which evidence is being sent. */
  let sendsAt: string | undefined;
  let sendings = 0;

  return CancellationScope.nonCancellable(async () => {
    saga.tell(shown, `${about}: asking Stripe.`);
    for (;;) {
      const [heard, sent] = [toldVersion(), sendings];
      const state = await saga.forward('look', (act) => act.lookAtDispute({ disputeId }));
      if (!state) return finish(null, 'an operator had it looked at no more; as long as it is open it begins again');
      tell(state);
      pursue(state);
      if (state.decided) {
        if (await isSeenTo(state, heard)) return finish(state.status, `the bank has decided: ${state.status}`);
        continue;
      }
      show(state);
      const known = Math.max(state.version, heard);
      await condition(() => toldVersion() > known || sendings > sent, untilNext(state));
      const isAtRest = notices.isIdle() && evidence.isIdle();
      if (workflowInfo().continueAsNewSuggested && isAtRest) await goOnAnew();
    }
  });

  /** Tells the payee what they are to know, each thing once: it is there, the bank has taken the money after all, time runs out, it is over. */
  function tell(state: DisputeSummary): void {
    const { submitBy, stated, status, decided } = state;
    if (decided) {
      once(`decided-${status}`, 'decided', state);
      return;
    }
    const saidNow = once(isInquiry(state.status) ? 'opened-inquiry' : 'opened-chargeback', 'opened', state);
    if (submitBy === null || stated) return;
    const due = remindersOf(submitBy).filter(({ name, at }) => at <= Date.now() && !done.has(name));
    const [last] = due.splice(-1);
    for (const { name } of due) done.add(name);
    if (!last) return;
    // What has just been said needs no reminder, nor does what is too late.
    if (saidNow || Date.parse(submitBy) <= Date.now()) done.add(last.name);
    else once(last.name, 'reminder', state);
  }

  /** @returns whether it was not told before */
  function once(name: string, news: DisputeNews, state: DisputeSummary): boolean {
    if (done.has(name)) return false;
    done.add(name);
    const key = `${disputeSaga.workflowId(input)}/${name}`;
    notices.add(() => notifyDispute({ ...input, news, state, key }).catch(() => undefined));
    return true;
  }

  /** Gathers what speaks against it at once, and sends what there is when the payee can say nothing more. */
  function pursue({ submitBy }: DisputeSummary): void {
    // Somebody else has sent it, the bank has decided, or asks anew with another deadline.
    if (submitBy === null || (sendsAt !== undefined && sendsAt !== submitBy)) dropEvidence();
    if (submitBy === null) return;
    const sending = `sent/${submitBy}`;
    if (Date.parse(submitBy) <= Date.now()) {
      if (done.has(sending)) return;
      done.add('gathered').add(sending);
      dropEvidence();
      sendsAt = submitBy;
      evidence.add(() => send(submitBy));
    } else if (!done.has('gathered')) {
      done.add('gathered');
      evidence.add(gather);
    }
  }

  function dropEvidence(): void {
    sendsAt = undefined;
    saga.drop((step) => step === 'gather' || step === 'submit');
  }

  async function gather(): Promise<void> {
    // Of a direct payment nobody here knows more than Stripe does.
    if (bookingId)
      await saga.forward('gather', (act, key) => act.gatherEvidence({ disputeId, paymentId, bookingId, key }));
  }

  async function send(at: string): Promise<void> {
    const gathering = gather();
    await withPatience(gathering, GATHERS_FOR_MS);
    saga.drop((step) => step === 'gather');
    await gathering;
    // Unless it is pointless by now.
    if (sendsAt === at) await saga.forward('submit', (act, key) => act.submitEvidence({ disputeId, key }));
    if (sendsAt === at) sendsAt = undefined;
    sendings += 1;
  }

  /** Has its end noted once its payee was told. @returns whether nothing has changed meanwhile */
  async function isSeenTo({ status, version }: DisputeSummary, heard: number): Promise<boolean> {
    saga.tell('Running', `${about}: the bank has decided: ${status}. Telling its payee.`);
    await Promise.all([notices.settled(), evidence.settled()]);
    const closed = await saga.forward('close', (act, key) =>
      act.closeDispute({ disputeId, version, key: `${key}/${version}` }),
    );
    return (closed?.version ?? version) <= version && toldVersion() <= Math.max(version, heard);
  }

  /** Shows operators what it waits for, and until when. */
  function show(state: DisputeSummary): void {
    const { claim, submitBy, respondBy, stated, submitted } = state;
    const what = isInquiry(state.status) ? `an inquiry about ${claim}` : `a chargeback of ${claim}`;
    const [now, waits] = ((): [SagaState, string] => {
      if (submitBy === null)
        return [
          'Running',
          submitted ? 'what speaks against it was sent' : 'its bank takes nothing that speaks against it',
        ];
      if (sendsAt !== undefined)
        return ['Running', `sending what speaks against it, which its bank takes until ${respondBy}`];
      if (Date.parse(submitBy) <= Date.now()) return ['Running', 'nothing was sent, because nothing speaks against it'];
      return stated
        ? ['Running', `its payee has said something, which is sent at ${submitBy}`]
        : ['AwaitingTutor', `its payee can say something until ${submitBy}; what there is then is sent`];
    })();
    shown = now;
    saga.tell(now, `${about}: ${what}; ${waits}. Waits for its bank's decision.`);
  }

  /** Milliseconds until something is to be done by itself. */
  function untilNext({ submitBy, stated }: DisputeSummary): number {
    const now = Date.now();
    const times =
      submitBy === null ? [] : [Date.parse(submitBy), ...(stated ? [] : remindersOf(submitBy).map(({ at }) => at))];
    return Math.min(LOOKS_EVERY_MS, ...times.filter((at) => at > now).map((at) => at - now));
  }

  async function goOnAnew(): Promise<never> {
    await condition(allHandlersFinished);
    return continueAsNew<typeof dispute>(input, { done: [...done], shown });
  }

  async function finish(status: DisputeResult['status'], how: string): Promise<DisputeResult> {
    dropEvidence();
    await Promise.all([notices.settled(), evidence.settled()]);
    saga.tell('Completed', `${about}: ${how}.`);
    await condition(allHandlersFinished);
    return { status };
  }
}

/** The soonest first. Another deadline has others. */
function remindersOf(submitBy: string): { name: string; at: number }[] {
  return REMIND_HOURS_BEFORE.map((hours) => ({
    name: `reminder-${hours}/${submitBy}`,
    at: Date.parse(submitBy) - hours * HOUR,
  }));
}

/** Does one thing after another, beside whatever else is done. */
function inTurn() {
  let last: Promise<unknown> = Promise.resolve();
  let left = 0;
  return {
    add(work: () => Promise<unknown>): void {
      left += 1;
      last = last.then(work).then(() => {
        left -= 1;
      });
    },
    isIdle: () => left === 0,
    settled: () => last,
  };
}
