import { defineSearchAttributeKey } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { SagaState } from '../kernel/saga-type';
import { HOUR, MINUTE, SECOND } from '../kernel/time';
import { resolve } from './booking.api';
import { codeOf, isRefusal, refuse } from './failures';

/** An undo that is not done by then goes on beside the next ones instead of holding them up. */
const PATIENCE_MS = 30 * SECOND;
/**
 * What has not succeeded by then asks for an operator, and is still retried. Less than an hour, because a round of recorded attempts, which
 * may take an hour, ends as soon as its next pause would not fit: the operator would be called after the second round.
 */
const ATTENTION_MS = HOUR - 5 * MINUTE;
const FIRST_PAUSE_MS = SECOND;
/** Between attempts of what was refused; few enough that days of them fit a history. */
const LONGEST_PAUSE_MS = 15 * MINUTE;

const SAGA_STATE = defineSearchAttributeKey('SagaState', 'KEYWORD');
const PAYMENT_ID = defineSearchAttributeKey('PaymentId', 'KEYWORD');

/** A step and what takes it back. Both get the step's idempotency key, `<workflowId>/<step>` and the same with `/undo`. */
export interface StepWithUndo<Did> {
  do(key: string): Promise<Did>;
  /**
   * Must be idempotent and harmless when there is nothing to undo. `did` is what `do` returned; undefined when it failed or
   * timed out, which says nothing about whether it happened.
   */
  undo(did: Did | undefined, key: string): Promise<unknown>;
}

export interface Saga {
  /** Registers the undo, then runs `do`: a step that timed out may have happened. Rethrows what `do` throws. */
  step<Did>(name: string, step: StepWithUndo<Did>): Promise<Did>;
  /** The pivot is passed: nothing done so far will be undone; what follows goes by `forward`. */
  pivot(): void;
  /**
   * Runs what must happen, until it has: beyond cancellation, with growing pauses, for days. After an hour, or at once when it is
   * refused, the saga says NeedsAttention and an operator's `resolve` retries it at once or accepts that it will not happen.
   * @returns what `run` returned; undefined when an operator accepted
   */
  forward<T>(name: string, run: (key: string) => Promise<T>): Promise<T | undefined>;
  /**
   * Undoes every step that was begun, last first, beyond cancellation. One that keeps failing is retried like `forward`
   * without holding up the others for more than 30 s. Returns when all are done or accepted.
   */
  undo(): Promise<void>;
  /**
   * Says NeedsAttention, with `sentence`, and waits for an operator's `resolve`: for what no retry of ours can mend.
   * @returns the operator's answer
   */
  askOperator(name: string, sentence: string): Promise<'retry' | 'accept'>;
  /** Shows state and a sentence for operators: what is it waiting for, what can be done. `paymentId` once it is known. */
  tell(state: SagaState, sentence: string, paymentId?: string): void;
}

/** Something that must get done, with the attempt that is running. */
interface Duty {
  name: string;
  attempt?: CancellationScope;
  lastError: string;
  needsAttention: boolean;
  answer: 'retry' | 'accept' | undefined;
}

/**
 * The undo stack and the operator's door of one workflow run. Make it first thing in the workflow: it answers the
 * `resolve` update.
 */
