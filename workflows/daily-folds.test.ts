import { fails, type SagaHarness, startSagaHarness } from '../tests/support/saga-harness';
import { dailyFoldsSchedule } from './daily-folds.api';

jest.setTimeout(60_000);

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
});
afterAll(() => harness.close());

const { workflowType, taskQueue, scheduleId, summary } = dailyFoldsSchedule;
let runs = 0;
/** A run as the Schedule starts it. */
const run = (activities: Parameters<SagaHarness['start']>[2]) => {
  const workflowId = `${scheduleId}-${++runs}`;
  const type = { workflowType, taskQueue, workflowId: () => workflowId, searchAttributes: () => ({}) };
  return harness.start({ ...type, summary: () => summary }, undefined, activities);
};
const none = { checked: 3, different: [] };
const ofBooking = { kind: 'booking', id: '1', columns: ['status'] };
const ofPayment = { kind: 'payout', id: '2', columns: ['amount', 'version'] };

test('it looks at a thousand rows of each context, others each time, and says which are not what their events say', async () => {
  const checks: { limit: number; seed: number }[] = [];
  const found = (different: object) => (check: (typeof checks)[number]) => {
    checks.push(check);
    return { checked: 5, different: [different] };
  };
  const one = () => run({ checkBookingFolds: found(ofBooking), checkPaymentFolds: found(ofPayment) });
  for (const daily of [await one(), await one()])
    await expect(daily.result()).resolves.toEqual({ checked: 10, different: [ofBooking, ofPayment] });
  expect(checks.map(({ limit }) => limit)).toEqual([1_000, 1_000, 1_000, 1_000]);
  expect(new Set(checks.map(({ seed }) => seed)).size).toBe(4);
  expect(checks.filter(({ seed }) => !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31)).toEqual([]);
});

test('a check that fails is asked for again until it is done', async () => {
  const daily = await run({ checkBookingFolds: () => none, checkPaymentFolds: fails(5, () => none) });
  await expect(daily.result()).resolves.toEqual({ checked: 6, different: [] });
});

test('it begins every night at four, and a night that was missed is made up for', () => {
  expect(dailyFoldsSchedule.when).toEqual({ hour: 4 });
  expect(dailyFoldsSchedule.catchUpMs).toBe(86_400_000);
});
