import { randomUUID } from 'node:crypto';
import type { RefundSummary } from '../activities/refund';
import { DAY } from '../kernel/time';
import {
  isAway,
  refuses,
  type SagaHarness,
  type StartedSaga,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { refundChanged, refundSaga } from './refund.api';

// Refunds of a payment whose money a bank has taken: Stripe refunds nothing of it until the bank has decided.

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

let saga: StartedSaga;
// Whatever became of it: a worker that takes it over makes the same of its history.
afterEach(async () => {
  if (saga) await harness.replay(saga.handle);
});

let refundId = '';
/** What payment would say of the refund. */
let state: RefundSummary;
/** What was asked of it: the steps that hand it to Stripe, by their keys. */
let asked: string[];
/** Under which keys payer and payee were told that it waits. */
let told: string[];

function becomes({ disputed, ...change }: Partial<RefundSummary>): void {
  const { disputed: _, ...before } = state;
  state = { ...before, ...change, ...(disputed && { disputed }), version: state.version + 1 };
}
const made = (change: Partial<RefundSummary> = {}) => becomes({ status: 'succeeded', ...change });
const failed = { status: 'failed', owed: true, returned: false } as const;

async function start(is: Partial<RefundSummary>, change: Record<string, TestActivity> = {}): Promise<void> {
  refundId = randomUUID();
  state = { status: 'pending', version: 1, tries: 1, ...is };
  asked = [];
  told = [];
  saga = await harness.start(
    refundSaga,
    { refundId, paymentId: randomUUID(), bookingId: null },
    {
      submitRefund: ({ key }) => {
        asked.push(key.replace(`refund:${refundId}/`, ''));
        if (state.status === 'pending' && !state.disputed) made();
        return state;
      },
      retryRefund: ({ number, key }) => {
        asked.push(key.replace(`refund:${refundId}/`, ''));
        made({ tries: number });
        return state;
      },
      refreshRefund: () => state,
      closeRefund: () => state,
      giveUpRefund: () => undefined,
      notifyRefund: () => undefined,
      notifyRefundReturned: () => undefined,
      notifyRefundWaits: ({ key }) => {
        told.push(key.replace(`refund:${refundId}/`, ''));
      },
      ...change,
    },
  );
}

const tell = () => saga.handle.signal(refundChanged, { refundId, version: state.version });
async function waits(): Promise<void> {
  await saga.says("waits for the bank's decision about a dispute of the payment");
  expect(await saga.attribute('SagaState')).not.toBe('NeedsAttention');
}

describe('one that Stripe has not got', () => {
  test('waits, and is handed to it under the step’s key when the dispute is over', async () => {
    await start({ disputed: true });
    await waits();
    becomes({});
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(asked).toEqual(['submit-1', 'submit-1']);
  });

  test('waits for as long as it takes, and finds out by itself when the news are lost', async () => {
    await start({ disputed: true });
    await harness.env.sleep(60 * DAY);
    await waits();
    expect(asked).toEqual(['submit-1']);
    becomes({});
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(asked).toEqual(['submit-1', 'submit-1']);
    expect(told).toEqual(['waits-1']);
  });

  test('of a later try is handed over under the key of that', async () => {
    await start({ disputed: true, tries: 3 });
    await waits();
    becomes({});
    await tell();
    await saga.result();
    expect(asked).toEqual(['submit-1', 'submit-3']);
  });

  test('has failed when the bank has given the payer the money: nobody is asked', async () => {
    await start({ disputed: true });
    await waits();
    becomes({ status: 'failed', owed: false, returned: false });
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(asked).toEqual(['submit-1']);
  });
});

test('who is told that it waits need not be told for it to go on', async () => {
  await start({ disputed: true }, { notifyRefundWaits: refuses('not_found') });
  await waits();
  becomes({});
  await tell();
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
});

test('a notification that is away holds up no refund', async () => {
  const begunAt = await harness.env.currentTimeMs();
  await start({ disputed: true }, { notifyRefundWaits: isAway });
  await waits();
  becomes({});
  await tell();
  await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
  expect(await harness.env.currentTimeMs()).toBeLessThan(begunAt + DAY / 2);
});

describe('one that fails because of the dispute', () => {
  test('waits instead of asking an operator, and is made again by itself once the dispute is over', async () => {
    await start({ ...failed, disputed: true });
    await waits();
    becomes({});
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(asked).toEqual(['submit-1', 'submit-2']);
  });

  test('while it was pending at Stripe waits as well', async () => {
    await start({}, { submitRefund: () => state });
    await saga.called('submitRefund');
    becomes({ ...failed, disputed: true });
    await tell();
    await waits();
    becomes({});
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(asked).toEqual(['submit-2']);
  });

  test('tells its payer at once that it came back, if they were told that it was made', async () => {
    await start({ ...failed, returned: true, disputed: true });
    await waits();
    expect(saga.calls).toContain('notifyRefundReturned');
    becomes({});
    await tell();
    await saga.result();
  });

  test('and again after that is an operator’s', async () => {
    const again: TestActivity = ({ number }) => {
      asked.push(`try ${number}`);
      becomes({ tries: number });
      return state;
    };
    await start({ ...failed, disputed: true }, { retryRefund: again });
    await waits();
    becomes({});
    await tell();
    await saga.becomes('NeedsAttention');
    expect(asked).toEqual(['submit-1', 'try 2']);
    expect(await saga.details()).toContain('Stripe could not make it');
    await saga.update('resolve', { action: 'waived' });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
  });

  test('and is refused after that is an operator’s, who reads why', async () => {
    await start({ ...failed, disputed: true }, { retryRefund: refuses('refund_exceeds_payment') });
    await waits();
    becomes({});
    await tell();
    await saga.becomes('NeedsAttention');
    expect(await saga.details()).toContain('other refunds of the payment have used its amount');
    await saga.update('resolve', { action: 'waived' });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls.filter((call) => call === 'retryRefund')).toHaveLength(1);
  });

  test('and meets another dispute when it is made again waits for that too', async () => {
    let disputes = 1;
    const again: TestActivity = ({ number }) => {
      asked.push(`try ${number}`);
      if (disputes-- > 0) becomes({ disputed: true });
      else made({ tries: number });
      return state;
    };
    await start({ ...failed, disputed: true }, { retryRefund: again });
    await waits();
    becomes({});
    await tell();
    await saga.called('retryRefund');
    await waits();
    becomes({});
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'succeeded' });
    expect(asked).toEqual(['submit-1', 'try 2', 'try 2']);
    expect(told).toEqual(['waits-1']);
  });

  test('is over when the bank has given the payer the money', async () => {
    await start({ ...failed, disputed: true });
    await waits();
    becomes({ owed: false });
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(asked).toEqual(['submit-1']);
  });

  test('is an operator’s when payment does not say for an hour what becomes of it, and they give it up', async () => {
    await start({ ...failed, disputed: true }, { refreshRefund: refuses('not_found') });
    await waits();
    await tell();
    await harness.env.sleep(DAY);
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step: 'refresh', action: 'waived' });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).toContain('giveUpRefund');
  });
});
