import { randomUUID } from 'node:crypto';
import { HOUR, MINUTE, SECOND } from '../kernel/time';
import {
  fails,
  gate,
  isAway,
  refuses,
  type SagaHarness,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { USER_CREATION_STEPS } from './user-creation';
import { type UserCreationInput, userCreationSaga } from './user-creation.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

type Role = UserCreationInput['role'];

const someUser = (role: Role): UserCreationInput => ({ userId: randomUUID(), role });

/** Activities with which everything goes well for somebody who registered as `role`. */
function allGoesWell(role: Role): Record<string, TestActivity> {
  const done = () => undefined;
  return {
    removeUser: done,
    createProfile: () => ({ role }),
    removeProfile: done,
    createAccount: done,
    removeAccount: done,
    createTutor: done,
    removeTutor: done,
    createPreferences: done,
    removePreferences: done,
    activateUser: () => ({ active: true }),
    sendWelcome: done,
  };
}

const start = (role: Role, change: Record<string, TestActivity> = {}) =>
  harness.start(userCreationSaga, someUser(role), { ...allGoesWell(role), ...change });

/** The steps of the table that somebody of this role goes through, and what takes back all up to and including the nth. */
const stepsOf = (role: Role) =>
  Object.values(USER_CREATION_STEPS).filter((step) => step.role === null || step.role === role);
const doneBy = (role: Role) => stepsOf(role).flatMap(({ does }) => (does === null ? [] : [does]));
const undoneAfter = (role: Role, does: string) => {
  const steps = stepsOf(role);
  return steps
    .slice(0, steps.findIndex((step) => step.does === does) + 1)
    .map(({ undo }) => undo)
    .toReversed();
};

/** Every step of every role: the fault matrix. */
const CASES = (['student', 'tutor'] as const).flatMap((role) => doneBy(role).map((does) => [role, does] as const));

async function now(): Promise<number> {
  return harness.env.currentTimeMs();
}

describe('when nothing fails', () => {
  test.each(['student', 'tutor'] as const)(
    'a %s gets all that belongs to the role, is activated and welcomed',
    async (role) => {
      const saga = await start(role);
      await expect(saga.result()).resolves.toEqual({ outcome: 'active', reason: 'activated' });
      expect(saga.calls).toEqual([...doneBy(role), 'activateUser', 'sendWelcome']);
      expect(await saga.attribute('SagaState')).toBe('Completed');
    },
  );

  test('only tutors get a tutor profile', () => {
    expect(doneBy('student')).toEqual(['createProfile', 'createAccount', 'createPreferences']);
    expect(doneBy('tutor')).toEqual(['createProfile', 'createAccount', 'createTutor', 'createPreferences']);
  });

  test('the role that identity has stored counts, not the one that the saga was started with', async () => {
    const roles: string[] = [];
    const saga = await start('student', {
      createProfile: () => ({ role: 'tutor' }),
      createAccount: ({ role }: { role: string }) => void roles.push(role),
    });
    await saga.result();
    expect(saga.calls).toContain('createTutor');
    expect(roles).toEqual(['tutor']);
  });

  test('each step and undo has a key of its own, from the business id', async () => {
    const keys: Record<string, string> = {};
    const user = someUser('tutor');
    const well = { ...allGoesWell('tutor'), createPreferences: refuses('conflict') };
    const noting = Object.entries(well).map(([name, activity]): [string, TestActivity] => [
      name,
      (input: { key: string }, attempt) => {
        keys[name] = input.key;
        return activity(input, attempt);
      },
    ]);
    const saga = await harness.start(userCreationSaga, user, Object.fromEntries(noting));
    await saga.result();
    expect(keys).toEqual({
      createProfile: `user:${user.userId}/profile`,
      removeProfile: `user:${user.userId}/profile/undo`,
      createAccount: `user:${user.userId}/account`,
      removeAccount: `user:${user.userId}/account/undo`,
      createTutor: `user:${user.userId}/tutor`,
      removeTutor: `user:${user.userId}/tutor/undo`,
      createPreferences: `user:${user.userId}/preferences`,
      removePreferences: `user:${user.userId}/preferences/undo`,
      removeUser: `user:${user.userId}/register/undo`,
    });
  });
});

describe('a step that fails', () => {
  test.each(CASES)(
    'for a %s, %s refused: it and all before it are undone, last first, and nothing is left',
    async (role, does) => {
      const saga = await start(role, { [does]: refuses('validation_failed') });
      await expect(saga.result()).resolves.toEqual({ outcome: 'removed', reason: 'validation_failed' });
      expect(saga.calls.slice(saga.calls.indexOf(does) + 1)).toEqual(undoneAfter(role, does));
      expect(saga.calls.at(-1)).toBe('removeUser');
      expect(await saga.attribute('SagaState')).toBe('Compensated');
    },
  );

  test.each(CASES)(
    'for a %s, %s that never answers is given up within minutes and undone: it may have happened',
    async (role, does) => {
      const began = await now();
      let lastTry = began;
      const saga = await start(role, {
        [does]: async (input, attempt) => {
          lastTry = await now();
          return isAway(input, attempt);
        },
      });
      await expect(saga.result()).resolves.toMatchObject({ outcome: 'removed' });
      const after = saga.calls.slice(saga.calls.indexOf(does) + 1);
      expect(after.filter((call) => call !== does)).toEqual(undoneAfter(role, does));
      expect(lastTry - began).toBeGreaterThan(30_000);
      expect(lastTry - began).toBeLessThan(11 * MINUTE);
    },
  );

  test.each(CASES)('for a %s, %s that fails for a while is retried and the sign-up goes on', async (role, does) => {
    const well = allGoesWell(role);
    const saga = await start(role, { [does]: fails(2, well[does]) });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'active' });
    expect(saga.calls).not.toContain('removeUser');
  });
});