export function createSaga(initial: SagaState = 'Running'): Saga {
  const { workflowId } = workflowInfo();
  const begun: { name: string; undo(): Promise<unknown> }[] = [];
  const duties = new Set<Duty>();
  let told: { state: SagaState; sentence: string } = { state: initial, sentence: '' };
  let shown: SagaState = initial;
  let shownPayment: string | undefined;

  const stuck = () => [...duties].filter((duty) => duty.needsAttention);

  function show(paymentId?: string): void {
    const troubled = stuck();
    const state = troubled.length > 0 ? 'NeedsAttention' : told.state;
    setCurrentDetails(describe(state, told.sentence, troubled));
    const newPayment = paymentId !== undefined && paymentId !== shownPayment;
    if (state === shown && !newPayment) return;
    upsertSearchAttributes([
      ...(state === shown ? [] : [{ key: SAGA_STATE, value: state }]),
      ...(newPayment ? [{ key: PAYMENT_ID, value: paymentId }] : []),
    ]);
    shown = state;
    if (newPayment) shownPayment = paymentId;
  }

  setHandler(
    resolve,
    async ({ action }) => {
      for (const duty of stuck()) {
        duty.answer = action;
        duty.attempt?.cancel();
      }
    },
    {
      validator: ({ action }) => {
        if (action !== 'retry' && action !== 'accept') throw refuse('validation_failed', 'action is retry or accept');
        if (stuck().length === 0) throw refuse('invalid_state', 'Nothing of this saga needs attention');
      },
      description: 'Operator: {"action": "retry" | "accept", "noteId": null}',
    },
  );

  async function untilDone<T>(name: string, run: () => Promise<T>): Promise<T | undefined> {
    const since = Date.now();
    const duty: Duty = { name, lastError: '', needsAttention: false, answer: undefined };
    duties.add(duty);
    try {
      for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
        const attempt = new CancellationScope();
        duty.attempt = attempt;
        duty.answer = undefined;
        try {
          return await attempt.run(run);
        } catch (error) {
          if (!isCancellation(error)) duty.lastError = codeOf(error);
          duty.needsAttention ||= isRefusal(error) || Date.now() - since >= ATTENTION_MS;
          log.warn('not done yet', { step: name, code: duty.lastError, needsAttention: duty.needsAttention });
          show();
        }
        if (duty.answer === undefined) await condition(() => duty.answer !== undefined, pause);
        if (answerOf(duty) === 'accept') return undefined;
      }
    } finally {
      duties.delete(duty);
      show();
    }
  }

  return {
    async step(name, { do: act, undo }) {
      const key = `${workflowId}/${name}`;
      let did: Awaited<ReturnType<typeof act>> | undefined;
      begun.push({ name, undo: () => undo(did, `${key}/undo`) });
      did = await act(key);
      return did;
    },
    pivot() {
      begun.length = 0;
    },
    forward: (name, run) => beyondCancel(() => untilDone(name, () => run(`${workflowId}/${name}`))),
    undo: () =>
      beyondCancel(async () => {
        const undos: Promise<unknown>[] = [];
        for (const step of begun.splice(0).reverse()) {
          const undone = untilDone(`undo ${step.name}`, step.undo);
          undos.push(undone);
          await orPatience(undone);
        }
        await Promise.all(undos);
      }),
    async askOperator(name, sentence) {
      const duty: Duty = { name, lastError: sentence, needsAttention: true, answer: undefined };
      duties.add(duty);
      show();
      await condition(() => duty.answer !== undefined);
      duties.delete(duty);
      show();
      return answerOf(duty) ?? 'retry';
    },
    tell(state, sentence, paymentId) {
      told = { state, sentence };
      show(paymentId);
    },
  };
}

/** Runs `work` where no cancel of the saga reaches it. What is beyond already needs no scope more, each of which costs a worker dearly. */
export function beyondCancel<T>(work: () => Promise<T>): Promise<T> {
  return CancellationScope.current().cancellable ? CancellationScope.nonCancellable(work) : work();
}

/** A function so that the compiler forgets what it concluded before the wait. */
function answerOf(duty: Duty): Duty['answer'] {
  return duty.answer;
}

async function orPatience(undone: Promise<unknown>): Promise<void> {
  const patience = new CancellationScope();
  const timer = patience.run(() => sleep(PATIENCE_MS)).catch(() => undefined);
  await Promise.race([undone, timer]);
  patience.cancel();
}

function describe(state: SagaState, sentence: string, troubled: Duty[]): string {
  const trouble = troubled.map((duty) => `- **${duty.name}** is not done: ${duty.lastError}.`);
  const advice =
    'It is retried meanwhile where a retry can help. Mend the cause, then send the update `resolve` with `{"action": "retry"}`; or settle it by hand and send `{"action": "accept"}`.';
  return [`**${state}**`, sentence, ...(trouble.length > 0 ? [...trouble, advice] : [])].join('\n\n');
}
