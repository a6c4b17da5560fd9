import { allHandlersFinished, CancellationScope, condition, setHandler, sleep } from '@temporalio/workflow';
import type { SuspensionActivities } from '../activities/suspension';
import { DAY, MINUTE } from '../kernel/time';
import { createSaga } from './saga';
import { type SuspensionInput, type SuspensionResult, suspensionEnded } from './suspension.api';

/**
 * What happens while somebody is kept out, and when it is over. Nothing is undone: what was taken is given back by the steps at the end. Tests and
 * `docs/sagas/suspension.md` go by this table. `for`: tutors alone.
 */
export const SUSPENSION_STEPS = {
  look: { does: 'lookAtSuspension', undo: null, runs: 'local', for: 'all' },
  unlist: { does: 'unlistTutor', undo: null, runs: 'local', for: 'tutors' },
  freeze: { does: 'freezePayouts', undo: null, runs: 'recorded', for: 'tutors' },
  withdraw: { does: 'withdrawSessions', undo: null, runs: 'recorded', for: 'all' },
  reinstate: { does: 'reinstateUser', undo: null, runs: 'recorded', for: 'all' },
  thaw: { does: 'thawPayouts', undo: null, runs: 'recorded', for: 'tutors' },
  relist: { does: 'relistTutor', undo: null, runs: 'local', for: 'tutors' },
} as const;

/** A signal may be lost. */
const LOOKS_EVERY_MS = DAY;
/** What was asked for before the tutor was unlisted is a booking by then. */
const WITHDRAWS_AGAIN_AFTER_MS = MINUTE;

/**
 * A suspension, from the act of an administrator until it is over, and until all is given back: see `docs/sagas/suspension.md`. A cancel changes
 * nothing: an administrator ends it. It looks once a day, a few events each: a history has room for more years than a suspension lasts.
 */
export async function suspension(input: SuspensionInput): Promise<SuspensionResult> {
  const saga = createSaga<SuspensionActivities>();
  const about = `Suspension of ${input.userId}`;
  let heard = 0;
  let isTutor = false;
  let isOver = false;
  setHandler(suspensionEnded, () => {
    heard += 1;
  });

  return CancellationScope.nonCancellable(async () => {
    const state = await look();
    if (state && !state.over) await take();
    await untilOver();
    isOver = true;
    // Nobody needs to be asked any more.
    saga.drop(() => true);
    saga.tell('Running', `${about}: it is over, giving everything back.`);
    const reinstated = await saga.forward('reinstate', (act, key) => act.reinstateUser({ ...input, key }));
    if (reinstated) await giveBack();
    const outcome = reinstated ? 'ended' : 'kept';
    saga.tell('Completed', `${about}: ${reinstated ? 'over' : 'an operator left it as it is'}.`);
    await condition(allHandlersFinished);
    return { outcome };
  });

  async function look() {
    const state = await saga.forward('look', (act, key) => act.lookAtSuspension({ ...input, key }), {
      local: () => true,
    });
    isTutor = state?.tutor ?? isTutor;
    return state;
  }

  async function take(): Promise<void> {
    saga.tell('Running', `${about}: taking what a person who is kept out cannot keep.`);
    if (isTutor)
      await Promise.all([
        saga.forward('unlist', (act, key) => act.unlistTutor({ ...input, key }), { local: () => true }),
        saga.forward('freeze', (act, key) => act.freezePayouts({ ...input, key })),
      ]);
    await withdraw();
    void decideOnTheRest();
  }

  function withdraw() {
    return saga.forward('withdraw', (act, key) => act.withdrawSessions({ ...input, key }));
  }

  /** Beside the wait for the end: an operator keeps what is left or cancels it, and has it looked at again. */
  async function decideOnTheRest(): Promise<void> {
    await sleep(WITHDRAWS_AGAIN_AFTER_MS);
    if (isOver) return;
    for (;;) {
      const left = await withdraw();
      if (isOver || !left || left.count === 0) return;
      const named = `${left.count} bookings are open: ${left.ask.join(', ')}`;
      const said = await saga.askOperator(
        'bookings',
        `${named}. Accept keeps them; cancel what is not to take place, and retry`,
      );
      if (said === 'accept' || isOver) return;
    }
  }

  async function untilOver(): Promise<void> {
    for (;;) {
      const before = heard;
      const state = await look();
      const left = state?.until ? Date.parse(state.until) - Date.now() : LOOKS_EVERY_MS;
      if (!state || state.over || left <= 0) return;
      saga.tell('Running', `${about}: kept out until ${state.until ?? 'an administrator says otherwise'}.`);
      await condition(() => heard > before, Math.min(left, LOOKS_EVERY_MS));
    }
  }

  async function giveBack(): Promise<void> {
    // What a second suspension has taken since stays taken.
    if (!isTutor) return;
    await Promise.all([
      saga.forward('thaw', (act, key) => act.thawPayouts({ ...input, key })),
      saga.forward('relist', (act, key) => act.relistTutor({ ...input, key }), { local: () => true }),
    ]);
  }
}
