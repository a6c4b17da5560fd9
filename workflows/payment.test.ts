import { randomUUID } from 'node:crypto';
import { HOUR, MINUTE } from '../kernel/time';
import {
  fails,
  gate,
  isAway,
  refuses,
  type SagaHarness,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { type PaymentInput, paymentSaga } from './payment.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

const somePayment = (): PaymentInput => ({ paymentId: randomUUID(), payerId: randomUUID(), payeeId: randomUUID() });

const state = (status: string, version = 1) => ({
  paymentId: randomUUID(),
  bookingId: null,
  captureBefore: null,
  status,
  version,
});

/** Activities with which everything goes well. */
function allGoesWell(): Record<string, TestActivity> {
  const done = () => undefined;
  return {
    chargeDirectPayment: () => state('captured'),
    refreshPayment: () => state('captured', 2),
    abandonPayment: () => state('voided', 3),
    settleDirectPayment: done,
    settleByHand: done,
    releaseEarnings: done,
    notifyPayment: done,
  };
}

const start = (change: Record<string, TestActivity> = {}, input = somePayment()) =>
  harness.start(paymentSaga, input, { ...allGoesWell(), ...change });

async function now(): Promise<number> {
  return harness.env.currentTimeMs();
}

describe('when nothing fails', () => {
  test('the card is charged, the earnings rest as long as payment says, and both are told', async () => {
    const released = jest.fn();
    const saga = await start({ releaseEarnings: released });
    await expect(saga.result()).resolves.toEqual({ outcome: 'paid', reason: 'paid' });
    expect(saga.calls).toEqual(['chargeDirectPayment', 'releaseEarnings', 'notifyPayment']);
    expect(released.mock.calls[0]?.[0]).toMatchObject({ notBefore: null });
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('each step and undo has a key of its own, from the business id', async () => {
    const keys: Record<string, string> = {};
    const noted = (name: string, then: TestActivity): TestActivity => {
      return (input: { key: string }, attempt) => {
        keys[name] = input.key;
        return then(input, attempt);
      };
    };
    const paid = somePayment();
    const well = Object.entries(allGoesWell()).map(([name, activity]) => [name, noted(name, activity)]);
    await (await start(Object.fromEntries(well), paid)).result();
    const declined = somePayment();
    const refused = { ...Object.fromEntries(well), chargeDirectPayment: refuses('payment_declined') };
    await (await start(refused, declined)).result();
    expect(keys).toEqual({
      chargeDirectPayment: `payment:${paid.paymentId}/charge`,
      releaseEarnings: `payment:${paid.paymentId}/release-earnings`,
      notifyPayment: `payment:${paid.paymentId}/paid`,
      settleDirectPayment: `payment:${declined.paymentId}/charge/undo`,
    });
  });
});

describe('a charge that fails', () => {
  test('declined: whatever was taken is given back and nobody is told that it was paid', async () => {
    const saga = await start({ chargeDirectPayment: refuses('payment_declined') });
    await expect(saga.result()).resolves.toEqual({ outcome: 'failed', reason: 'payment_declined' });
    expect(saga.calls).toEqual(['chargeDirectPayment', 'settleDirectPayment']);
    expect(await saga.attribute('SagaState')).toBe('Compensated');
  });

  test.each([
    ['failed', 'payment_declined'],
    ['voided', 'payment_expired'],
  ])('answered as %s: ends as %s and is settled', async (status, reason) => {
    const saga = await start({ chargeDirectPayment: () => state(status) });
    await expect(saga.result()).resolves.toEqual({ outcome: 'failed', reason });
    expect(saga.calls.at(-1)).toBe('settleDirectPayment');
  });

  test('that never answers is given up within minutes and settled: it may have happened', async () => {
    const began = await now();
    let settledAfter = 0;
    const saga = await start({
      chargeDirectPayment: fails(),
      settleDirectPayment: async () => {
        settledAfter = (await now()) - began;
      },
    });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'failed' });
    expect(saga.calls).toEqual(['chargeDirectPayment', 'settleDirectPayment']);
    expect(settledAfter).toBeGreaterThan(MINUTE);
    expect(settledAfter).toBeLessThan(11 * MINUTE);
  });

  test('that fails for a while is retried and the payment goes on', async () => {
    const saga = await start({ chargeDirectPayment: fails(3, () => state('captured')) });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
    expect(saga.calls).not.toContain('settleDirectPayment');
  });
});

describe('3-D Secure', () => {
  const asked = { chargeDirectPayment: () => state('requires_action') };

  test('completed: the webhook’s signal wakes the saga, which asks Stripe', async () => {
    const began = await now();
    const saga = await start(asked);
    await saga.called('chargeDirectPayment');
    await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 2 });
    await saga.called('refreshPayment');
    // No time was skipped until here, so that it was the signal and no poll.
    expect((await now()) - began).toBeLessThan(15_000);
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
    expect(saga.calls.filter((call) => call === 'refreshPayment')).toHaveLength(1);
  });

  test('a signal of a version that is known already asks nothing', async () => {
    const saga = await start({ chargeDirectPayment: () => state('requires_action', 5) });
    await saga.called('chargeDirectPayment');
    await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 5 });
    await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 4 });
    await harness.env.sleep('10s');
    expect(saga.calls).not.toContain('refreshPayment');
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
  });

  test('completed and the webhook lost: a poll finds it', async () => {
    let polls = 0;
    const saga = await start({
      ...asked,
      refreshPayment: () => state(++polls < 4 ? 'requires_action' : 'captured', polls < 4 ? 1 : 2),
    });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
    expect(polls).toBe(4);
  });

  test.each([
    ['failed', 'payment_declined'],
    ['voided', 'payment_expired'],
  ])('ends as %s: nothing is taken, and the payer, who has been answered long ago, is told', async (status, reason) => {
    const told: unknown[] = [];
    const input = somePayment();
    const saga = await start(
      { ...asked, refreshPayment: () => state(status, 2), notifyPayment: (notice) => void told.push(notice) },
      input,
    );
    await expect(saga.result()).resolves.toEqual({ outcome: 'failed', reason });
    expect(saga.calls.slice(-2)).toEqual(['settleDirectPayment', 'notifyPayment']);
    const { paymentId } = input;
    expect(told).toEqual([{ paymentId, notice: 'declined', key: `payment:${paymentId}/declined` }]);
  });

  test('whose end cannot be told for a day ends all the same', async () => {
    const saga = await start({ ...asked, refreshPayment: () => state('failed', 2), notifyPayment: isAway });
    await expect(saga.result()).resolves.toEqual({ outcome: 'failed', reason: 'payment_declined' });
  });

  test('not completed in 15 minutes: abandoned first, then settled', async () => {
    const began = await now();
    const saga = await start({ ...asked, refreshPayment: () => state('requires_action') });
    await expect(saga.result()).resolves.toEqual({ outcome: 'failed', reason: 'payment_expired' });
    expect(saga.calls.slice(-3)).toEqual(['abandonPayment', 'settleDirectPayment', 'notifyPayment']);
    expect((await now()) - began).toBeGreaterThanOrEqual(15 * MINUTE);
  });

  test('completed in the very moment it is abandoned: Stripe says paid, and it counts', async () => {
    const saga = await start({
      ...asked,
      refreshPayment: () => state('requires_action'),
      abandonPayment: () => state('captured', 3),
    });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
    expect(saga.calls).not.toContain('settleDirectPayment');
  });
});

