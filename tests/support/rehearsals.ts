import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import { FORWARD_MONEY, LOCAL_CALL } from '../../workflows/activity-options';
import type { Calls } from '../../workflows/duties';
import { codeOf } from '../../workflows/failures';
import { createSaga } from '../../workflows/saga';

// Workflows that do nothing but use `saga.ts`, so that `workflows/saga.test.ts` can try it apart from any business.

export const STEPS = ['A', 'B', 'C'] as const;
export const REHEARSAL_ACTIVITIES = [...STEPS.flatMap((name) => [`do${name}`, `undo${name}`]), 'mend'];

export interface Rehearsal {
  id: string;
  play:
    | 'steps'
    | 'steps-then-wait'
    | 'pivot-after-A'
    | 'forward'
    | 'forward-twice'
    | 'forward-money'
    | 'ask'
    | 'ask-money'
    | 'codes';
  runs: 'local' | 'recorded';
}

type Activities = Record<string, (input: { key: string; did?: unknown }) => Promise<unknown>>;
const local = proxyLocalActivities<Activities>(LOCAL_CALL);
const recorded = proxyActivities<Activities>(FORWARD_MONEY);

export async function rehearsal({ play, runs }: Rehearsal): Promise<unknown> {
  const saga = createSaga<Activities>();
  const isLocal = runs === 'local';
  const how = { local: () => isLocal };
  const call = (act: Calls<Activities>, name: string, input: { key: string; did?: unknown }): Promise<unknown> =>
    act[name]?.(input) ?? Promise.reject(new Error(name));
  const steps = isLocal ? local : recorded;
  const mend = (name = 'mend') => saga.forward(name, (act, key) => call(act, 'mend', { key }), how);

  if (play === 'codes') return codes();
  if (play === 'forward') return mend();
  if (play === 'forward-twice') return Promise.all([mend('mend'), mend('mend again')]);
  const settled = (act: Calls<Activities>, as: string) => call(act, 'undoA', { key: as });
  if (play === 'forward-money')
    return saga.forward('mend', (act, key) => call(act, 'mend', { key }), { money: true, settled });
  if (play === 'ask') return saga.askOperator('mend', 'the tap drips');
  if (play === 'ask-money') return saga.askOperator('mend', 'the tap drips', settled);
  try {
    for (const name of STEPS) {
      await saga.step(name, {
        do: (key) => call(steps, `do${name}`, { key }),
        undo: (act, key, did) => call(act, `undo${name}`, { key, did: did ?? 'unknown' }),
        ...how,
      });
      if (play === 'pivot-after-A' && name === 'A') saga.pivot();
    }
    if (play === 'steps-then-wait') {
      saga.tell('Confirmed', 'All steps are done.');
      await condition(() => false);
    }
    return 'done';
  } catch (error) {
    saga.tell('Compensating', 'Undoing.');
    await (await saga.undo())?.done;
    return isCancellation(error) ? 'cancelled' : codeOf(error);
  }
}

/** The codes that failures of every shape stand for. */
function codes(): string[] {
  const refused = ApplicationFailure.nonRetryable('', 'slot_unavailable');
  const wrapped = new ActivityFailure('', 'holdSlot', '1', 'NON_RETRYABLE_FAILURE', undefined, refused);
  const late = new TimeoutFailure('', undefined, 'START_TO_CLOSE');
  const unknown = ApplicationFailure.nonRetryable('', 'ours is no code');
  return [refused, wrapped, late, unknown, new TypeError('a bug')].map(codeOf);
}
