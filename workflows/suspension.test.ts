import { randomUUID } from 'node:crypto';
import { DAY, HOUR, MINUTE, SECOND } from '../kernel/time';
import {
  fails,
  isAway,
  refuses,
  type SagaHarness,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { SUSPENSION_STEPS } from './suspension';
import { suspensionEnded, suspensionSaga } from './suspension.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

/** A suspension as identity has it, which the activities of a test read. */
interface State {
  tutor: boolean;
  until: string | null;
  over: boolean;
}

const done = () => undefined;
const allGoesWell = (state: State): Record<string, TestActivity> => ({
  lookAtSuspension: () => state,
  unlistTutor: done,
  freezePayouts: done,
  withdrawSessions: () => ({ count: 0, ask: [] }),
  reinstateUser: () => ({ reinstated: true }),
  thawPayouts: done,
  relistTutor: done,
});
const inMs = async (ms: number) => new Date((await harness.env.currentTimeMs()) + ms).toISOString();

async function suspended(change: Partial<State> = {}, activities: Record<string, TestActivity> = {}) {
  const input = { suspensionId: randomUUID(), userId: randomUUID() };
  const state: State = { tutor: true, until: null, over: false, ...change };
  const saga = await harness.start(suspensionSaga, input, { ...allGoesWell(state), ...activities });
  /** Once it rests: this server loses a signal that meets a task. */
  const told = async () => {
    await saga.details();
    await saga.handle.signal(suspensionEnded, { suspensionId: input.suspensionId });
  };
  return { saga, state, told };
}
/** Lets time pass until an operator is needed: what is waited for may be set only while it passes. */
async function needsOperator({ attribute }: { attribute(name: string): Promise<unknown> }): Promise<void> {
  while ((await attribute('SagaState')) !== 'NeedsAttention') await harness.env.sleep(10 * MINUTE);
}
const withoutLooks = (calls: string[]) => calls.filter((call) => call !== 'lookAtSuspension');
/** What is done to a tutor, with the second look at their bookings. */
const TAKEN = ['unlistTutor', 'freezePayouts', 'withdrawSessions', 'withdrawSessions'];
const GIVEN_BACK = ['reinstateUser', 'thawPayouts', 'relistTutor'];

test('a tutor is unlisted, not paid out and withdrawn until the day, and has all back then', async () => {
  const { saga } = await suspended({ until: await inMs(3 * DAY) });
  await expect(saga.result()).resolves.toEqual({ outcome: 'ended' });
  const calls = withoutLooks(saga.calls);
  expect(calls.slice(0, 4).toSorted()).toEqual(TAKEN.toSorted());
  expect(calls[2]).toBe('withdrawSessions');
  expect(calls.slice(4).toSorted()).toEqual(GIVEN_BACK.toSorted());
  expect(calls[4]).toBe('reinstateUser');
  expect(await saga.attribute('SagaState')).toBe('Completed');
  const steps = Object.values(SUSPENSION_STEPS).map(({ does }) => does);
  expect([...new Set(saga.calls)].toSorted()).toEqual([...steps].toSorted());
});

test('of a student only the bookings are looked at', async () => {
  const { saga } = await suspended({ tutor: false, until: await inMs(DAY) });
  await saga.result();
  expect(withoutLooks(saga.calls)).toEqual(['withdrawSessions', 'withdrawSessions', 'reinstateUser']);
});

test('without a day it lasts until an administrator ends it, of which a signal tells', async () => {
  const { saga, state, told } = await suspended();
  await harness.env.sleep(40 * DAY + HOUR);
  expect(saga.calls).not.toContain('reinstateUser');
  await told(); // too soon: the row counts
  await harness.env.sleep(HOUR);
  expect(saga.calls).not.toContain('reinstateUser');
  state.over = true;
  await told();
  await expect(saga.result()).resolves.toEqual({ outcome: 'ended' });
  expect(withoutLooks(saga.calls).slice(-3).toSorted()).toEqual(GIVEN_BACK.toSorted());
});

test('whose end nobody told of is noticed within a day', async () => {
  const { saga, state } = await suspended();
  await harness.env.sleep(HOUR);
  state.over = true;
  const before = await harness.env.currentTimeMs();
  await saga.result();
  expect((await harness.env.currentTimeMs()) - before).toBeLessThanOrEqual(DAY);
});

test('that is over before its bookings are looked at again looks at none', async () => {
  // identity is away for longer than until the second look.
  const reinstateUser = fails(8, () => ({ reinstated: true }));
  const { saga } = await suspended({ until: await inMs(30 * SECOND) }, { reinstateUser });
  await expect(saga.result()).resolves.toEqual({ outcome: 'ended' });
  expect(saga.calls.filter((call) => call === 'withdrawSessions')).toHaveLength(1);
});

test('of which an operator wants to know no more is over', async () => {
  const { saga } = await suspended({}, { lookAtSuspension: refuses('not_found') });
  for (let looks = 0; looks < 2; looks++) {
    await needsOperator(saga);
    await saga.update('resolve', { step: 'look', action: 'accept', noteId: null });
  }
  await expect(saga.result()).resolves.toEqual({ outcome: 'ended' });
  expect(withoutLooks(saga.calls)).toEqual(['reinstateUser']);
});

test('that is over before it begins takes nothing', async () => {
  const { saga } = await suspended({ over: true });
  await saga.result();
  expect(withoutLooks(saga.calls).toSorted()).toEqual(GIVEN_BACK.toSorted());
});

describe('bookings that are left', () => {
  const left = (...ids: string[]) => ({ withdrawSessions: () => ({ count: ids.length, ask: ids }) });

  test('are named for an operator, who keeps them', async () => {
    const { saga, state, told } = await suspended({}, left('b1', 'b2'));
    await saga.called('withdrawSessions');
    await needsOperator(saga);
    expect(await saga.details()).toContain('2 bookings are open: b1, b2');
    await saga.update('resolve', { step: 'bookings', action: 'accept', noteId: null });
    await saga.becomes('Running');
    state.over = true;
    await told();
    await saga.result();
    expect(saga.calls.filter((call) => call === 'withdrawSessions')).toHaveLength(2);
  });

  test('are looked at again once the operator has cancelled some', async () => {
    const open = ['b1', 'b2'];
    const { saga, state, told } = await suspended(
      {},
      { withdrawSessions: () => ({ count: open.length, ask: [...open] }) },
    );
    await needsOperator(saga);
    open.pop();
    await saga.update('resolve', { action: 'retry', noteId: null });
    await saga.says('1 bookings are open: b1');
    open.pop();
    await saga.update('resolve', { action: 'retry', noteId: null });
    await saga.becomes('Running');
    state.over = true;
    await told();
    await saga.result();
  });

  test('are asked about no more when it is over', async () => {
    const { saga, state, told } = await suspended({}, left('b1'));
    await needsOperator(saga);
    state.over = true;
    await told();
    await expect(saga.result()).resolves.toEqual({ outcome: 'ended' });
    expect(saga.calls.filter((call) => call === 'withdrawSessions')).toHaveLength(2);
  });
});

test.each(['unlistTutor', 'freezePayouts', 'withdrawSessions', 'reinstateUser', 'thawPayouts', 'relistTutor'])(
  '%s is pursued until it is done, with an operator after an hour',
  async (does) => {
    let mended = false;
    const well = allGoesWell({ tutor: true, until: null, over: false })[does];
    const { saga } = await suspended(
      { until: await inMs(30 * MINUTE) },
      { [does]: (input, attempt) => (mended ? well?.(input, attempt) : isAway(input, attempt)) },
    );
    await needsOperator(saga);
    mended = true;
    await saga.update('resolve', { action: 'retry', noteId: null });
    await expect(saga.result()).resolves.toEqual({ outcome: 'ended' });
  },
);

test('an operator who gives the end up leaves the person out, and what was taken as it is', async () => {
  const { saga } = await suspended({ until: await inMs(HOUR) }, { reinstateUser: refuses('not_found') });
  await needsOperator(saga);
  await saga.update('resolve', { action: 'accept', noteId: null });
  await expect(saga.result()).resolves.toEqual({ outcome: 'kept' });
  expect(saga.calls).not.toContain('relistTutor');
});

test('a cancel changes nothing', async () => {
  const { saga, state, told } = await suspended();
  await saga.called('withdrawSessions');
  await saga.details();
  await saga.handle.cancel();
  await harness.env.sleep(2 * DAY + HOUR);
  expect(saga.calls).not.toContain('reinstateUser');
  state.over = true;
  await told();
  await expect(saga.result()).resolves.toEqual({ outcome: 'ended' });
});
