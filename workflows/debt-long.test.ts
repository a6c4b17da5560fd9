import { randomUUID } from 'node:crypto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { createSagas, type Sagas } from '../platform/temporal';
import { startRealTemporal } from '../tests/support/real-temporal';
import { type SagaHarness, type StartedSaga, startSagaHarness, type TestActivity } from '../tests/support/saga-harness';
import { debtOpen, debtSaga } from './debt.api';

// Debts over years and one after another, on the real server: it is the one that advises new runs, here after a hundred events, and that
// starts a workflow again under an id that was of use before.
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

/** A debt whose row says what `state` says. */
async function openDebt() {
  const input = { payeeId: randomUUID(), currency: 'EUR' };
  const state = { debtId: randomUUID(), status: 'open', left: '255.00 EUR', since: '2026-11-01T00:00:00.000Z' };
  const settled: string[] = [];
  const activities: Record<string, TestActivity> = {
    lookAtDebt: () => ({ ...state }),
    settleDebt({ debtId }) {
      settled.push(debtId);
      Object.assign(state, { status: 'settled', left: '0.00 EUR' });
    },
  };
  const saga = await harness.start(debtSaga, input, activities);
  await saga.becomes('NeedsAttention');
  const wake = () => sagas.wake(debtSaga, input, debtOpen, { debtId: state.debtId });
  return { saga, state, settled, wake };
}

const runOf = async ({ handle }: StartedSaga) => {
  const { runId, historyLength, searchAttributes } = await handle.describe();
  return { runId, historyLength, state: searchAttributes.SagaState?.[0] };
};

test('no run grows beyond what the server advises, each shows the debt, and an operator settles it in the last', async () => {
  const { saga, state, settled, wake } = await openDebt();
  const first = await runOf(saga);
  for (let times = 2; times <= 30; times++) {
    await wake();
    await saga.called('lookAtDebt', times);
  }
  await saga.becomes('NeedsAttention');
  const last = await runOf(saga);
  expect(last.runId).not.toBe(first.runId);
  expect(last.historyLength).toBeLessThan(2 * EVENTS_OF_A_RUN);
  expect(last.state).toBe('NeedsAttention');
  await harness.replay(saga.handle);
  await saga.update('resolve', { step: 'debt', action: 'waived' });
  await expect(saga.result()).resolves.toEqual({ status: 'settled' });
  expect(settled).toEqual([state.debtId]);
});

test('the next debt of a payee has the same id, and a word about it while it runs begins no other', async () => {
  const { saga, state, settled, wake } = await openDebt();
  const first = state.debtId;
  const { runId } = await runOf(saga);
  await wake();
  await saga.called('lookAtDebt', 2);
  expect((await runOf(saga)).runId).toBe(runId);
  await saga.becomes('NeedsAttention');
  await saga.update('resolve', { action: 'paid_elsewhere' });
  await saga.result();
  Object.assign(state, { debtId: randomUUID(), status: 'open', left: '200.00 EUR' });
  await wake();
  await saga.called('lookAtDebt', 4);
  await saga.becomes('NeedsAttention');
  expect((await runOf(saga)).runId).not.toBe(runId);
  await saga.update('resolve', { action: 'waived' });
  await saga.result();
  expect(settled).toEqual([first, state.debtId]);
});
