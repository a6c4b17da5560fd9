import { randomUUID } from 'node:crypto';
import type { DisputeSummary } from '../activities/dispute';
import { DAY, HOUR } from '../kernel/time';
import { quotedIn, tableOf } from '../tests/support/markdown-tables';
import {
  gate,
  isAway,
  refuses,
  type SagaHarness,
  type StartedSaga,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { DISPUTE_STEPS } from './dispute';
import { type DisputeInput, disputeChanged, disputeSaga } from './dispute.api';

const { look, gather, submit, close } = DISPUTE_STEPS;

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

let saga: StartedSaga;
// Whatever became of it: a worker that takes it over makes the same of its history.
afterEach(async () => {
  if (saga) await harness.replay(saga.handle);
});

let input: DisputeInput;
/** What payment would say. */
let state: DisputeSummary;
/** Under which keys the payee was told what. */
let told: { key: string; news: string; status: string }[];
const names = () => told.map(({ key }) => key.replace(`dispute:${input.disputeId}/`, ''));

/** Something has changed: a new version. */
function becomes(change: Partial<DisputeSummary>): void {
  state = { ...state, ...change, version: state.version + 1 };
}
const decided = (status: DisputeSummary['status']) =>
  becomes({ status, decided: true, submitBy: null, respondBy: null });
/** Payment's word of a change, as its webhook brings it. */
const tell = (version = state.version) => saga.handle.signal(disputeChanged, { disputeId: input.disputeId, version });

/** Activities of a payment service that does what it is asked, over `state`. */
const payment: Record<string, TestActivity> = {
  [look.does]: () => state,
  [gather.does]: () => undefined,
  [submit.does]: () => {
    const status = state.status === 'needs_response' ? 'under_review' : 'warning_under_review';
    becomes({ status, submitted: true, submitBy: null });
  },
  [close.does]: () => state,
  notifyDispute: ({ key, news, state: shown }) => {
    told.push({ key, news, status: shown.status });
  },
};

interface Opened extends Partial<DisputeSummary> {
  /** Until when its payee can say something. */
  days?: number;
}

/** A chargeback of a booking's payment, unless it is said otherwise. */
async function start(
  { days = 7, ...is }: Opened = {},
  change: Record<string, TestActivity> = {},
  bookingId: string | null = randomUUID(),
): Promise<void> {
  input = { disputeId: randomUUID(), paymentId: randomUUID(), bookingId, payeeId: randomUUID() };
  told = [];
  const submitBy = (await harness.env.currentTimeMs()) + days * DAY;
  state = {
    ...{ version: 1, status: 'needs_response', claim: '45.00 EUR', amount: { amount: 4_500, currency: 'EUR' } },
    ...{ submitBy: new Date(submitBy).toISOString(), respondBy: new Date(submitBy + DAY).toISOString() },
    ...{ stated: false, submitted: false, decided: false, ...is },
  };
  saga = await harness.start(disputeSaga, input, { ...payment, ...change });
}

const resolve = (action: string, step: string) => saga.update('resolve', { step, action });
const count = (name: string) => saga.calls.filter((call) => call === name).length;
const sleep = (ms: number) => harness.env.sleep(ms);
const details = async () =>
  (await saga.handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails ?? '';
/** Waits until its details, which operators read, say so. */
async function says(sentence: string): Promise<void> {
  while (!(await details()).includes(sentence)) await sleep(100);
}
/** Lets time pass until the payee can say nothing more, and what there is has been asked to be sent. */
async function isLate(times = 1): Promise<void> {
  await sleep(Date.parse(state.submitBy ?? '') - (await harness.env.currentTimeMs()) + HOUR);
  await saga.called(submit.does, times);
}
/** A bank decides, a webhook tells, and the saga ends. */
async function ends(status: DisputeSummary['status']): Promise<void> {
  decided(status);
  await tell();
  await expect(saga.result()).resolves.toEqual({ status });
}

describe('a payee is told', () => {
  test('of a chargeback, and that it was won', async () => {
    await start();
    await saga.becomes('AwaitingTutor');
    await ends('won');
    expect(names()).toEqual(['opened-chargeback', 'decided-won']);
    expect(told).toMatchObject([
      { news: 'opened', status: 'needs_response' },
      { news: 'decided', status: 'won' },
    ]);
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('that it was lost', async () => {
    await start();
    await saga.called('notifyDispute');
    await ends('lost');
    expect(names()).toEqual(['opened-chargeback', 'decided-lost']);
    expect(count(submit.does)).toBe(0);
  });

  test('of an inquiry that is closed', async () => {
    await start({ status: 'warning_needs_response' });
    await saga.becomes('AwaitingTutor');
    expect(await details()).toContain('an inquiry about 45.00 EUR; its payee can say something until');
    await ends('warning_closed');
    expect(names()).toEqual(['opened-inquiry', 'decided-warning_closed']);
  });

  test('of an inquiry, and again when the bank takes the money after all, with another deadline', async () => {
    await start({ status: 'warning_needs_response', days: 5 });
    await saga.becomes('AwaitingTutor');
    await sleep(3 * DAY);
    const submitBy = new Date((await harness.env.currentTimeMs()) + 10 * DAY).toISOString();
    becomes({ status: 'needs_response', submitBy });
    await tell();
    await says(`a chargeback of 45.00 EUR; its payee can say something until ${submitBy}`);
    await sleep(8 * DAY);
    const [, first, ...then] = names();
    expect(first).toMatch(/^reminder-72\//);
    expect(then).toEqual(['opened-chargeback', `reminder-72/${submitBy}`]);
    await ends('lost');
  });

  test('only of the end when it has ended before anybody looked', async () => {
    await start({ status: 'won', decided: true, submitBy: null });
    await expect(saga.result()).resolves.toEqual({ status: 'won' });
    expect(names()).toEqual(['decided-won']);
    expect(saga.calls).toEqual([look.does, 'notifyDispute', close.does]);
  });

  test('while notification is away nothing waits for it, and the end waits for no longer than a day', async () => {
    await start({ days: 1 }, { notifyDispute: isAway });
    await isLate();
    decided('won');
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'won' });
    expect(count('notifyDispute')).toBe(2);
  });
});

describe('a payee who has said nothing is reminded', () => {
  test('three days and one day before it is too late', async () => {
    await start({ days: 10 });
    const { submitBy } = state;
    await sleep(7 * DAY - HOUR);
    expect(names()).toEqual(['opened-chargeback']);
    await sleep(2 * HOUR);
    expect(names()).toEqual(['opened-chargeback', `reminder-72/${submitBy}`]);
    await isLate();
    expect(names()).toEqual(['opened-chargeback', `reminder-72/${submitBy}`, `reminder-24/${submitBy}`]);
    await ends('lost');
  });

  test('not of what was said just now: a bank may leave little time', async () => {
    await start({ days: 2 });
    const { submitBy } = state;
    await isLate();
    expect(names()).toEqual(['opened-chargeback', `reminder-24/${submitBy}`]);
    await ends('lost');
  });

  test('once, by the latest, when nobody could look for days', async () => {
    let away = false;
    await start({ days: 10 }, { [look.does]: (asked, attempt) => (away ? isAway(asked, attempt) : state) });
    const { submitBy } = state;
    await saga.becomes('AwaitingTutor');
    away = true;
    await sleep(9 * DAY + HOUR);
    away = false;
    await isLate();
    expect(names()).toEqual(['opened-chargeback', `reminder-24/${submitBy}`]);
    await ends('lost');
  });

  test('no more once they have said something, which is sent in time', async () => {
    await start({ days: 10 });
    const { submitBy } = state;
    await saga.becomes('AwaitingTutor');
    becomes({ stated: true });
    await tell();
    await says(`its payee has said something, which is sent at ${submitBy}`);
    expect(await saga.attribute('SagaState')).toBe('Running');
    await isLate();
    expect(names()).toEqual(['opened-chargeback']);
    await ends('won');
  });
});

describe('evidence', () => {
  test('is gathered at once, and again when it is sent: at the payee’s deadline, under the step’s key', async () => {
    const asked: { key: string; at: number }[] = [];
    const note: TestActivity = async ({ key }) => {
      asked.push({ key, at: await harness.env.currentTimeMs() });
    };
    await start(
      {},
      {
        [gather.does]: note,
        async [submit.does](sent, attempt) {
          await note(sent, attempt);
          return payment[submit.does]?.(sent, attempt);
        },
      },
    );
    const [deadline, before] = [Date.parse(state.submitBy ?? ''), await harness.env.currentTimeMs()];
    await isLate();
    await says('what speaks against it was sent');
    const key = (step: string) => `dispute:${input.disputeId}/${step}`;
    expect(asked.map((each) => each.key)).toEqual([key('gather'), key('gather'), key('submit')]);
    expect(asked[0]?.at).toBeLessThan(before + HOUR);
    for (const { at } of asked.slice(1)) expect(at - deadline).toBeGreaterThanOrEqual(0);
    await ends('won');
  });

  test('of a direct payment is what its payee says alone', async () => {
    await start({ stated: true }, {}, null);
    await isLate();
    await ends('won');
    expect(count(gather.does)).toBe(0);
  });

  test('that nobody has is not sent, and not asked for again', async () => {
    await start({ days: 1 }, { [submit.does]: () => undefined }, null);
    await isLate();
    await says('nothing was sent, because nothing speaks against it');
    await sleep(5 * DAY);
    expect(count(submit.does)).toBe(1);
    await ends('lost');
  });

  test('is sent for the chargeback too that comes of an inquiry', async () => {
    await start({ status: 'warning_needs_response', days: 1 });
    await isLate();
    await says('what speaks against it was sent');
    const submitBy = new Date((await harness.env.currentTimeMs()) + 5 * DAY).toISOString();
    becomes({ status: 'needs_response', submitted: false, submitBy });
    await tell();
    await isLate(2);
    await ends('won');
  });

  test('that Stripe does not take is an operator’s; they have it sent again', async () => {
    let taken = false;
    await start(
      { days: 1 },
      {
        [submit.does]: (sent, attempt) =>
          taken ? payment[submit.does]?.(sent, attempt) : refuses('invalid_state')(sent, attempt),
      },
    );
    await isLate();
    await saga.becomes('NeedsAttention');
    expect(await details()).toContain('**submit** is not done: invalid_state');
    taken = true;
    await resolve('retry', 'submit');
    await says('what speaks against it was sent');
    await ends('lost');
  });

  test('that Stripe does not take asks no longer when the bank has decided', async () => {
    await start({ days: 1 }, { [submit.does]: refuses('invalid_state') });
    await isLate();
    await saga.becomes('NeedsAttention');
    await ends('lost');
    expect(names().at(-1)).toBe('decided-lost');
  });

  test('that was not sent for one deadline is not sent early for the next', async () => {
    await start({ status: 'warning_needs_response', days: 1 }, { [gather.does]: isAway });
    await sleep(DAY + HOUR);
    await says('sending what speaks against it');
    const submitBy = new Date((await harness.env.currentTimeMs()) + 5 * DAY).toISOString();
    becomes({ status: 'needs_response', submitBy });
    await tell();
    await says(`its payee can say something until ${submitBy}`);
    await sleep(4 * DAY);
    expect(count(submit.does)).toBe(0);
    await sleep(2 * DAY);
    expect(count(submit.does)).toBe(1);
    await ends('lost');
  });

  test('is sent without what cannot be gathered for half a day', async () => {
    await start({ days: 1 }, { [gather.does]: isAway });
    await sleep(1.5 * DAY - HOUR);
    expect(count(submit.does)).toBe(0);
    await sleep(2 * HOUR);
    expect(count(submit.does)).toBe(1);
    await ends('lost');
  });

  test('that an administrator has sent is not sent again', async () => {
    await start();
    await saga.becomes('AwaitingTutor');
    becomes({ status: 'under_review', submitted: true, submitBy: null });
    await tell();
    await says('what speaks against it was sent');
    await sleep(10 * DAY);
    expect(count(submit.does)).toBe(0);
    await ends('won');
  });

  test('that the bank does not ask for is not sent', async () => {
    await start({ submitBy: null, respondBy: null });
    await says('its bank takes nothing that speaks against it');
    await ends('lost');
    expect(saga.calls).not.toContain(gather.does);
  });
});

describe('it looks', () => {
  test('every day by itself: a lost webhook is found out', async () => {
    await start();
    await saga.becomes('AwaitingTutor');
    decided('lost');
    await expect(saga.result()).resolves.toEqual({ status: 'lost' });
  });

  test('at news of a version that nobody knows once, not without end', async () => {
    await start();
    await saga.becomes('AwaitingTutor');
    await tell(1_000);
    await saga.called(look.does, 2);
    await sleep(HOUR);
    expect(count(look.does)).toBe(2);
    await ends('won');
  });

  test('no more when an operator says so, while payment does not answer', async () => {
    await start({}, { [look.does]: isAway });
    await says('asking Stripe');
    await sleep(2 * HOUR);
    await saga.becomes('NeedsAttention');
    await resolve('accept', 'look');
    await expect(saga.result()).resolves.toEqual({ status: null });
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
          if (closings.length === 1) becomes({ status: 'won' });
          return state;
        },
      },
    );
    await saga.becomes('AwaitingTutor');
    decided('lost');
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'won' });
    expect(names()).toEqual(['opened-chargeback', 'decided-lost', 'decided-won']);
    const key = `dispute:${input.disputeId}/close`;
    expect(closings).toEqual([
      { version: 2, key: `${key}-2` },
      { version: 3, key: `${key}-3` },
    ]);
  });

  test('of which news come while it is noted is looked at again', async () => {
    const closing = gate();
    await start(
      {},
      {
        async [close.does]() {
          const before = state;
          if (before.status === 'warning_closed') await closing.activity();
          return before;
        },
      },
    );
    await saga.becomes('AwaitingTutor');
    decided('warning_closed');
    await tell();
    await saga.called(close.does);
    decided('lost');
    await tell();
    closing.open();
    await expect(saga.result()).resolves.toEqual({ status: 'lost' });
    expect(names().slice(-2)).toEqual(['decided-warning_closed', 'decided-lost']);
  });

  test('of an inquiry that goes on after all is none', async () => {
    await start({ status: 'warning_needs_response' }, {});
    await saga.becomes('AwaitingTutor');
    const submitBy = state.submitBy;
    decided('warning_closed');
    await tell();
    await saga.called(close.does);
    const first = await saga.result();
    expect(first).toEqual({ status: 'warning_closed' });
    // Its service starts it again, under the same id.
    becomes({ status: 'needs_response', decided: false, submitBy });
    saga = await harness.start(disputeSaga, input, payment);
    await saga.becomes('AwaitingTutor');
    await ends('won');
    expect(names().slice(-2)).toEqual(['opened-chargeback', 'decided-won']);
  });

  test('is an operator’s when payment does not take it, who accepts that it is not noted', async () => {
    await start({}, { [close.does]: refuses('not_found') });
    await saga.becomes('AwaitingTutor');
    decided('won');
    await tell();
    await saga.becomes('NeedsAttention');
    await resolve('accept', 'close');
    await expect(saga.result()).resolves.toEqual({ status: 'won' });
  });
});

test('who cancels the saga changes nothing', async () => {
  await start();
  await saga.becomes('AwaitingTutor');
  await saga.handle.cancel();
  await isLate();
  await ends('won');
  expect(names()).toContain('decided-won');
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
