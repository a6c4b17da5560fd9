import { randomUUID } from 'node:crypto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { DisputeSummary } from '../activities/dispute';
import { DAY } from '../kernel/time';
import { createSagas, type Sagas } from '../platform/temporal';
import { startRealTemporal } from '../tests/support/real-temporal';
import { type SagaHarness, startSagaHarness, type TestActivity } from '../tests/support/saga-harness';
import { disputeChanged, disputeSaga } from './dispute.api';

// Disputes over months, on the real server: it is the one that advises new runs, here after a hundred events, and that starts a workflow again
// under an id that was of use before.
const EVENTS_OF_A_RUN = 100;

jest.setTimeout(120_000);

let temporal: Awaited<ReturnType<typeof startRealTemporal>>;
let harness: SagaHarness;
let sagas: Sagas;
beforeAll(async () => {
  temporal = await startRealTemporal(EVENTS_OF_A_RUN);
  const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = temporal.config;
  harness = await startSagaHarness(undefined, () =>
    TestWorkflowEnvironment.createFromExistingServer({ address, namespace }),
  );
  sagas = createSagas(temporal.config);
}, 90_000);
afterAll(async () => {
  await sagas?.close();
  await harness?.close();
  await temporal?.close();
});

test('no run grows beyond what the server advises, each thing is told once, and won late it is told once more', async () => {
  const input = { disputeId: randomUUID(), paymentId: randomUUID(), bookingId: randomUUID(), payeeId: randomUUID() };
  const submitBy = Date.now() + 30 * DAY;
  const state: DisputeSummary = {
    ...{ version: 1, status: 'needs_response', claim: '45.00 EUR', amount: { amount: 4_500, currency: 'EUR' } },
    ...{ submitBy: new Date(submitBy).toISOString(), respondBy: new Date(submitBy + DAY).toISOString() },
    ...{ stated: false, submitted: false, decided: false },
  };
  const told: string[] = [];
  const activities: Record<string, TestActivity> = {
    lookAtDispute: () => ({ ...state }),
    gatherEvidence: () => undefined,
    closeDispute: () => ({ ...state }),
    notifyDispute: ({ key }) => {
      told.push(key.replace(`dispute:${input.disputeId}/`, ''));
    },
  };
  const saga = await harness.start(disputeSaga, input, activities);
  const wake = () =>
    sagas.wake(disputeSaga, input, disputeChanged, { disputeId: input.disputeId, version: state.version });
  const change = async (is: Partial<DisputeSummary>) => {
    Object.assign(state, is, { version: state.version + 1 });
    await wake();
  };
  await saga.becomes('AwaitingTutor');
  const first = await saga.handle.describe();
  for (let times = 2; times <= 30; times++) {
    await change({ stated: times % 2 === 1 });
    await saga.called('lookAtDispute', times);
  }
  await saga.becomes('AwaitingTutor');
  const last = await saga.handle.describe();
  expect(last.runId).not.toBe(first.runId);
  expect(last.historyLength).toBeLessThan(2 * EVENTS_OF_A_RUN);
  await harness.replay(saga.handle);
  await change({ status: 'lost', decided: true, submitBy: null });
  await expect(saga.result()).resolves.toEqual({ status: 'lost' });
  expect(told).toEqual(['opened-chargeback', 'decided-lost']);
  expect(saga.calls.filter((call) => call === 'gatherEvidence')).toHaveLength(1);

  await change({ status: 'won' });
  await expect(saga.result()).resolves.toEqual({ status: 'won' });
  expect((await saga.handle.describe()).runId).not.toBe(last.runId);
  expect(told).toEqual(['opened-chargeback', 'decided-lost', 'decided-won']);
});
