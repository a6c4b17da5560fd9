import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { TutorAccountActivities } from '../activities/tutor-account';
import { FORWARD_MONEY, LOCAL_CALL, RECORDED_CALL } from './activity-options';
import { codeOf, refuse } from './failures';
import { localFirst } from './local-first';
import { createSaga } from './saga';
import type { TutorAccountInput, TutorAccountResult } from './tutor-account.api';

/**
 * What happens when a student becomes a tutor. Each step with what takes it back; the fault tests are made from this table. The request is
 * identity's and stored before the saga starts, so that only ids are in here.
 */
export const TUTOR_ACCOUNT_STEPS = {
  begin: { does: 'beginTutorAccount', undo: 'refuseTutorAccount', runs: 'local' },
  // recorded, with time for Stripe
  account: { does: 'openPayeeAccount', undo: 'closePayeeAccount', runs: 'recorded' },
  profile: { does: 'makeTutorProfile', undo: 'removeTutorProfile', runs: 'local' },
  // the pivot: from here only forward
  role: { does: 'becomeTutor', undo: null, runs: 'recorded' },
} as const;

const recorded = proxyActivities<TutorAccountActivities>(FORWARD_MONEY);
const locally = proxyLocalActivities<TutorAccountActivities>(LOCAL_CALL);
const late = proxyActivities<TutorAccountActivities>(RECORDED_CALL);
const begin = localFirst(locally.beginTutorAccount, late.beginTutorAccount);
const makeProfile = localFirst(locally.makeTutorProfile, late.makeTutorProfile);

/** From a request to a tutor with an account and an empty profile, or to the student of before: see `docs/sagas/tutor-account.md`. */
export async function tutorAccount(input: TutorAccountInput): Promise<TutorAccountResult> {
  const saga = createSaga<TutorAccountActivities>();
  const beforePivot = new CancellationScope();
  const who = `Tutor's account of ${input.userId}`;
  // Temporal's own Cancel is an operator who calls it off; after the pivot it is too late for that.
  CancellationScope.current().cancelRequested.catch(() => beforePivot.cancel());

  return CancellationScope.nonCancellable(async () => {
    try {
      await beforePivot.run(prepare);
      if (beforePivot.consideredCancelled) throw refuse('invalid_state', 'Cancelled by an operator');
    } catch (error) {
      return finish(await undoAll(beforePivot.consideredCancelled ? 'cancelled_by_operator' : codeOf(error)));
    }
    // Nothing refuses the role once all is there, so it is pursued. It is recorded: of a local one that ran a cancel could make one that
    // has not, and a tutor's account be taken away.
    saga.pivot();
    saga.tell('Running', `${who}: all is there, the person becomes a tutor.`);
    const became = await saga.forward('role', (act, key) => act.becomeTutor({ ...input, key }));
    saga.tell('Completed', `${who}: ${became ? 'the person is a tutor' : 'given up by an operator'}.`);
    return finish(
      became ? { outcome: 'opened', reason: 'opened' } : { outcome: 'settled_by_operator', reason: 'role' },
    );
  });

  async function prepare(): Promise<void> {
    saga.tell('Running', `${who}: making the Stripe account and the profile.`);
    await saga.step('begin', {
      do: (key) => begin({ ...input, key }),
      // It is where the person hears of it, and after it they can ask again: so it is last.
      undo: (act, key) => act.refuseTutorAccount({ ...input, key }),
      local: () => true,
    });
    await saga.step('account', {
      do: (key) => recorded.openPayeeAccount({ ...input, key }),
      undo: (act, key) => act.closePayeeAccount({ ...input, key }),
    });
    await saga.step('profile', {
      do: (key) => makeProfile({ ...input, key }),
      undo: (act, key) => act.removeTutorProfile({ ...input, key }),
      local: () => true,
    });
  }

  async function undoAll(reason: string): Promise<TutorAccountResult> {
    saga.tell('Compensating', `${who}: undoing everything (${reason}).`);
    // Each waits for the one before: whoever hears that it came to nothing may ask again at once.
    await saga.undo(Number.POSITIVE_INFINITY);
    saga.tell('Compensated', `${who}: nothing is left of it (${reason}).`);
    return { outcome: 'refused', reason };
  }

  /** A workflow that ended with handlers under way would drop them. */
  async function finish(result: TutorAccountResult): Promise<TutorAccountResult> {
    await condition(allHandlersFinished);
    return result;
  }
}
