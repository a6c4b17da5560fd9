import { fails, type SagaHarness, startSagaHarness } from '../tests/support/saga-harness';
import { dailyDebtsSchedule } from './daily-debts.api';

jest.setTimeout(60_000);

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
});
afterAll(() => harness.close());

const { workflowType, taskQueue, scheduleId, summary } = dailyDebtsSchedule;
let runs = 0;
interface Page {
  after: string | null;
}
/** A run as the Schedule starts it. */
const run = (openDebts: (page: Page, attempt: number) => unknown) => {
  const workflowId = `${scheduleId}-${++runs}`;
  const type = { workflowType, taskQueue, workflowId: () => workflowId, searchAttributes: () => ({}) };
  return harness.start({ ...type, summary: () => summary }, undefined, { openDebts });
};

test('it goes from page to page, each in a run of its own', async () => {
  const pages: Page[] = [];
  const daily = await run((page) => {
    pages.push(page);
    return { opened: 1, open: 2, failed: 0, next: pages.length < 3 ? `payee-${pages.length}` : null };
  });
  await expect(daily.result()).resolves.toEqual({ opened: 3, open: 6 });
  expect(pages).toEqual([{ after: null }, { after: 'payee-1' }, { after: 'payee-2' }]);
  const { events } = await daily.handle.fetchHistory();
  expect(events?.length).toBeLessThan(15);
});

test('a page that fails is asked for again until it is done', async () => {
  const daily = await run((page, attempt) =>
    fails(5, () => ({ opened: 1, open: 1, failed: 0, next: null }))(page, attempt),
  );
  await expect(daily.result()).resolves.toEqual({ opened: 1, open: 1 });
});

test('payees who could not be looked at hold up nobody, and the run has failed in the end', async () => {
  const pages: Page[] = [];
  const daily = await run((page) => {
    pages.push(page);
    return { opened: 0, open: 0, failed: pages.length, next: pages.length < 2 ? 'payee-1' : null };
  });
  await expect(daily.result()).rejects.toMatchObject({
    cause: { type: 'internal', message: '3 payees could not be looked at, as the log of payment says' },
  });
  expect(pages).toHaveLength(2);
});

test('it begins every day at five, and a day that was missed is made up for', () => {
  expect(dailyDebtsSchedule.when).toEqual({ hour: 5 });
  expect(dailyDebtsSchedule.catchUpMs).toBe(86_400_000);
});
