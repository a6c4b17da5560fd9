import { randomUUID } from 'node:crypto';
import { DAY, HOUR } from '../kernel/time';
import { fails, refuses, type SagaHarness, startSagaHarness, type TestActivity } from '../tests/support/saga-harness';
import { type RefundInput, refundSaga } from './refund.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

const someRefund = (bookingId: string | null = randomUUID()): RefundInput => ({
  refundId: randomUUID(),
  paymentId: randomUUID(),
  bookingId,
});

/** Activities with which everything goes well. */
function allGoesWell(): Record<string, TestActivity> {
  const done = () => undefined;
  return {
    submitRefund: () => ({ status: 'succeeded', version: 1 }),
    refreshRefund: () => ({ status: 'succeeded', version: 2 }),
    recordRefund: done,
    notifyRefund: done,
  };
}

const start = (change: Record<string, TestActivity> = {}, input = someRefund()) =>
  harness.start(refundSaga, input, { ...allGoesWell(), ...change });

async function now(): Promise<number> {
  return harness.env.currentTimeMs();
}

const pending = () => ({ status: 'pending', version: 1 });
const failed = () => ({ status: 'failed', version: 3 });

describe('when Stripe makes it', () => {
  test('at once: the booking shows it and the payer is told', async () => {
    const saga = await start();
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(saga.calls).toEqual(['submitRefund', 'recordRefund', 'notifyRefund']);
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('a refund of a direct payment has no booking to show it', async () => {
    const saga = await start({}, someRefund(null));
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(saga.calls).toEqual(['submitRefund', 'notifyRefund']);
  });

  test('later: the webhook’s signal wakes the saga, which asks Stripe', async () => {
    const began = await now();
    const saga = await start({ submitRefund: pending });
    await saga.called('submitRefund');
    await saga.handle.signal('refundChanged', { refundId: randomUUID(), version: 2 });
    await saga.called('refreshRefund');
    // No time was skipped until here, so that it was the signal and no poll.
    expect((await now()) - began).toBeLessThan(60_000);
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
  });

  test('days later and the webhook lost: a poll finds it', async () => {
    const began = await now();
    let polls = 0;
    const saga = await start({
      submitRefund: pending,
      refreshRefund: () => (++polls < 14 ? pending() : { status: 'succeeded', version: 2 }),
    });
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect((await now()) - began).toBeGreaterThan(DAY);
    expect(saga.calls.slice(-2)).toEqual(['recordRefund', 'notifyRefund']);
  });
});

describe('when Stripe cannot make it', () => {
  test('an operator is asked; accepted: it ends as failed and nobody is told that money came', async () => {
    const saga = await start({ submitRefund: failed });
    await saga.called('recordRefund');
    while ((await saga.attribute('SagaState')) !== 'NeedsAttention') await harness.env.sleep('100ms');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).not.toContain('notifyRefund');
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('an operator has it tried again, as a new attempt under a key of its own', async () => {
    const keys: string[] = [];
    const saga = await start({
      submitRefund: ({ key }: { key: string }) => {
        keys.push(key);
        return keys.length === 1 ? failed() : { status: 'succeeded', version: 4 };
      },
    });
    await saga.called('recordRefund');
    while ((await saga.attribute('SagaState')) !== 'NeedsAttention') await harness.env.sleep('100ms');
    await saga.update('resolve', { action: 'retry', noteId: null });
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(new Set(keys).size).toBe(2);
    expect(saga.calls.slice(-3)).toEqual(['submitRefund', 'recordRefund', 'notifyRefund']);
  });

  test('it is asked for once more whether a refund that was pending failed', async () => {
    const saga = await start({ submitRefund: pending, refreshRefund: failed });
    await saga.called('submitRefund');
    await harness.env.sleep(HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });
});

test('a service that is away for an hour asks for an operator; the refund is pursued meanwhile', async () => {
  let mended = false;
  const saga = await start({
    submitRefund: (input, attempt) => (mended ? { status: 'succeeded', version: 1 } : fails()(input, attempt)),
  });
  await saga.called('submitRefund');
  await harness.env.sleep(2 * HOUR);
  expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
  mended = true;
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});

test('a refund that the service refuses is given up when an operator accepts that', async () => {
  const saga = await start({ submitRefund: refuses('not_found') });
  await saga.called('submitRefund');
  while ((await saga.attribute('SagaState')) !== 'NeedsAttention') await harness.env.sleep('100ms');
  await saga.update('resolve', { action: 'accept', noteId: null });
  // It is still owed, so that the operator is asked for that too.
  await saga.called('recordRefund');
  while ((await saga.attribute('SagaState')) !== 'NeedsAttention') await harness.env.sleep('100ms');
  await saga.update('resolve', { action: 'accept', noteId: null });
  await expect(saga.result()).resolves.toEqual({ status: 'failed' });
});

test('an operator’s cancel stops nothing: the money is owed', async () => {
  const saga = await start({ submitRefund: pending });
  await saga.called('submitRefund');
  await saga.handle.cancel();
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});

test('a notice that cannot be sent for a day changes nothing', async () => {
  const saga = await start({ notifyRefund: fails() });
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});
