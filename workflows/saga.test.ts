import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { SagaType } from '../kernel/saga-type';
import { HOUR, MINUTE, SECOND } from '../kernel/time';
import { REHEARSAL_ACTIVITIES, type Rehearsal } from '../tests/support/rehearsals';
import {
  fails,
  gate,
  refuses,
  type SagaHarness,
  type StartedSaga,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness({
    workflowsPath: join(__dirname, '../tests/support/rehearsals.ts'),
    activities: REHEARSAL_ACTIVITIES,
  });
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

const rehearsalSaga: SagaType<Rehearsal> = {
  workflowType: 'rehearsal',
  taskQueue: 'booking',
  workflowId: ({ id }) => `rehearsal:${id}`,
  searchAttributes: () => ({ SagaKind: 'booking' }),
  summary: ({ play }) => play,
};

interface Call {
  name: string;
  key: string;
  did?: unknown;
}

/** Plays with activities that note their input, the given ones instead of those that succeed. */
async function start(
  play: Rehearsal['play'],
  change: Record<string, TestActivity> = {},
  runs: Rehearsal['runs'] = 'local',
): Promise<{ saga: StartedSaga; noted: Call[]; id: string }> {
  const noted: Call[] = [];
  const activities = Object.fromEntries(
    REHEARSAL_ACTIVITIES.map((name): [string, TestActivity] => [
      name,
      (input: { key: string; did?: unknown }, attempt) => {
        if (attempt === 1) noted.push({ name, ...input });
        return change[name] ? change[name](input, attempt) : `result of ${name}`;
      },
    ]),
  );
  const id = randomUUID();
  return { saga: await harness.start(rehearsalSaga, { id, play, runs }, activities), noted, id: `rehearsal:${id}` };
}

/** What an operator reads in the Web UI. */
async function details(saga: StartedSaga): Promise<string> {
  const metadata = await saga.handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

const retry = { action: 'retry', noteId: null };
const accept = { action: 'accept', noteId: null };

describe.each(['local', 'recorded'] as const)('undo, with %s steps', (runs) => {
  test('goes last first, each with what its step returned and a key of its own', async () => {
    const { saga, noted, id } = await start('steps', { doC: refuses('conflict') }, runs);
    await expect(saga.result()).resolves.toBe('conflict');
    expect(noted).toEqual([
      { name: 'doA', key: `${id}/A` },
      { name: 'doB', key: `${id}/B` },
      { name: 'doC', key: `${id}/C` },
      // C may have happened although it failed, so its undo was registered before.
      { name: 'undoC', key: `${id}/C/undo`, did: 'unknown' },
      { name: 'undoB', key: `${id}/B/undo`, did: 'result of doB' },
      { name: 'undoA', key: `${id}/A/undo`, did: 'result of doA' },
    ]);
  });

  test('touches no step that was not begun', async () => {
    const { saga } = await start('steps', { doA: refuses('conflict') }, runs);
    await saga.result();
    expect(saga.calls).toEqual(['doA', 'undoA']);
  });

  test('touches nothing from before the pivot', async () => {
    const { saga } = await start('pivot-after-A', { doC: refuses('conflict') }, runs);
    await saga.result();
    expect(saga.calls).toEqual(['doA', 'doB', 'doC', 'undoC', 'undoB']);
  });

  test('runs although the workflow was cancelled', async () => {
    const { saga } = await start('steps-then-wait', {}, runs);
    // The time-skipping server cannot take a cancel that meets an activity which ends in the same moment; the real one can.
    await saga.becomes('Confirmed');
    await saga.handle.cancel();
    await expect(saga.result()).resolves.toBe('cancelled');
    expect(saga.calls.slice(-3)).toEqual(['undoC', 'undoB', 'undoA']);
  });

  test('that fails for half an hour does not hold up the others, and is retried until it is done', async () => {
    let mended = false;
    const { saga } = await start(
      'steps',
      {
        doC: refuses('conflict'),
        undoB: (input, attempt) => (mended ? undefined : fails()(input, attempt)),
      },
      runs,
    );
    await saga.called('undoB');
    await harness.env.sleep(20 * SECOND);
    expect(saga.calls).not.toContain('undoA');
    await harness.env.sleep(MINUTE);
    await saga.called('undoA');
    expect(await saga.attribute('SagaState')).toBe('Compensating');
    await harness.env.sleep(30 * MINUTE);
    expect(await saga.attribute('SagaState')).toBe('Compensating');
    mended = true;
    await expect(saga.result()).resolves.toBe('conflict');
  });

  test('that fails for an hour asks for an operator by name, and goes on by itself when it is mended', async () => {
    let mended = false;
    const { saga } = await start(
      'steps',
      {
        doC: refuses('conflict'),
        undoB: (input, attempt) => (mended ? undefined : fails()(input, attempt)),
      },
      runs,
    );
    await saga.called('undoB');
    await harness.env.sleep(2 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    const said = await details(saga);
    expect(said).toContain('**undo B** is not done: upstream_unavailable');
    expect(said).toContain('Undoing.');
    expect(said).toContain('resolve');
    mended = true;
    await expect(saga.result()).resolves.toBe('conflict');
    expect(await saga.attribute('SagaState')).toBe('Compensating');
  });
});

test('the next undo starts when the one before it has ended', async () => {
  const running = gate();
  const { saga } = await start('steps', { doC: refuses('conflict'), undoC: running.activity }, 'recorded');
  await saga.called('undoC');
  await harness.env.sleep(SECOND);
  expect(saga.calls.at(-1)).toBe('undoC');
  running.open();
  await expect(saga.result()).resolves.toBe('conflict');
  expect(saga.calls.slice(-3)).toEqual(['undoC', 'undoB', 'undoA']);
});

test('a saga in which nothing fails undoes nothing', async () => {
  const { saga } = await start('steps');
  await expect(saga.result()).resolves.toBe('done');
  expect(saga.calls).toEqual(['doA', 'doB', 'doC']);
});

describe('what must happen', () => {
  test('gives back what it returned, under the key of its name', async () => {
    const { saga, noted, id } = await start('forward');
    await expect(saga.result()).resolves.toBe('result of mend');
    expect(noted).toEqual([{ name: 'mend', key: `${id}/mend` }]);
  });

  test.each(['local', 'recorded'] as const)('goes on although the workflow was cancelled (%s)', async (runs) => {
    const running = gate('late');
    const { saga } = await start('forward', { mend: running.activity }, runs);
    await saga.called('mend');
    await saga.handle.cancel();
    running.open();
    await expect(saga.result()).resolves.toBe('late');
  });

  test('is called for an operator at once when it is refused, and retried with growing pauses meanwhile', async () => {
    let mended = false;
    const at: number[] = [];
    const { saga } = await start('forward', {
      mend: async (input, attempt) => {
        at.push(await harness.env.currentTimeMs());
        return mended ? 'mended' : refuses('invalid_state')(input, attempt);
      },
    });
    await saga.becomes('NeedsAttention');
    expect(await details(saga)).toContain('**mend** is not done: invalid_state');
    await harness.env.sleep(2 * HOUR);
    const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(pauses.length).toBeLessThan(25);
    expect(pauses[0]).toBeLessThan(5 * SECOND);
    expect(Math.max(...pauses)).toBeGreaterThan(14 * MINUTE);
    expect(Math.max(...pauses)).toBeLessThan(16 * MINUTE);
    mended = true;
    await expect(saga.result()).resolves.toBe('mended');
  });

  test('is tried again at once when an operator says so', async () => {
    let mended = false;
    const { saga } = await start('forward', {
      mend: (input, attempt) => (mended ? 'mended' : refuses('invalid_state')(input, attempt)),
    });
    await saga.called('mend');
    await harness.env.sleep(HOUR); // by now it pauses for a quarter of an hour
    const calls = saga.calls.length;
    mended = true;
    const before = await harness.env.currentTimeMs();
    await saga.update('resolve', retry);
    await saga.called('mend', calls + 1);
    expect((await harness.env.currentTimeMs()) - before).toBeLessThan(MINUTE);
    await expect(saga.result()).resolves.toBe('mended');
  });

  test('stays in need of attention when the operator’s retry fails too', async () => {
    const { saga } = await start('forward', { mend: refuses('invalid_state') });
    await saga.becomes('NeedsAttention');
    const calls = saga.calls.length;
    await saga.update('resolve', retry);
    await saga.called('mend', calls + 1);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    await saga.update('resolve', accept);
    await expect(saga.result()).resolves.toBeUndefined();
  });

  test('is given up when an operator accepts that, even while an attempt retries', async () => {
    const { saga } = await start('forward', { mend: fails() }, 'recorded');
    await saga.called('mend');
    await harness.env.sleep(90 * MINUTE);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    await saga.update('resolve', accept);
    await expect(saga.result()).resolves.toBeUndefined();
    expect(await saga.attribute('SagaState')).toBe('Running');
  });

  test('one answer of the operator is for all that is stuck', async () => {
    const { saga } = await start('forward-twice', { mend: refuses('invalid_state') });
    await saga.called('mend', 2);
    await saga.becomes('NeedsAttention');
    await harness.env.sleep(MINUTE);
    await saga.update('resolve', accept);
    await expect(saga.result()).resolves.toEqual([null, null]);
  });
});

describe('resolve', () => {
  test('is refused while nothing needs attention', async () => {
    const { saga } = await start('steps-then-wait');
    await saga.becomes('Confirmed');
    await expect(saga.update('resolve', retry)).rejects.toThrow('invalid_state');
  });

  test('is refused with anything but retry or accept', async () => {
    const { saga } = await start('forward', { mend: refuses('invalid_state') });
    await saga.becomes('NeedsAttention');
    await expect(saga.update('resolve', { action: 'forget', noteId: null })).rejects.toThrow('validation_failed');
    await saga.update('resolve', accept);
    await saga.result();
  });
});

describe('asking the operator', () => {
  test.each(['retry', 'accept'] as const)('says what it is about, waits for days, and hands on %s', async (action) => {
    const { saga } = await start('ask');
    await saga.becomes('NeedsAttention');
    expect(await details(saga)).toContain('**mend** is not done: the tap drips');
    await harness.env.sleep(100 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    await saga.update('resolve', { action, noteId: null });
    await expect(saga.result()).resolves.toBe(action);
    expect(await saga.attribute('SagaState')).toBe('Running');
  });
});

test('a failure is known by its code, wrapped or not; one that ran out of time as upstream_unavailable', async () => {
  const { saga } = await start('codes');
  await expect(saga.result()).resolves.toEqual([
    'slot_unavailable',
    'slot_unavailable',
    'upstream_unavailable',
    'internal',
    'internal',
  ]);
});

test('a saga that was started without a trace runs without one', async () => {
  const running = harness.env.client.workflow.execute(rehearsalSaga.workflowType, {
    workflowId: `rehearsal:${randomUUID()}`,
    taskQueue: rehearsalSaga.taskQueue,
    args: [{ id: '', play: 'codes', runs: 'local' }],
  });
  await expect(running).resolves.toHaveLength(5);
});
