import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { SagaType } from '../kernel/saga-type';
import { HOUR, MINUTE, SECOND } from '../kernel/time';
import { REHEARSAL_ACTIVITIES, type Rehearsal } from '../tests/support/rehearsals';
import {
  gate,
  isAway,
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

const retry = { action: 'retry', noteId: null };
const accept = { action: 'accept', noteId: null };
const DAY = 24 * HOUR;

async function eventsOf(saga: StartedSaga): Promise<number> {
  return (await saga.handle.fetchHistory()).events?.length ?? 0;
}

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
        undoB: (input, attempt) => (mended ? undefined : isAway(input, attempt)),
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
        undoB: (input, attempt) => (mended ? undefined : isAway(input, attempt)),
      },
      runs,
    );
    await saga.called('undoB');
    await harness.env.sleep(2 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    const said = await saga.details();
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

  test('is called for an operator at once when it is refused, and is not asked again before the operator answers', async () => {
    let mended = false;
    const { saga } = await start('forward', {
      mend: (input, attempt) => (mended ? 'mended' : refuses('invalid_state')(input, attempt)),
    });
    await saga.becomes('NeedsAttention');
    expect(await saga.details()).toContain('**mend** is not done: invalid_state');
    const events = await eventsOf(saga);
    await harness.env.sleep(7 * DAY);
    expect(saga.calls).toEqual(['mend']);
    expect(await eventsOf(saga)).toBe(events);
    mended = true;
    await saga.update('resolve', retry);
    await expect(saga.result()).resolves.toBe('mended');
  });

  test('is tried again at once when an operator says so', async () => {
    let mended = false;
    const { saga } = await start('forward', {
      mend: (input, attempt) => (mended ? 'mended' : refuses('invalid_state')(input, attempt)),
    });
    await saga.called('mend');
    await harness.env.sleep(HOUR);
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

  test.each(['local', 'recorded'] as const)(
    'that fails for days writes at most ten events a day, and nothing is lost when it is mended (%s)',
    async (runs) => {
      let mended = false;
      const { saga } = await start(
        'forward',
        { mend: (input, attempt) => (mended ? 'mended' : isAway(input, attempt)) },
        runs,
      );
      await saga.called('mend');
      await harness.env.sleep(DAY);
      const first = await eventsOf(saga);
      await harness.env.sleep(2 * DAY);
      expect((await eventsOf(saga)) - first).toBeLessThanOrEqual(20);
      expect(await saga.details()).toContain('**mend** is not done: upstream_unavailable');
      mended = true;
      await expect(saga.result()).resolves.toBe('mended');
    },
  );

  test('is given up when an operator accepts that, even while an attempt retries', async () => {
    let given = false;
    const { saga } = await start(
      'forward',
      // The time-skipping server goes on with the retries of an activity that was cancelled between two attempts.
      { mend: (input, attempt) => (given ? undefined : isAway(input, attempt)) },
      'recorded',
    );
    await saga.called('mend');
    await harness.env.sleep(90 * MINUTE);
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', accept);
    given = true;
    await expect(saga.result()).resolves.toBeUndefined();
    expect(await saga.attribute('SagaState')).toBe('Running');
  });
});

describe('of two things that are stuck', () => {
  const twoStuck = async () => {
    const { saga } = await start('forward-twice', { mend: refuses('invalid_state') });
    await saga.called('mend', 2);
    await saga.becomes('NeedsAttention');
    return saga;
  };

  test('the one that an operator names is answered, and the other stays', async () => {
    const saga = await twoStuck();
    await saga.update('resolve', { ...accept, step: 'mend again' });
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    expect(await saga.details()).not.toContain('mend again');
    await saga.update('resolve', accept);
    await expect(saga.result()).resolves.toEqual([null, null]);
  });

  test.each([
    ['an answer that names none', accept],
    ['one that names another', { ...accept, step: 'rend' }],
  ])('%s is refused', async (_, answer) => {
    const saga = await twoStuck();
    await expect(saga.update('resolve', answer)).rejects.toThrow('validation_failed');
    for (const step of ['mend', 'mend again']) await saga.update('resolve', { ...accept, step });
    await saga.result();
  });
});

describe('money that is stuck', () => {
  const stuck = async () => {
    const { saga, noted } = await start('forward-money', { mend: refuses('refund_failed') });
    await saga.becomes('NeedsAttention');
    return { saga, noted };
  };

  test('is not given up without saying what became of it', async () => {
    const { saga } = await stuck();
    await expect(saga.update('resolve', accept)).rejects.toThrow('validation_failed');
    await saga.update('resolve', { action: 'waived' });
    await saga.result();
  });

  test.each(['paid_elsewhere', 'waived'])('and was %s is freed of what was reserved', async (action) => {
    const { saga, noted } = await stuck();
    await saga.update('resolve', { step: 'mend', action });
    await expect(saga.result()).resolves.toBeUndefined();
    expect(noted.at(-1)).toEqual({ name: 'undoA', key: action });
  });

  test('is given up by no name of money where it is about none', async () => {
    const { saga } = await start('forward', { mend: refuses('invalid_state') });
    await saga.becomes('NeedsAttention');
    await expect(saga.update('resolve', { action: 'waived' })).rejects.toThrow('validation_failed');
    await saga.update('resolve', accept);
    await saga.result();
  });
});

describe('resolve', () => {
  test('is refused while nothing needs attention', async () => {
    const { saga } = await start('steps-then-wait');
    await saga.becomes('Confirmed');
    await expect(saga.update('resolve', retry)).rejects.toThrow('invalid_state');
  });

  test.each([[{ action: 'forget' }], [{}], [null], ['retry'], [{ action: 'retry', step: 7 }]])(
    'is refused with %j',
    async (asked) => {
      const { saga } = await start('forward', { mend: refuses('invalid_state') });
      await saga.becomes('NeedsAttention');
      await expect(saga.update('resolve', asked)).rejects.toThrow('validation_failed');
      await saga.update('resolve', accept);
      await saga.result();
    },
  );
});

describe('asking the operator', () => {
  test.each([
    ['ask', 'retry', []],
    ['ask', 'accept', []],
    ['ask-money', 'retry', []],
    ['ask-money', 'waived', ['undoA']],
  ] as const)('by %s says what it is about, waits for days, and hands on %s', async (play, action, settled) => {
    const { saga, noted } = await start(play);
    await saga.becomes('NeedsAttention');
    expect(await saga.details()).toContain('**mend** is not done: the tap drips');
    await harness.env.sleep(100 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    await saga.update('resolve', { action, noteId: null });
    await expect(saga.result()).resolves.toBe(action);
    expect(noted.map(({ name }) => name)).toEqual(settled);
    expect(await saga.attribute('SagaState')).toBe('Running');
  });

  test.each([
    ['ask', 'waived'],
    ['ask-money', 'accept'],
  ] as const)('by %s takes no %s', async (play, action) => {
    const { saga } = await start(play);
    await saga.becomes('NeedsAttention');
    await expect(saga.update('resolve', { action, noteId: null })).rejects.toThrow('validation_failed');
    await saga.update('resolve', { action: 'retry', noteId: null });
    await saga.result();
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
