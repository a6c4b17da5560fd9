import { fails, type SagaHarness, startSagaHarness } from '../tests/support/saga-harness';
import { dailyDisputesSchedule } from './daily-disputes.api';

jest.setTimeout(60_000);

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
});
afterAll(() => harness.close());

const { workflowType, taskQueue, scheduleId, summary } = dailyDisputesSchedule;
let runs = 0;
interface Page {
  after: string | null;
}
/** A run as the Schedule starts it. */
const run = (findDisputes: (page: Page, attempt: number) => unknown) => {
  const workflowId = `${scheduleId}-${++runs}`;
  const type = { workflowType, taskQueue, workflowId: () => workflowId, searchAttributes: () => ({}) };
  return harness.start({ ...type, summary: () => summary }, undefined, { findDisputes });
};

test('it goes from page to page, each in a run of its own', async () => {
  const pages: Page[] = [];
  const daily = await run((page) => {
    pages.push(page);
    return { seen: 2, found: 1, failed: 0, next: pages.length < 3 ? `du_${pages.length}` : null };
  });
  await expect(daily.result()).resolves.toEqual({ seen: 6, found: 3 });
  expect(pages).toEqual([{ after: null }, { after: 'du_1' }, { after: 'du_2' }]);
  const { events } = await daily.handle.fetchHistory();
  expect(events?.length).toBeLessThan(15);
});

test('a page that fails is asked for again until it is done', async () => {
  const daily = await run((page, attempt) =>
    fails(5, () => ({ seen: 1, found: 1, failed: 0, next: null }))(page, attempt),
  );
  await expect(daily.result()).resolves.toEqual({ seen: 1, found: 1 });
});

test('disputes that could not be recorded hold up none of the others, and the run has failed in the end', async () => {
  const pages: Page[] = [];
  const daily = await run((page) => {
    pages.push(page);
    return { seen: 0, found: 0, failed: pages.length, next: pages.length < 2 ? 'du_1' : null };
  });
  await expect(daily.result()).rejects.toMatchObject({
    cause: { type: 'internal', message: '3 disputes could not be recorded, as the log of payment says' },
  });
  expect(pages).toHaveLength(2);
});

test('it begins every night at three, and a night that was missed is made up for', () => {
  expect(dailyDisputesSchedule.when).toEqual({ hour: 3 });
  expect(dailyDisputesSchedule.catchUpMs).toBe(86_400_000);
});
