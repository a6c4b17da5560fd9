import { randomUUID } from 'node:crypto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DAY } from '../kernel/time';
import { createSagas, type Sagas } from '../platform/temporal';
import { allGoesWell } from '../tests/support/booking-saga';
import { startRealTemporal } from '../tests/support/real-temporal';
import { refuses, type SagaHarness, startSagaHarness } from '../tests/support/saga-harness';
import { bookingSaga, bookingWorkflowId, cancelUpdate, rescheduleUpdate } from './booking.api';
import { resolve } from './saga.api';

// An operator's answers are updates too, of which Temporal takes 2,000 in a run. The server advises no new run here, so that nothing but
// their number can ask for one.
const NEVER = 1_000_000;
/** So many updates a run takes (`booking-confirmed.ts`). */
const UPDATES_A_RUN = 500;
const STUCK = 'undo reschedule-1/reserve-slot';

let temporal: Awaited<ReturnType<typeof startRealTemporal>>;
let harness: SagaHarness;
let sagas: Sagas;
beforeAll(async () => {
  temporal = await startRealTemporal(NEVER);
  const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = temporal.config;
  harness = await startSagaHarness(undefined, () =>
    TestWorkflowEnvironment.createFromExistingServer({ address, namespace }),
  );
  sagas = createSagas(temporal.config);
}, 90_000);
jest.setTimeout(120_000);
afterAll(async () => {
  await sagas?.close();
  await harness?.close();
  await temporal?.close();
});

const START = Date.now() + 10 * DAY;
const at = (daysLater: number) => new Date(START + daysLater * DAY).toISOString();
const actorId = randomUUID();

test('answers of an operator count towards what a run takes: after many of them the booking goes on in a new one', async () => {
  const input = {
    ...{ bookingId: randomUUID(), studentId: randomUUID(), tutorId: randomUUID() },
    ...{ scheduledAt: at(0), durationMinutes: 60, paymentMethodId: 'pm_card_visa' },
  };
  const workflowId = bookingWorkflowId(input.bookingId);
  const clash = { now: true };
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input),
    // The first move cannot be made, nor taken back.
    unreserveSlot: refuses('conflict'),
    rescheduleBooking: (asked, attempt) => (clash.now ? refuses('conflict')(asked, attempt) : undefined),
  });
  await saga.becomes('Confirmed');
  const send = <Argument>(update: { name: string }, argument: Argument) =>
    sagas.update(workflowId, update, argument, { updateId: randomUUID() });
  const move = (daysLater: number) =>
    send(rescheduleUpdate, {
      ...{ by: 'tutor', actorId, scheduledAt: at(daysLater), requestedAt: new Date().toISOString() },
    });
  const answer = (action: string) => send(resolve, { step: STUCK, action });
  const runOf = async () => {
    const { runId, historyLength } = await saga.handle.describe();
    return { runId, historyLength };
  };

  await expect(move(1)).rejects.toMatchObject({ code: 'conflict' });
  await saga.becomes('NeedsAttention');
  const first = await runOf();
  let left = UPDATES_A_RUN;
  const lane = async () => {
    while (left-- > 0) await answer('retry');
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  // What is stuck belongs to its run.
  expect((await runOf()).runId).toBe(first.runId);
  await answer('accept');
  await saga.becomes('Confirmed');

  // Refused by the validator: it leaves no trace and does not count.
  const { historyLength } = await runOf();
  for (const action of ['retry', 'accept', 'waived'])
    await expect(answer(action)).rejects.toMatchObject({ code: 'invalid_state' });
  expect((await runOf()).historyLength).toBe(historyLength);

  clash.now = false;
  await move(2);
  await move(3);
  const next = await runOf();
  expect(next.runId).not.toBe(first.runId);
  expect(next.historyLength).toBeLessThan(historyLength);
  await expect(answer('retry')).rejects.toMatchObject({ code: 'invalid_state' });
  await send(cancelUpdate, {
    ...{ by: 'student', actorId, noteId: null, requestedAt: new Date().toISOString() },
  });
  await saga.becomes('Compensated');
});
