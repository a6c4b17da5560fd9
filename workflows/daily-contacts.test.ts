import { fails, type SagaHarness, startSagaHarness } from '../tests/support/saga-harness';
import { dailyContactsSchedule } from './daily-contacts.api';

jest.setTimeout(60_000);

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
});
afterAll(() => harness.close());

const { workflowType, taskQueue, scheduleId, summary } = dailyContactsSchedule;
let runs = 0;
interface Page {
  after: string | null;
}
/** A run as the Schedule starts it. */
const run = (bringContacts: (page: Page, attempt: number) => unknown) => {
  const workflowId = `${scheduleId}-${++runs}`;
  const type = { workflowType, taskQueue, workflowId: () => workflowId, searchAttributes: () => ({}) };
  return harness.start({ ...type, summary: () => summary }, undefined, { bringContacts });
};

test('it goes through everybody, page by page, and says how many there are and of how many something was new', async () => {
  const pages: (string | null)[] = [];
  const daily = await run(({ after }) => {
    pages.push(after);
    return { people: 2, changed: 1, next: pages.length < 3 ? `user-${pages.length}` : null };
  });
  await expect(daily.result()).resolves.toEqual({ people: 6, changed: 3 });
  expect(pages).toEqual([null, 'user-1', 'user-2']);
});

test('a page that fails is asked for again until it is done', async () => {
  const page = { people: 1, changed: 1, next: null };
  const daily = await run((_, attempt) => fails(5, () => page)(_, attempt));
  await expect(daily.result()).resolves.toEqual({ people: 1, changed: 1 });
});

test('however many people there are, no history grows: it goes on as a new run', async () => {
  let pages = 0;
  const daily = await run(() => {
    pages += 1;
    return { people: 50, changed: 0, next: pages < 150 ? `user-${pages}` : null };
  });
  await expect(daily.result()).resolves.toEqual({ people: 7_500, changed: 0 });
  const { events } = await daily.handle.fetchHistory();
  expect(events?.length).toBeLessThan(700);
  expect(pages).toBe(150);
});

test('it begins when its Schedule is made and every night at two, and a night that was missed is made up for', () => {
  expect(dailyContactsSchedule).toMatchObject({ atOnce: true, when: { hour: 2 }, catchUpMs: 86_400_000 });
});
