import { randomUUID } from 'node:crypto';
import { DAY, HOUR } from '../kernel/time';
import {
  fails,
  isAway,
  refuses,
  type SagaHarness,
  type StartedSaga,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
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

/** What payment answers of a refund. */
const made = (status: string, version: number, tries = 1) => ({ status, version, tries });

/** Activities with which everything goes well. */
function allGoesWell(): Record<string, TestActivity> {
  const done = () => undefined;
  return {
    submitRefund: () => made('succeeded', 1),
    refreshRefund: () => made('succeeded', 2),
    retryRefund: ({ number }: { number: number }) => made('succeeded', 5, number),
    closeRefund: ({ as }: { as: string }) => made(as, 9),
    recordRefund: done,
    giveUpRefund: done,
    notifyRefund: done,
    notifyRefundReturned: done,
  };
}

const start = (change: Record<string, TestActivity> = {}, input = someRefund()) =>
  harness.start(refundSaga, input, { ...allGoesWell(), ...change });

async function now(): Promise<number> {
  return harness.env.currentTimeMs();
}

const pending = () => made('pending', 1);
const failed = () => made('failed', 3);

const needsAttention = (saga: StartedSaga) => saga.becomes('NeedsAttention');

const resolve = (saga: StartedSaga, action: 'retry' | 'accept' | 'waived') =>
  saga.update('resolve', { action, noteId: null });

describe('when Stripe makes it', () => {
  test('at once: the booking shows it and the payer is told', async () => {
    const saga = await start();
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(saga.calls).toEqual(['submitRefund', 'recordRefund', 'notifyRefund', 'closeRefund']);
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('a refund of a direct payment has no booking to show it', async () => {
    const saga = await start({}, someRefund(null));
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(saga.calls).toEqual(['submitRefund', 'notifyRefund', 'closeRefund']);
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
      refreshRefund: () => (++polls < 14 ? pending() : made('succeeded', 2)),
    });
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect((await now()) - began).toBeGreaterThan(DAY);
    expect(saga.calls.slice(-3)).toEqual(['recordRefund', 'notifyRefund', 'closeRefund']);
  });
});

describe('when Stripe cannot make it', () => {
  test('an operator is asked; waived: it ends as failed and nobody is told that money came', async () => {
    const closed: string[] = [];
    const saga = await start({
      submitRefund: failed,
      closeRefund: ({ as }: { as: string }) => {
        closed.push(as);
        return failed();
      },
    });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await resolve(saga, 'waived');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).toContain('giveUpRefund');
    expect(saga.calls).not.toContain('notifyRefund');
    // Noted, so that the same news of it calls no operator again.
    expect(closed).toEqual(['failed']);
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('an operator has it made again, as the next try under a key of its own', async () => {
    const input = someRefund();
    const asked: unknown[] = [];
    const told: string[] = [];
    const saga = await start(
      {
        submitRefund: () => made('failed', 3, 2),
        retryRefund: (retry: { number: number }) => {
          asked.push(retry);
          return asked.length === 1 ? made('failed', 4, 3) : made('succeeded', 5, 4);
        },
        notifyRefund: ({ key }: { key: string }) => void told.push(key),
      },
      input,
    );
    const { refundId } = input;
    for (let times = 1; times <= 2; times++) {
      await saga.called('recordRefund', times);
      await needsAttention(saga);
      await resolve(saga, 'retry');
    }
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(asked).toEqual([
      { refundId, number: 3, key: `refund:${refundId}/submit-3` },
      { refundId, number: 4, key: `refund:${refundId}/submit-4` },
    ]);
    expect(told).toEqual([`refund:${refundId}/succeeded-4`]);
    expect(saga.calls.filter((call) => call === 'submitRefund')).toHaveLength(1);
    expect(saga.calls.slice(-4)).toEqual(['retryRefund', 'recordRefund', 'notifyRefund', 'closeRefund']);
  });

  test('and its amount was refunded otherwise meanwhile: the operator is told and asked again', async () => {
    const saga = await start({ submitRefund: failed, retryRefund: refuses('refund_exceeds_payment') });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await resolve(saga, 'retry');
    await saga.called('retryRefund');
    await needsAttention(saga);
    expect(await saga.details()).toMatch(/other refunds of the payment have used its amount/);
    // Once per answer of the operator, however long that takes.
    await harness.env.sleep(2 * HOUR);
    expect(saga.calls.filter((call) => call === 'retryRefund')).toHaveLength(1);
    await resolve(saga, 'waived');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });

  test('and the service refuses to make it again: the operator reads why', async () => {
    const saga = await start({ submitRefund: failed, retryRefund: refuses('not_found') });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await resolve(saga, 'retry');
    await saga.called('retryRefund');
    await needsAttention(saga);
    expect(await saga.details()).toMatch(/not made again: not_found/);
    await resolve(saga, 'waived');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });

  test('the new try is pursued as the first one was, and retried while the service is away', async () => {
    const saga = await start({
      submitRefund: failed,
      retryRefund: fails(3, () => made('pending', 5, 2)),
      refreshRefund: () => made('succeeded', 6, 2),
    });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await resolve(saga, 'retry');
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(saga.calls).toContain('refreshRefund');
  });

  test('a new try that an operator gives up, because the service is away for hours, ends as failed', async () => {
    const saga = await start({ submitRefund: failed, retryRefund: isAway, closeRefund: () => pending() });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await resolve(saga, 'retry');
    await saga.called('retryRefund');
    await harness.env.sleep(2 * HOUR);
    await needsAttention(saga);
    await resolve(saga, 'waived');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });

  test('a refund that was pending and failed asks for an operator', async () => {
    const saga = await start({ submitRefund: pending, refreshRefund: failed });
    await saga.called('submitRefund');
    await harness.env.sleep(HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    await resolve(saga, 'waived');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });

  test('and its bank returns it in the moment the saga would end: it goes on and asks for an operator', async () => {
    let closings = 0;
    const saga = await start({ closeRefund: () => (++closings === 1 ? made('failed', 4) : failed()) });
    await saga.called('closeRefund');
    await needsAttention(saga);
    expect(saga.calls).toEqual(['submitRefund', 'recordRefund', 'notifyRefund', 'closeRefund', 'recordRefund']);
    await resolve(saga, 'waived');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });

  test('news that come while it ends are looked at before it does', async () => {
    let signalled = false;
    let attempts = 0;
    const answers = [made('succeeded', 1), made('failed', 4)];
    const saga = await start({
      closeRefund: (input, attempt) => {
        // The first attempt after the signal may belong to a workflow task from before it, whose completion the server would refuse.
        if (!signalled || attempts++ === 0) return fails()(input, attempt);
        return answers.shift() ?? failed();
      },
    });
    await saga.called('closeRefund');
    await saga.handle.signal('refundChanged', { refundId: randomUUID(), version: 4 });
    signalled = true;
    await needsAttention(saga);
    expect(answers).toEqual([]);
    await resolve(saga, 'waived');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });
});

describe('a refund whose place others have taken', () => {
  const covered = (version = 4) => ({ ...made('failed', version), owed: false, returned: false });
  const closed = { closeRefund: () => covered(9) };

  test('ends as failed: no operator is asked, and nobody is told', async () => {
    const saga = await start({ ...closed, submitRefund: () => covered() });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).toEqual(['submitRefund', 'recordRefund', 'closeRefund']);
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('while an operator is asked for it ends with the news, without their answer', async () => {
    const saga = await start({ ...closed, submitRefund: failed, refreshRefund: () => covered() });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await saga.handle.signal('refundChanged', { refundId: randomUUID(), version: 4 });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).toEqual(['submitRefund', 'recordRefund', 'refreshRefund', 'recordRefund', 'closeRefund']);
  });

  test('only in part stays an operator’s, and so does one of which the news say nothing new', async () => {
    const saga = await start({
      submitRefund: failed,
      refreshRefund: () => ({ ...made('failed', 4), owed: true, returned: false }),
    });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await saga.handle.signal('refundChanged', { refundId: randomUUID(), version: 4 });
    await saga.called('refreshRefund');
    await saga.handle.signal('refundChanged', { refundId: randomUUID(), version: 4 });
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    await resolve(saga, 'retry');
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(saga.calls.filter((call) => call === 'refreshRefund')).toHaveLength(1);
  });

  test('found out by the operator’s retry ends without asking again', async () => {
    const saga = await start({ ...closed, submitRefund: failed, retryRefund: () => covered() });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await resolve(saga, 'retry');
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).not.toContain('notifyRefund');
  });

  test('an operator is heard though Stripe is away when the news come', async () => {
    const saga = await start({ submitRefund: failed, refreshRefund: isAway });
    await saga.called('recordRefund');
    await needsAttention(saga);
    await saga.handle.signal('refundChanged', { refundId: randomUUID(), version: 4 });
    await saga.called('refreshRefund');
    await saga.update('resolve', { step: 'refund', action: 'waived', noteId: null });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).toContain('giveUpRefund');
  });
});

test('a payer who was told of their refund is told, once a try, that it came back', async () => {
  const input = someRefund();
  const told: string[] = [];
  const note: TestActivity = ({ key }: { key: string }) => void told.push(key);
  const returned = (tries: number) => ({ ...made('failed', 3 + tries, tries), owed: true, returned: true });
  const saga = await start(
    {
      submitRefund: () => returned(1),
      retryRefund: ({ number }: { number: number }) => made('succeeded', 5, number),
      closeRefund: () => returned(2),
      notifyRefund: note,
      notifyRefundReturned: note,
    },
    input,
  );
  for (let times = 1; times <= 2; times++) {
    await saga.called('recordRefund', 2 * times - 1);
    await needsAttention(saga);
    await resolve(saga, times === 1 ? 'retry' : 'waived');
  }
  await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  const names = ['returned-1', 'succeeded-2', 'returned-2'];
  expect(told).toEqual(names.map((name) => `refund:${input.refundId}/${name}`));
});

test('a signal of a version that nobody knows does not make it ask Stripe without end', async () => {
  const saga = await start({ submitRefund: pending, refreshRefund: pending });
  await saga.called('submitRefund');
  await saga.handle.signal('refundChanged', { refundId: randomUUID(), version: 1_000 });
  await saga.called('refreshRefund');
  await harness.env.sleep(HOUR);
  expect(saga.calls.filter((call) => call === 'refreshRefund').length).toBeLessThan(10);
  await saga.handle.terminate();
});

test('a service that is away for an hour asks for an operator; the refund is pursued meanwhile', async () => {
  let mended = false;
  const saga = await start({
    submitRefund: (input, attempt) => (mended ? made('succeeded', 1) : isAway(input, attempt)),
  });
  await saga.called('submitRefund');
  await harness.env.sleep(2 * HOUR);
  expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
  mended = true;
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});

test('a refund that the service refuses is given up when an operator waives it, and nothing stays reserved', async () => {
  const saga = await start({ submitRefund: refuses('not_found') });
  await saga.called('submitRefund');
  await needsAttention(saga);
  await resolve(saga, 'waived');
  await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  expect(saga.calls).toEqual(['submitRefund', 'giveUpRefund']);
});

test('what cannot be noted although an operator accepts that ends all the same', async () => {
  const saga = await start({ closeRefund: refuses('not_found') });
  await saga.called('closeRefund');
  await needsAttention(saga);
  await resolve(saga, 'accept');
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});

test('an operator’s cancel stops nothing: the money is owed', async () => {
  const saga = await start({ submitRefund: pending });
  await saga.called('submitRefund');
  await saga.handle.cancel();
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});

test('a notice that cannot be sent for a day changes nothing', async () => {
  const saga = await start({ notifyRefund: isAway });
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});

test('terminated by an operator and started again, by news of the refund or by hand, it goes on with what Stripe has', async () => {
  const input = someRefund();
  const first = await start({ submitRefund: pending, refreshRefund: pending }, input);
  await first.called('submitRefund');
  await first.handle.terminate('by mistake');
  const again = await start({ submitRefund: () => made('succeeded', 2) }, input);
  await expect(again.result()).resolves.toEqual({ status: 'succeeded' });
  expect(again.calls).toEqual(['submitRefund', 'recordRefund', 'notifyRefund', 'closeRefund']);
});
