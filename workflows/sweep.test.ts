import { fails, refuses, type SagaHarness, startSagaHarness } from '../tests/support/saga-harness';
import { SWEEP_EVERY_MS, sweepSchedule } from './sweep.api';

jest.setTimeout(60_000);

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
});
afterAll(() => harness.close());

const { workflowType, taskQueue, scheduleId, summary } = sweepSchedule;
let runs = 0;
/** A run as the Schedule starts it. */
const run = (activities: Parameters<SagaHarness['start']>[2]) => {
  const workflowId = `${scheduleId}-${++runs}`;
  const type = { workflowType, taskQueue, workflowId: () => workflowId, searchAttributes: () => ({}) };
  return harness.start({ ...type, summary: () => summary }, undefined, activities);
};

const found = (count: number) => ({ found: count, started: count, refused: 0 });

test('every context sees to its own, and the result says what each did', async () => {
  const sweep = await run({
    sweepBookings: () => ({ found: 2, started: 0, refused: 2 }),
    sweepPayments: () => found(3),
    sweepEarnings: () => ({ released: 4, left: 0 }),
    sweepPayouts: () => ({ asked: 2, returned: 1 }),
    sweepReceipts: () => ({ issued: 3, creditNotes: 1, left: 0 }),
    sweepSignUps: () => found(0),
    sweepAccountMails: () => found(5),
    sweepPrices: () => ({ found: 1, started: 0, refused: 1 }),
    sweepEmailChanges: () => found(6),
    sweepTutorAccounts: () => found(6),
    sweepSuspensions: () => found(7),
  });
  expect(await sweep.result()).toEqual({
    bookings: { found: 2, started: 0, refused: 2 },
    payments: found(3),
    earnings: { released: 4, left: 0 },
    payouts: { asked: 2, returned: 1 },
    receipts: { issued: 3, creditNotes: 1, left: 0 },
    signUps: found(0),
    accountMails: found(5),
    prices: { found: 1, started: 0, refused: 1 },
    emailChanges: found(6),
    tutorAccounts: found(6),
    suspensions: found(7),
  });
});

test('one that is away, or has no such operation yet, holds up none of the others and fails no run', async () => {
  const sweep = await run({
    sweepBookings: fails(),
    sweepPayments: () => found(3),
    sweepEarnings: () => ({ released: 4, left: 0 }),
    sweepPayouts: () => ({ asked: 2, returned: 1 }),
    sweepReceipts: () => ({ issued: 3, creditNotes: 1, left: 0 }),
    sweepSignUps: refuses('not_found'),
    sweepAccountMails: refuses('not_found'),
    sweepPrices: () => found(0),
    sweepEmailChanges: refuses('not_found'),
    sweepTutorAccounts: refuses('not_found'),
    sweepSuspensions: refuses('not_found'),
  });
  expect(await sweep.result()).toEqual({
    bookings: 'upstream_unavailable',
    payments: found(3),
    earnings: { released: 4, left: 0 },
    payouts: { asked: 2, returned: 1 },
    receipts: { issued: 3, creditNotes: 1, left: 0 },
    signUps: 'not_found',
    accountMails: 'not_found',
    prices: found(0),
    emailChanges: 'not_found',
    tutorAccounts: 'not_found',
    suspensions: 'not_found',
  });
});

test('one that is away for a moment is asked again', async () => {
  const sweep = await run({
    sweepBookings: fails(2, () => found(1)),
    sweepPayments: () => found(0),
    sweepEarnings: () => ({ released: 0, left: 0 }),
    sweepPayouts: () => ({ asked: 2, returned: 1 }),
    sweepReceipts: () => ({ issued: 3, creditNotes: 1, left: 0 }),
    sweepSignUps: () => found(0),
    sweepAccountMails: () => found(5),
    sweepPrices: () => ({ found: 1, started: 0, refused: 1 }),
    sweepEmailChanges: () => found(6),
    sweepTutorAccounts: () => found(6),
    sweepSuspensions: () => found(7),
  });
  expect(await sweep.result()).toMatchObject({ bookings: found(1) });
});

test('no run outlasts the time to the next', () => {
  expect(sweepSchedule.atMostMs).toBeLessThan(SWEEP_EVERY_MS);
});
