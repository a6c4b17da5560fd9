import { fails, type SagaHarness, startSagaHarness } from '../tests/support/saga-harness';
import { weeklyPayoutsSchedule } from './weekly-payouts.api';

jest.setTimeout(60_000);

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
});
afterAll(() => harness.close());

const { workflowType, taskQueue, scheduleId, summary } = weeklyPayoutsSchedule;
let runs = 0;
interface Page {
  week: string;
  after: string | null;
}
/** A run as the Schedule starts it. */
const run = (openWeeklyPayouts: (page: Page, attempt: number) => unknown) => {
  const workflowId = `${scheduleId}-${++runs}`;
  const type = { workflowType, taskQueue, workflowId: () => workflowId, searchAttributes: () => ({}) };
  return harness.start({ ...type, summary: () => summary }, undefined, { openWeeklyPayouts });
};

const nobody = { opened: 0, skipped: 0, failed: [], next: null };

test('it goes from page to page, each in a run of its own, for one week', async () => {
  const pages: Page[] = [];
  const weekly = await run((page) => {
    pages.push(page);
    return { opened: 2, skipped: 1, failed: [], next: pages.length < 3 ? `payee-${pages.length}` : null };
  });
  const result = await weekly.result();
  expect(result).toMatchObject({ opened: 6, skipped: 3, failed: 0, failures: [] });
  expect(await weekly.attribute('SagaState')).toBeUndefined();
  expect(pages.map(({ after }) => after)).toEqual([null, 'payee-1', 'payee-2']);
  expect(new Set(pages.map(({ week }) => week)).size).toBe(1);
  expect(pages[0]?.week).toMatch(/^\d{4}-W\d{2}$/);
  const { events } = await weekly.handle.fetchHistory();
  expect(events?.length).toBeLessThan(15);
});

test('a page that fails is asked for again until it is done', async () => {
  const weekly = await run((page, attempt) => fails(5, () => ({ ...nobody, opened: 1 }))(page, attempt));
  await expect(weekly.result()).resolves.toMatchObject({ opened: 1, skipped: 0 });
});

test('for whom it fails is asked for again once everybody had their turn, in the same week', async () => {
  const pages: Page[] = [];
  const failed = [{ payeeId: 'ill', code: 'upstream_unavailable' }];
  const weekly = await run((page) => {
    pages.push(page);
    const next = page.after === null ? 'ill' : null;
    if (pages.length === 1) return { opened: 2, skipped: 1, failed, next };
    return { ...nobody, opened: pages.length === 3 ? 1 : 3, skipped: 1, next };
  });
  expect(await weekly.result()).toMatchObject({ opened: 9, skipped: 2, failed: 0, failures: [] });
  expect(pages.map(({ after }) => after)).toEqual([null, 'ill', null, 'ill']);
  expect(new Set(pages.map(({ week }) => week)).size).toBe(1);
});

test('for whom it fails every time is shown to an operator, and named in the result: the week ends', async () => {
  const failed = Array.from({ length: 25 }, (_, index) => ({ payeeId: `payee-${index}`, code: 'internal' }));
  let rounds = 0;
  const weekly = await run(() => {
    rounds += 1;
    return { ...nobody, opened: rounds === 1 ? 1 : 0, failed };
  });
  await harness.env.sleep('12 minutes');
  await weekly.becomes('NeedsAttention');
  expect(rounds).toBe(3);
  expect(await weekly.result()).toMatchObject({ opened: 1, failed: 25, failures: failed.slice(0, 20) });
  expect(rounds).toBe(6);
  expect(await weekly.attribute('SagaState')).toBe('Completed');
});

test('it begins on Mondays at six, and a week that was missed is made up for', () => {
  expect(weeklyPayoutsSchedule.when).toEqual({ dayOfWeek: 'MONDAY', hour: 6 });
  expect(weeklyPayoutsSchedule.catchUpMs).toBe(7 * 86_400_000);
});
