import {
  allHandlersFinished,
  CancellationScope,
  condition,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { UserCreationActivities } from '../activities/user-creation';
import { FORWARD_MONEY, LOCAL_CALL, RECORDED_CALL, UNTIL_DONE_DAYLONG } from './activity-options';
import { codeOf, refuse } from './failures';
import { localFirst } from './local-first';
import { createSaga } from './saga';
import type { UserCreationInput, UserCreationResult } from './user-creation.api';

/**
 * What happens when somebody registers. Each step with what takes it back; the fault tests are made from this table. identity
 * does `register` before the saga starts, so that only ids are in here. `role`: only for these.
 */
export const USER_CREATION_STEPS = {
  register: { does: null, undo: 'removeUser', runs: 'local', role: null },
  profile: { does: 'createProfile', undo: 'removeProfile', runs: 'local', role: null },
  // recorded, with time for Stripe
  account: { does: 'createAccount', undo: 'removeAccount', runs: 'recorded', role: null },
  tutor: { does: 'createTutor', undo: 'removeTutor', runs: 'local', role: 'tutor' },
  preferences: { does: 'createPreferences', undo: 'removePreferences', runs: 'local', role: null },
  // the pivot: from here only forward (activate, welcome)
} as const;

const recorded = proxyActivities<UserCreationActivities>(FORWARD_MONEY);
const locally = proxyLocalActivities<UserCreationActivities>(LOCAL_CALL);
const late = proxyActivities<UserCreationActivities>(RECORDED_CALL);
const createProfile = localFirst(locally.createProfile, late.createProfile);
const createTutor = localFirst(locally.createTutor, late.createTutor);
const createPreferences = localFirst(locally.createPreferences, late.createPreferences);
const sendWelcome = localFirst(
  locally.sendWelcome,
  proxyActivities<UserCreationActivities>(UNTIL_DONE_DAYLONG).sendWelcome,
);

/** From a registration to an account that can log in, or to nothing: see `docs/sagas/user-creation.md`. */
export async function userCreation(input: UserCreationInput): Promise<UserCreationResult> {
  const { userId } = input;
  const saga = createSaga<UserCreationActivities>();
  const beforePivot = new CancellationScope();
  const who = `Sign-up of ${input.role} ${userId}`;
  // Temporal's own Cancel is an operator who calls the sign-up off; after the pivot it is too late for that.
  CancellationScope.current().cancelRequested.catch(() => beforePivot.cancel());

  return CancellationScope.nonCancellable(async () => {
    try {
      await beforePivot.run(prepare);
      if (beforePivot.consideredCancelled) throw refuse('invalid_state', 'Cancelled by an operator');
    } catch (error) {
      return finish(await undoAll(beforePivot.consideredCancelled ? 'cancelled_by_operator' : codeOf(error)));
    }
    // Activation is the pivot and has no undo. Nothing refuses it once all is prepared, so it is pursued instead of given up. It is
    // recorded: a local one that ran could be forgotten when a cancel lands first, and an active user's account be taken away.
    saga.pivot();
    saga.tell('Running', `${who}: all is prepared, activating.`);
    const activated = await saga.forward('activate', (act, key) => act.activateUser({ userId, key }));
    if (!activated) return finish({ outcome: 'settled_by_operator', reason: 'activate' });
    saga.tell('Confirmed', `${who}: active. Waits for the welcome mail to be taken over.`);
    await sendWelcome({ userId, key: `user:${userId}/welcome` }).catch(() => undefined);
    saga.tell('Completed', `${who}: active.`);
    return finish({ outcome: 'active', reason: 'activated' });
  });

  async function prepare(): Promise<void> {
    saga.tell('Running', `${who}: making the profile, the Stripe account and the preferences.`);
    await saga.step('register', {
      do: async () => undefined,
      undo: (act, key) => act.removeUser({ userId, key }),
      local: () => true,
    });
    const { role } = await saga.step('profile', {
      do: (key) => createProfile({ userId, key }),
      undo: (act, key) => act.removeProfile({ userId, key }),
      local: () => true,
    });
    await saga.step('account', {
      do: (key) => recorded.createAccount({ userId, role, key }),
      undo: (act, key) => act.removeAccount({ userId, key }),
    });
    if (role === 'tutor') {
      await saga.step('tutor', {
        do: (key) => createTutor({ userId, key }),
        undo: (act, key) => act.removeTutor({ userId, key }),
        local: () => true,
      });
    }
    await saga.step('preferences', {
      do: (key) => createPreferences({ userId, key }),
      undo: (act, key) => act.removePreferences({ userId, key }),
      local: () => true,
    });
  }

  async function undoAll(reason: string): Promise<UserCreationResult> {
    saga.tell('Compensating', `${who}: undoing everything (${reason}).`);
    await (await saga.undo())?.done;
    saga.tell('Compensated', `${who}: nothing is left of it (${reason}).`);
    return { outcome: 'removed', reason };
  }

  /** A workflow that ended with handlers under way would drop them. */
  async function finish(result: UserCreationResult): Promise<UserCreationResult> {
    await condition(allHandlersFinished);
    return result;
  }
}