describe('an operator’s cancel', () => {
  test('while the card is charged waits for that to end and gives everything back', async () => {
    const running = gate(state('captured'));
    const saga = await start({ chargeDirectPayment: running.activity });
    await saga.called('chargeDirectPayment');
    await saga.handle.cancel();
    await saga.cancelRequested();
    expect(saga.calls).toEqual(['chargeDirectPayment']);
    running.open();
    await expect(saga.result()).resolves.toEqual({ outcome: 'failed', reason: 'invalid_state' });
    expect(saga.calls).toEqual(['chargeDirectPayment', 'settleDirectPayment']);
  });

  test('while the payer is at the bank gives everything back', async () => {
    const saga = await start({ chargeDirectPayment: () => state('requires_action') });
    await saga.called('chargeDirectPayment');
    await saga.becomes('AwaitingPayment');
    await saga.handle.cancel();
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'failed' });
    expect(saga.calls.at(-1)).toBe('settleDirectPayment');
  });

  test('after the payment is too late: it stays paid', async () => {
    const running = gate();
    const saga = await start({ releaseEarnings: running.activity });
    await saga.called('releaseEarnings');
    await saga.handle.cancel();
    running.open();
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
    expect(saga.calls).not.toContain('settleDirectPayment');
  });
});

test('money that payment refuses to give back is settled by what an operator says became of it', async () => {
  const settled: unknown[] = [];
  const paid = somePayment();
  const saga = await start(
    {
      chargeDirectPayment: refuses('payment_declined'),
      settleDirectPayment: refuses('refund_failed'),
      settleByHand: (how) => void settled.push(how),
    },
    paid,
  );
  await saga.becomes('NeedsAttention');
  await saga.update('resolve', { step: 'undo charge', action: 'paid_elsewhere' });
  await expect(saga.result()).resolves.toMatchObject({ outcome: 'failed' });
  const { paymentId } = paid;
  expect(settled).toEqual([{ paymentId, as: 'paid_elsewhere', key: `payment:${paymentId}/settle-by-hand/undo` }]);
});

test('money that cannot be given back for hours calls an operator, and is given back by itself once payment is there again', async () => {
  let mended = false;
  const saga = await start({
    chargeDirectPayment: refuses('payment_declined'),
    settleDirectPayment: (settle, attempt) => (mended ? undefined : isAway(settle, attempt)),
  });
  await saga.called('settleDirectPayment');
  await harness.env.sleep(2 * HOUR);
  expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
  mended = true;
  await expect(saga.result()).resolves.toEqual({ outcome: 'failed', reason: 'payment_declined' });
  expect(saga.calls).not.toContain('settleByHand');
  expect(await saga.attribute('SagaState')).toBe('Compensated');
});

test('earnings that cannot be released for an hour ask for an operator, and are not undone', async () => {
  let mended = false;
  const saga = await start({ releaseEarnings: () => (mended ? undefined : isAway(undefined, 1)) });
  await saga.called('releaseEarnings');
  await harness.env.sleep(2 * HOUR);
  expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
  mended = true;
  await saga.update('resolve', { action: 'retry', noteId: null });
  await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
  expect(saga.calls).not.toContain('settleDirectPayment');
});

test('a receipt that cannot be sent for a day undoes nothing', async () => {
  const began = await now();
  const saga = await start({ notifyPayment: isAway });
  await expect(saga.result()).resolves.toMatchObject({ outcome: 'paid' });
  expect(await saga.attribute('SagaState')).toBe('Completed');
  // However soon the service asks to be asked again: what waits for a mail server of tonight must not have given up by then.
  expect((await now()) - began).toBeGreaterThan(20 * HOUR);
});

test('starting the same payment twice runs it once', async () => {
  const input = somePayment();
  const running = gate(state('captured'));
  const saga = await start({ chargeDirectPayment: running.activity }, input);
  await saga.called('chargeDirectPayment');
  await expect(start({}, input)).rejects.toThrow(/already started/i);
  running.open();
  expect(saga.calls).toEqual(['chargeDirectPayment']);
});
