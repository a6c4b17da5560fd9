import { DAY, HOUR } from '../kernel/time';
import { type DisputeScene, type OpenedDispute, openedDispute } from '../tests/support/dispute-saga';
import { isAway, refuses, type SagaHarness, startSagaHarness, type TestActivity } from '../tests/support/saga-harness';
import { DISPUTE_STEPS } from './dispute';

const { gather, submit } = DISPUTE_STEPS;

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
          return dispute.send();
        },
      },
    );
    const [deadline, before] = [Date.parse(dispute.now().submitBy ?? ''), await harness.env.currentTimeMs()];
    await dispute.isLate();
    await dispute.says('what speaks against it was sent');
    const key = (step: string) => `dispute:${dispute.input.disputeId}/${step}`;
    expect(asked.map((each) => each.key)).toEqual([key('gather'), key('gather'), key('submit')]);
    expect(asked[0]?.at).toBeLessThan(before + HOUR);
    for (const { at } of asked.slice(1)) expect(at - deadline).toBeGreaterThanOrEqual(0);
    await dispute.ends('won');
  });

  test('of a direct payment is what its payee says alone', async () => {
    await start({ stated: true }, {}, null);
    await dispute.isLate();
    await dispute.ends('won');
    expect(dispute.count(gather.does)).toBe(0);
  });

  test('that nobody has is not sent, and not asked for again', async () => {
    await start({ days: 1 }, { [submit.does]: () => undefined }, null);
    await dispute.isLate();
    await dispute.says('nothing was sent, because nothing speaks against it');
    await sleep(5 * DAY);
    expect(dispute.count(submit.does)).toBe(1);
    await dispute.ends('lost');
  });

  test('is sent for the chargeback too that comes of an inquiry', async () => {
    await start({ status: 'warning_needs_response', days: 1 });
    await dispute.isLate();
    await dispute.says('what speaks against it was sent');
    const submitBy = new Date((await harness.env.currentTimeMs()) + 5 * DAY).toISOString();
    dispute.becomes({ status: 'needs_response', submitted: false, submitBy });
    await dispute.tell();
    await dispute.isLate(2);
    await dispute.ends('won');
  });

  test('that Stripe does not take is an operator’s; they have it sent again', async () => {
    let taken = false;
    await start(
      { days: 1 },
      {
        [submit.does]: (sent, attempt) => (taken ? dispute.send() : refuses('invalid_state')(sent, attempt)),
      },
    );
    await dispute.isLate();
    await dispute.saga.becomes('NeedsAttention');
    expect(await dispute.details()).toContain('**submit** is not done: invalid_state');
    taken = true;
    await dispute.resolve('retry', 'submit');
    await dispute.says('what speaks against it was sent');
    await dispute.ends('lost');
  });

  test('that Stripe does not take asks no longer when the bank has decided', async () => {
    await start({ days: 1 }, { [submit.does]: refuses('invalid_state') });
    await dispute.isLate();
    await dispute.saga.becomes('NeedsAttention');
    await dispute.ends('lost');
    expect(dispute.names().at(-1)).toBe('decided-lost');
  });

  test('that was not sent for one deadline is not sent early for the next', async () => {
    await start({ status: 'warning_needs_response', days: 1 }, { [gather.does]: isAway });
    await sleep(DAY + HOUR);
    await dispute.says('sending what speaks against it');
    const submitBy = new Date((await harness.env.currentTimeMs()) + 5 * DAY).toISOString();
    dispute.becomes({ status: 'needs_response', submitBy });
    await dispute.tell();
    await dispute.says(`its payee can say something until ${submitBy}`);
    await sleep(4 * DAY);
    expect(dispute.count(submit.does)).toBe(0);
    await sleep(2 * DAY);
    expect(dispute.count(submit.does)).toBe(1);
    await dispute.ends('lost');
  });

  test('is sent without what cannot be gathered for half a day', async () => {
    await start({ days: 1 }, { [gather.does]: isAway });
    await sleep(1.5 * DAY - HOUR);
    expect(dispute.count(submit.does)).toBe(0);
    await sleep(2 * HOUR);
    expect(dispute.count(submit.does)).toBe(1);
    await dispute.ends('lost');
  });

  test('that an administrator has sent is not sent again', async () => {
    await start();
    await dispute.saga.becomes('AwaitingTutor');
    dispute.becomes({ status: 'under_review', submitted: true, submitBy: null });
    await dispute.tell();
    await dispute.says('what speaks against it was sent');
    await sleep(10 * DAY);
    expect(dispute.count(submit.does)).toBe(0);
    await dispute.ends('won');
  });

  test('that the bank does not ask for is not sent', async () => {
    await start({ submitBy: null, respondBy: null });
    await dispute.says('its bank takes nothing that speaks against it');
    await dispute.ends('lost');
    expect(dispute.saga.calls).not.toContain(gather.does);
  });
});
