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
import { TUTOR_ACCOUNT_STEPS } from './tutor-account';
import { tutorAccountSaga } from './tutor-account.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

const done = () => undefined;
const allGoesWell: Record<string, TestActivity> = {
  beginTutorAccount: done,
  refuseTutorAccount: done,
  openPayeeAccount: done,
  closePayeeAccount: done,
  makeTutorProfile: done,
  removeTutorProfile: done,
  becomeTutor: () => ({ tutor: true }),
};
const someRequest = () => ({ requestId: randomUUID(), userId: randomUUID() });
const start = (change: Record<string, TestActivity> = {}) =>
  harness.start(tutorAccountSaga, someRequest(), { ...allGoesWell, ...change });

const STEPS = Object.values(TUTOR_ACCOUNT_STEPS);
/** The steps that can be taken back. */
const UNDOABLE = STEPS.flatMap(({ does, undo }) => (undo === null ? [] : [does]));
/** What takes back all up to and including this one. */
const undoneAfter = (does: string) =>
  STEPS.slice(0, STEPS.findIndex((step) => step.does === does) + 1)
    .map(({ undo }) => undo)
    .toReversed();

test('a student gets an account and a profile, and is a tutor then', async () => {
  const saga = await start();
  await expect(saga.result()).resolves.toEqual({ outcome: 'opened', reason: 'opened' });
  expect(saga.calls).toEqual(STEPS.map(({ does }) => does));
  expect(await saga.attribute('SagaState')).toBe('Completed');
});

test('each step and undo has a key of its own, from the request', async () => {
  const keys: Record<string, string> = {};
  const request = someRequest();
  const well = { ...allGoesWell, makeTutorProfile: refuses('conflict') };
  const noting = Object.entries(well).map(([name, activity]): [string, TestActivity] => [
    name,
    (input: { key: string; requestId: string; userId: string }, attempt) => {
      keys[name] = input.key;
      expect(input).toMatchObject(request);
      return activity(input, attempt);
    },
  ]);
  const saga = await harness.start(tutorAccountSaga, request, Object.fromEntries(noting));
  await saga.result();
  const key = `tutor-account:${request.requestId}`;
  expect(keys).toEqual({
    ...{ beginTutorAccount: `${key}/begin`, refuseTutorAccount: `${key}/begin/undo` },
    ...{ openPayeeAccount: `${key}/account`, closePayeeAccount: `${key}/account/undo` },
    ...{ makeTutorProfile: `${key}/profile`, removeTutorProfile: `${key}/profile/undo` },
  });
});

describe('a step that fails', () => {
  test.each(UNDOABLE)('%s refused: it and all before it are undone, last first', async (does) => {
    const saga = await start({ [does]: refuses('validation_failed') });
    await expect(saga.result()).resolves.toEqual({ outcome: 'refused', reason: 'validation_failed' });
    expect(saga.calls.slice(saga.calls.indexOf(does) + 1)).toEqual(undoneAfter(does));
    expect(await saga.attribute('SagaState')).toBe('Compensated');
  });

  test.each(UNDOABLE)('%s that never answers is given up and undone: it may have happened', async (does) => {
    const saga = await start({ [does]: isAway });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'refused' });
    const after = saga.calls.slice(saga.calls.indexOf(does) + 1);
    expect(after.filter((call) => call !== does)).toEqual(undoneAfter(does));
  });

  test.each(UNDOABLE)('%s that fails for a while is retried, and the rest goes on', async (does) => {
    const saga = await start({ [does]: fails(2, done) });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'opened' });
    expect(saga.calls).not.toContain('refuseTutorAccount');
  });
});

describe('a cancel', () => {
  test('while the account is made waits for that to end and undoes everything', async () => {
    const running = gate();
    const saga = await start({ openPayeeAccount: running.activity });
    await saga.called('openPayeeAccount');
    await saga.handle.cancel();
    await saga.cancelRequested();
    running.open();
    await expect(saga.result()).resolves.toEqual({ outcome: 'refused', reason: 'cancelled_by_operator' });
    expect(saga.calls.slice(-2)).toEqual(['closePayeeAccount', 'refuseTutorAccount']);
    expect(saga.calls).not.toContain('becomeTutor');
  });

  test('while the last step is made late, because its service was away, undoes that too, although it succeeds', async () => {
    const running = gate();
    let localAttempts = 0;
    const saga = await start({
      makeTutorProfile: (step, attempt) => (++localAttempts <= 7 ? isAway(step, attempt) : running.activity()),
    });
    await saga.called('makeTutorProfile');
    await harness.env.sleep(30 * SECOND);
    await saga.called('makeTutorProfile', 2);
    await saga.handle.cancel();
    await saga.cancelRequested();
    running.open();
    await expect(saga.result()).resolves.toEqual({ outcome: 'refused', reason: 'cancelled_by_operator' });
    expect(saga.calls.slice(-3)).toEqual(['removeTutorProfile', 'closePayeeAccount', 'refuseTutorAccount']);
    expect(saga.calls).not.toContain('becomeTutor');
  });

  test('after the pivot is too late', async () => {
    const running = gate({ tutor: true });
    const saga = await start({ becomeTutor: running.activity });
    await saga.called('becomeTutor');
    await saga.handle.cancel();
    running.open();
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'opened' });
    expect(saga.calls).not.toContain('refuseTutorAccount');
  });
});

describe('the role', () => {
  test('is pursued until it is given: for an hour quietly, then with an operator', async () => {
    let mended = false;
    const saga = await start({ becomeTutor: () => (mended ? { tutor: true } : isAway(undefined, 1)) });
    await saga.called('becomeTutor');
    await harness.env.sleep(2 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    mended = true;
    await saga.update('resolve', { action: 'retry', noteId: null });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'opened' });
  });

  test('that an operator gives up ends the saga without undoing anything', async () => {
    const saga = await start({ becomeTutor: refuses('not_found') });
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await expect(saga.result()).resolves.toEqual({ outcome: 'settled_by_operator', reason: 'role' });
    expect(saga.calls).not.toContain('refuseTutorAccount');
  });
});

test('whoever waits hears that it came to nothing when all is undone, however long an undo takes', async () => {
  let mended = false;
  const saga = await start({
    makeTutorProfile: refuses('conflict'),
    removeTutorProfile: () => (mended ? undefined : isAway(undefined, 1)),
  });
  await saga.called('removeTutorProfile');
  await harness.env.sleep(5 * MINUTE);
  expect(saga.calls).not.toContain('closePayeeAccount');
  mended = true;
  await expect(saga.result()).resolves.toMatchObject({ outcome: 'refused' });
  expect(saga.calls.slice(-2)).toEqual(['closePayeeAccount', 'refuseTutorAccount']);
});
