import { DAY, HOUR } from '../kernel/time';
import { type DisputeScene, type OpenedDispute, openedDispute } from '../tests/support/dispute-saga';
import { quotedIn, tableOf } from '../tests/support/markdown-tables';
import {
  gate,
  isAway,
  refuses,
  type SagaHarness,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { DISPUTE_STEPS } from './dispute';

const { look, submit, close } = DISPUTE_STEPS;

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

let dispute: DisputeScene;
// Whatever became of it: a worker that takes it over makes the same of its history.
afterEach(async () => {
  if (dispute) await harness.replay(dispute.saga.handle);
});

async function start(
  opened?: OpenedDispute,
  change?: Record<string, TestActivity>,
  bookingId?: string | null,
): Promise<void> {
  dispute = await openedDispute(harness, opened, change, bookingId);
}
const sleep = (ms: number) => harness.env.sleep(ms);

describe('a payee is told', () => {
  test('of a chargeback, and that it was won', async () => {
    await start();
    await dispute.saga.becomes('AwaitingTutor');
    await dispute.ends('won');
    expect(dispute.names()).toEqual(['opened-chargeback', 'decided-won']);
    expect(dispute.told).toMatchObject([
      { news: 'opened', status: 'needs_response' },
      { news: 'decided', status: 'won' },
    ]);
    expect(await dispute.saga.attribute('SagaState')).toBe('Completed');
  });

  test('that it was lost', async () => {
    await start();
    await dispute.saga.called('notifyDispute');
    await dispute.ends('lost');
    expect(dispute.names()).toEqual(['opened-chargeback', 'decided-lost']);
    expect(dispute.count(submit.does)).toBe(0);
  });

  test('of an inquiry that is closed', async () => {
    await start({ status: 'warning_needs_response' });
    await dispute.saga.becomes('AwaitingTutor');
    expect(await dispute.details()).toContain('an inquiry about 45.00 EUR; its payee can say something until');
    await dispute.ends('warning_closed');
    expect(dispute.names()).toEqual(['opened-inquiry', 'decided-warning_closed']);
  });

  test('of an inquiry, and again when the bank takes the money after all, with another deadline', async () => {
    await start({ status: 'warning_needs_response', days: 5 });
    await dispute.saga.becomes('AwaitingTutor');
    await sleep(3 * DAY);
    const submitBy = new Date((await harness.env.currentTimeMs()) + 10 * DAY).toISOString();
    dispute.becomes({ status: 'needs_response', submitBy });
    await dispute.tell();
    await dispute.says(`a chargeback of 45.00 EUR; its payee can say something until ${submitBy}`);
    await sleep(8 * DAY);
    const [, first, ...then] = dispute.names();
    expect(first).toMatch(/^reminder-72\//);
    expect(then).toEqual(['opened-chargeback', `reminder-72/${submitBy}`]);
    await dispute.ends('lost');
  });

  test('only of the end when it has ended before anybody looked', async () => {
    await start({ status: 'won', decided: true, submitBy: null });
    await expect(dispute.saga.result()).resolves.toEqual({ status: 'won' });
    expect(dispute.names()).toEqual(['decided-won']);
    expect(dispute.saga.calls).toEqual([look.does, 'notifyDispute', close.does]);
  });

  test('while notification is away nothing waits for it, and the end waits for no longer than a day', async () => {
    await start({ days: 1 }, { notifyDispute: isAway });
    await dispute.isLate();
    dispute.decided('won');
    await dispute.tell();
    await expect(dispute.saga.result()).resolves.toEqual({ status: 'won' });
    expect(dispute.count('notifyDispute')).toBe(2);
  });
});

describe('a payee who has said nothing is reminded', () => {
  test('three days and one day before it is too late', async () => {
    await start({ days: 10 });
    const { submitBy } = dispute.now();
    await sleep(7 * DAY - HOUR);
    expect(dispute.names()).toEqual(['opened-chargeback']);
    await sleep(2 * HOUR);
    expect(dispute.names()).toEqual(['opened-chargeback', `reminder-72/${submitBy}`]);
    await dispute.isLate();
    expect(dispute.names()).toEqual(['opened-chargeback', `reminder-72/${submitBy}`, `reminder-24/${submitBy}`]);
    await dispute.ends('lost');
  });

  test('not of what was said just now: a bank may leave little time', async () => {
    await start({ days: 2 });
    const { submitBy } = dispute.now();
    await dispute.isLate();
    expect(dispute.names()).toEqual(['opened-chargeback', `reminder-24/${submitBy}`]);
    await dispute.ends('lost');
  });

  test('once, by the latest, when nobody could look for days', async () => {
    let away = false;
    await start({ days: 10 }, { [look.does]: (asked, attempt) => (away ? isAway(asked, attempt) : dispute.now()) });
    const { submitBy } = dispute.now();
    await dispute.saga.becomes('AwaitingTutor');
    away = true;
    await sleep(9 * DAY + HOUR);
    away = false;
    await dispute.isLate();
    expect(dispute.names()).toEqual(['opened-chargeback', `reminder-24/${submitBy}`]);
    await dispute.ends('lost');
  });

  test('no more once they have said something, which is sent in time', async () => {
    await start({ days: 10 });
    const { submitBy } = dispute.now();
    await dispute.saga.becomes('AwaitingTutor');
    dispute.becomes({ stated: true });
    await dispute.tell();
    await dispute.says(`its payee has said something, which is sent at ${submitBy}`);
    expect(await dispute.saga.attribute('SagaState')).toBe('Running');
    await dispute.isLate();
    expect(dispute.names()).toEqual(['opened-chargeback']);
    await dispute.ends('won');
  });
});

describe('it looks', () => {
  test('every day by itself: a lost webhook is found out', async () => {
    await start();
    await dispute.saga.becomes('AwaitingTutor');
    dispute.decided('lost');
    await expect(dispute.saga.result()).resolves.toEqual({ status: 'lost' });
  });

  test('at news of a version that nobody knows once, not without end', async () => {
    await start();
    await dispute.saga.becomes('AwaitingTutor');
    await dispute.tell(1_000);
    await dispute.saga.called(look.does, 2);
    await sleep(HOUR);
    expect(dispute.count(look.does)).toBe(2);
    await dispute.ends('won');
  });

  test('no more when an operator says so, while payment does not answer', async () => {
    await start({}, { [look.does]: isAway });
    await dispute.says('asking Stripe');
    await sleep(2 * HOUR);
    await dispute.saga.becomes('NeedsAttention');
    await dispute.resolve('accept', 'look');
    await expect(dispute.saga.result()).resolves.toEqual({ status: null });
  });
});

describe('the end', () => {
  test('that changes while it is noted is told as it is then', async () => {
    const closings: { version: number; key: string }[] = [];
    await start(
      {},
      {
        [close.does]({ version, key }) {
          closings.push({ version, key });
          if (closings.length === 1) dispute.becomes({ status: 'won' });
          return dispute.now();
        },
      },
    );
    await dispute.saga.becomes('AwaitingTutor');
    dispute.decided('lost');
    await dispute.tell();
    await expect(dispute.saga.result()).resolves.toEqual({ status: 'won' });
    expect(dispute.names()).toEqual(['opened-chargeback', 'decided-lost', 'decided-won']);
    const key = `dispute:${dispute.input.disputeId}/close`;
    expect(closings).toEqual([
      { version: 2, key: `${key}/2` },
      { version: 3, key: `${key}/3` },
    ]);
  });

  test('of which news come while it is noted is looked at again', async () => {
    const closing = gate();
    await start(
      {},
      {
        async [close.does]() {
          const before = dispute.now();
          if (before.status === 'warning_closed') await closing.activity();
          return before;
        },
      },
    );
    await dispute.saga.becomes('AwaitingTutor');
    dispute.decided('warning_closed');
    await dispute.tell();
    await dispute.saga.called(close.does);
    dispute.decided('lost');
    await dispute.tell();
    closing.open();
    await expect(dispute.saga.result()).resolves.toEqual({ status: 'lost' });
    expect(dispute.names().slice(-2)).toEqual(['decided-warning_closed', 'decided-lost']);
  });

  test('of an inquiry that goes on after all is none', async () => {
    await start({ status: 'warning_needs_response' });
    await dispute.saga.becomes('AwaitingTutor');
    const submitBy = dispute.now().submitBy;
    dispute.decided('warning_closed');
    await dispute.tell();
    await dispute.saga.called(close.does);
    await expect(dispute.saga.result()).resolves.toEqual({ status: 'warning_closed' });
    // Its service starts it again, under the same id.
    dispute.becomes({ status: 'needs_response', decided: false, submitBy });
    await dispute.begin();
    await dispute.saga.becomes('AwaitingTutor');
    await dispute.ends('won');
    expect(dispute.names().slice(-2)).toEqual(['opened-chargeback', 'decided-won']);
  });

  test('is an operator’s when payment does not take it, who accepts that it is not noted', async () => {
    await start({}, { [close.does]: refuses('not_found') });
    await dispute.saga.becomes('AwaitingTutor');
    dispute.decided('won');
    await dispute.tell();
    await dispute.saga.becomes('NeedsAttention');
    await dispute.resolve('accept', 'close');
    await expect(dispute.saga.result()).resolves.toEqual({ status: 'won' });
  });
});

test('who cancels the saga changes nothing', async () => {
  await start();
  await dispute.saga.becomes('AwaitingTutor');
  await dispute.saga.handle.cancel();
  await dispute.isLate();
  await dispute.ends('won');
  expect(dispute.names()).toContain('decided-won');
});

test('its page says of every step what it calls, what takes it back, and how it runs', () => {
  const said = tableOf('docs/sagas/dispute.md', 'Steps').map((step) => [
    ...quotedIn(`${step.step} ${step.do}`).slice(0, 2),
    quotedIn(step.undo ?? '')[0] ?? null,
    step.runs?.split(/[,;]/)[0],
  ]);
  const steps = Object.entries(DISPUTE_STEPS).map(([step, { does, undo, runs }]) => [step, does, undo, runs]);
  expect(said).toEqual(expect.arrayContaining(steps));
});