describe('a cancel', () => {
  test.each(['student', 'tutor'] as const)(
    'for a %s, while the account is made, waits for that to end and undoes everything',
    async (role) => {
      const running = gate();
      const saga = await start(role, { createAccount: running.activity });
      await saga.called('createAccount');
      await saga.handle.cancel();
      await saga.cancelRequested();
      running.open();
      await expect(saga.result()).resolves.toEqual({ outcome: 'removed', reason: 'cancelled_by_operator' });
      // The step after it was begun and called off before it ran: its undo is harmless.
      const next = role === 'tutor' ? 'removeTutor' : 'removePreferences';
      expect(saga.calls).toEqual([
        'createProfile',
        'createAccount',
        next,
        'removeAccount',
        'removeProfile',
        'removeUser',
      ]);
    },
  );

  test('while the last step runs undoes that too, although it succeeds', async () => {
    const running = gate();
    const saga = await start('student', { createPreferences: running.activity });
    await saga.called('createPreferences');
    await saga.handle.cancel();
    // A local step hears nothing until its workflow task has lasted so long that the worker asks for a new one.
    for (let tasks = 0, cancelled = false; tasks === 0; ) {
      const { events } = await saga.handle.fetchHistory();
      cancelled ||= events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes) === true;
      const at = events?.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes) ?? -1;
      tasks = cancelled ? (events?.slice(at).filter((e) => e.workflowTaskStartedEventAttributes).length ?? 0) : 0;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    running.open();
    await expect(saga.result()).resolves.toEqual({ outcome: 'removed', reason: 'cancelled_by_operator' });
    expect(saga.calls.slice(-4)).toEqual(['removePreferences', 'removeAccount', 'removeProfile', 'removeUser']);
  });

  test('while the last step is made late, because its service was away, undoes that too, although it succeeds', async () => {
    const running = gate();
    let localAttempts = 0;
    const saga = await start('student', {
      createPreferences: (step, attempt) => (++localAttempts <= 7 ? isAway(step, attempt) : running.activity()),
    });
    await saga.called('createPreferences');
    await harness.env.sleep(30 * SECOND);
    await saga.called('createPreferences', 2);
    await saga.handle.cancel();
    await saga.cancelRequested();
    running.open();
    await expect(saga.result()).resolves.toEqual({ outcome: 'removed', reason: 'cancelled_by_operator' });
    expect(saga.calls.slice(-4)).toEqual(['removePreferences', 'removeAccount', 'removeProfile', 'removeUser']);
    expect(saga.calls).not.toContain('activateUser');
  });

  test('after the pivot is too late: the account is activated and stays', async () => {
    const running = gate({ active: true });
    const saga = await start('student', { activateUser: running.activity });
    await saga.called('activateUser');
    await saga.handle.cancel();
    running.open();
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'active' });
    expect(saga.calls).not.toContain('removeUser');
    expect(saga.calls.at(-1)).toBe('sendWelcome');
  });
});

describe('activation', () => {
  test('is pursued until it is done: for an hour quietly, then with an operator', async () => {
    let mended = false;
    const saga = await start('tutor', { activateUser: () => (mended ? { active: true } : isAway(undefined, 1)) });
    await saga.called('activateUser');
    await harness.env.sleep(2 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    mended = true;
    await saga.update('resolve', { action: 'retry', noteId: null });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'active' });
    expect(saga.calls).not.toContain('removeUser');
  });

  test('that an operator gives up ends the saga without a welcome and without undoing anything', async () => {
    const saga = await start('student', { activateUser: refuses('not_found') });
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await expect(saga.result()).resolves.toEqual({ outcome: 'settled_by_operator', reason: 'activate' });
    expect(saga.calls).not.toContain('sendWelcome');
    expect(saga.calls).not.toContain('removeUser');
  });
});

test('a welcome that cannot be sent for a day undoes nothing', async () => {
  const saga = await start('student', { sendWelcome: isAway });
  await expect(saga.result()).resolves.toMatchObject({ outcome: 'active' });
  expect(saga.calls.at(-1)).toBe('sendWelcome');
  expect(await saga.attribute('SagaState')).toBe('Completed');
});

test('an undo that keeps failing does not hold up the others, and is retried until it is done', async () => {
  let mended = false;
  const saga = await start('student', {
    createPreferences: refuses('conflict'),
    removeAccount: () => (mended ? undefined : isAway(undefined, 1)),
  });
  await saga.called('removeAccount');
  await harness.env.sleep(MINUTE);
  await saga.called('removeUser');
  expect(saga.calls.slice(3, 7)).toEqual(['removePreferences', 'removeAccount', 'removeProfile', 'removeUser']);
  expect(await saga.attribute('SagaState')).toBe('Compensating');
  await harness.env.sleep(2 * HOUR);
  expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
  mended = true;
  await saga.update('resolve', { action: 'retry', noteId: null });
  await expect(saga.result()).resolves.toEqual({ outcome: 'removed', reason: 'conflict' });
});

test('starting the same sign-up twice runs it once', async () => {
  const user = someUser('student');
  const running = gate({ role: 'student' });
  const saga = await harness.start(userCreationSaga, user, {
    ...allGoesWell('student'),
    createProfile: running.activity,
  });
  await saga.called('createProfile');
  await expect(
    harness.env.client.workflow.start(userCreationSaga.workflowType, {
      workflowId: userCreationSaga.workflowId(user),
      taskQueue: userCreationSaga.taskQueue,
      args: [user],
    }),
  ).rejects.toThrow(/already started/i);
  running.open();
  await expect(saga.result()).resolves.toMatchObject({ outcome: 'active' });
  expect(saga.calls.filter((call) => call === 'createProfile')).toHaveLength(1);
});
