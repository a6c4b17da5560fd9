import { defineSearchAttributeKey } from '@temporalio/common';
import {
  CancellationScope,
  setCurrentDetails,
  sleep,
  type UntypedActivities,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { SagaState } from '../kernel/saga-type';
import { type UndoKey, undoKeyOf } from '../kernel/step-key';
import { SECOND } from '../kernel/time';
import { type Calls, createDuties, type Duties, type Pursuit } from './duties';

/** An undo that is not done by then goes on beside the next ones instead of holding them up. */
const PATIENCE_MS = 30 * SECOND;

/** The search attribute by which operators filter lists. */
export const SAGA_STATE = defineSearchAttributeKey('SagaState', 'KEYWORD');
const PAYMENT_ID = defineSearchAttributeKey('PaymentId', 'KEYWORD');

/** A step and what takes it back. Both get the step's idempotency key, `<workflowId>/<step>` and the same with `/undo`. */
export interface StepWithUndo<Activities, Did> extends Pursuit<Activities> {
  do(key: string): Promise<Did>;
  /**
   * Must be idempotent and harmless when there is nothing to undo. `did` is what `do` returned; undefined when it failed or
   * timed out, which says nothing about whether it happened. It is called again, with other activities, in every round of retries.
   */
  undo(act: Calls<Activities>, key: UndoKey, did: Did | undefined): Promise<unknown>;
}

export interface Saga<Activities> extends Pick<Duties<Activities>, 'askOperator' | 'drop' | 'answers'> {
  /** Registers the undo, then runs `do`: a step that timed out may have happened. Rethrows what `do` throws. */
  step<Did>(name: string, step: StepWithUndo<Activities, Did>): Promise<Did>;
  /** The pivot is passed: nothing done so far will be undone; what follows goes by `forward`. */
  pivot(): void;
  /**
   * Runs what must happen, until it has: beyond cancellation, for days, the retries left to the server. After an hour, or at once when it
   * is refused, the saga says NeedsAttention and an operator's `resolve` retries it at once or accepts that it will not happen.
   * @returns what `run` returned; undefined when an operator accepted
   */
  forward<T>(
    name: string,
    run: (act: Calls<Activities>, key: string) => Promise<T>,
    how?: Pursuit<Activities>,
  ): Promise<T | undefined>;
  /**
   * Undoes every step that was begun, last first, beyond cancellation. One that keeps failing is retried like `forward` without holding
   * up the others for more than `patienceMs`, 30 s unless it says otherwise; with Infinity they wait for it.
   * @returns once each is done or has had that time: `done`, when all are done or accepted; undefined when they are already
   */
  undo(patienceMs?: number): Promise<{ done: Promise<unknown> } | undefined>;
  /** Whether nothing that must happen is under way. */
  isIdle(): boolean;
  /** Shows state and a sentence for operators: what is it waiting for, what can be done. `paymentId` once it is known. */
  tell(state: SagaState, sentence: string, paymentId?: string): void;
}

/**
 * The undo stack and the operator's door of one workflow run. Make it first thing in the workflow: it answers the `resolve` update.
 * `shown`: what the workflow's search attributes say already.
 */
export function createSaga<Activities = UntypedActivities>(
  shown: { state: SagaState; paymentId?: string } = { state: 'Running' },
): Saga<Activities> {
  const { workflowId } = workflowInfo();
  const begun: { name: string; undo: () => Promise<unknown> }[] = [];
  const duties = createDuties<Activities>(show);
  let told: { state: SagaState; sentence: string } = { state: shown.state, sentence: '' };
  let { state: shownState, paymentId: shownPayment } = shown;

  function show(paymentId?: string): void {
    const troubles = duties.troubles();
    const state = troubles.length > 0 ? 'NeedsAttention' : told.state;
    setCurrentDetails(describe(state, told.sentence, troubles));
    const newPayment = paymentId !== undefined && paymentId !== shownPayment;
    if (state === shownState && !newPayment) return;
    upsertSearchAttributes([
      ...(state === shownState ? [] : [{ key: SAGA_STATE, value: state }]),
      ...(newPayment ? [{ key: PAYMENT_ID, value: paymentId }] : []),
    ]);
    shownState = state;
    if (newPayment) shownPayment = paymentId;
  }

  return {
    async step(name, { do: act, undo, ...how }) {
      const key = `${workflowId}/${name}`;
      let did: Awaited<ReturnType<typeof act>> | undefined;
      const undoIt = () => duties.untilDone(`undo ${name}`, (by) => undo(by, undoKeyOf(key), did), how);
      begun.push({ name, undo: undoIt });
      did = await act(key);
      return did;
    },
    pivot() {
      begun.length = 0;
    },
    forward: (name, run, how = {}) =>
      beyondCancel(() => duties.untilDone(name, (act) => run(act, `${workflowId}/${name}`), how)),
    undo: (patienceMs = PATIENCE_MS) =>
      beyondCancel(async () => {
        const undos: Promise<unknown>[] = [];
        let open = 0;
        for (const step of begun.splice(0).reverse()) {
          open += 1;
          const undone = step.undo();
          void undone.then(() => {
            open -= 1;
          });
          undos.push(undone);
          await withPatience(undone, patienceMs);
        }
        return open === 0 ? undefined : { done: Promise.all(undos) };
      }),
    askOperator: duties.askOperator,
    drop: duties.drop,
    answers: duties.answers,
    isIdle: () => !duties.any(),
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

/** Waits until it is done, but no longer than `patienceMs`; for Infinity however long it takes. */
export async function withPatience(done: Promise<unknown>, patienceMs: number): Promise<void> {
  if (patienceMs === Number.POSITIVE_INFINITY) {
    await done;
    return;
  }
  const patience = new CancellationScope();
  const timer = patience.run(() => sleep(patienceMs)).catch(() => undefined);
  await Promise.race([done, timer]);
  patience.cancel();
}

function describe(state: SagaState, sentence: string, troubles: string[]): string {
  const advice =
    'What a retry can help is retried meanwhile; its last error stands with the pending activity. Mend the cause, then send the update ' +
    '`resolve` with `{"step": "…", "action": "retry"}`; or settle it by hand and send `accept` as action, where it is about money ' +
    '`paid_elsewhere` or `waived`.';
  return [`**${state}**`, sentence, ...(troubles.length > 0 ? [...troubles, advice] : [])].join('\n\n');
}
