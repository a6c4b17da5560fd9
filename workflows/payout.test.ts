import { randomUUID } from 'node:crypto';
import type { PayoutSummary } from '../activities/payout';
import { quotedIn, tableOf } from '../tests/support/markdown-tables';
import {
  fails,
  gate,
  isAway,
  refuses,
  type SagaHarness,
  type StartedSaga,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { PAYOUT_STEPS } from './payout';
import { payoutChanged, payoutSaga } from './payout.api';

const { open, check, transfer, bank, refresh, return: back } = PAYOUT_STEPS;

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

/** What payment would say of the payout: its row, which activities change as they would. */
let row: PayoutSummary;
let payoutId = '';
let keys: Record<string, string[]>;

const set = (change: Partial<PayoutSummary>) => {
  row = { ...row, ...change, version: row.version + 1 };
  return row;
};
/** By the server's clock, which tests let run ahead. */
const now = async () => new Date(await harness.env.currentTimeMs()).toISOString();

/** Every activity does what its service would, unless `change` says otherwise. */
async function start(change: Record<string, TestActivity> = {}): Promise<void> {
  payoutId = randomUUID();
  keys = {};
  row = {
    ...{ status: 'pending', reason: null, version: 1, transferred: false, sent: false, closed: false },
    ...{ expectedAt: null, arrivedAt: null },
  };
  const well: Record<string, TestActivity> = {
    [open.does]: () => row,
    [open.undo]: ({ reason }) => void set({ status: 'cancelled', closed: true, ...(reason && { reason }) }),
    [check.does]: () => row,
    [transfer.does]: () => set({ status: 'processing', reason: null, transferred: true }),
    [transfer.undo]: () => undefined,
    [bank.does]: () => set({ sent: true, expectedAt: '2026-12-01T00:00:00.000Z' }),
    [refresh.does]: () => row,
    [back.does]: () => set({ closed: true }),
    settlePayout: ({ as }) => void set({ status: as === 'waived' ? 'cancelled' : 'completed', closed: true }),
    notifyPayout: () => undefined,
    ...change,
  };
  const noted = Object.entries(well).map(([name, activity]): [string, TestActivity] => [
    name,
    (input: { key?: string }, attempt) => {
      keys[name] = [...(keys[name] ?? []), input.key ?? ''];
      return activity(input, attempt);
    },
  ]);
  saga = await harness.start(payoutSaga, { payoutId, payeeId: randomUUID() }, Object.fromEntries(noted));
}

/** The bank takes it, whenever it is next asked. */
const bankPays = (): TestActivity => {
  return async () => (row.status === 'processing' ? set({ status: 'completed', arrivedAt: await now() }) : row);
};
const tell = () => saga.handle.signal(payoutChanged, { payoutId, version: row.version });
/** Once per kind of news, whatever was tried again. */
const told = () => [...new Set(keys.notifyPayout)].map((key) => key.replace(`payout:${payoutId}/`, ''));

describe('to the bank', () => {
  test('each step under a key of its own; it is watched for five business days after "paid"', async () => {
    await start({ [refresh.does]: bankPays() });
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
    expect(saga.calls.slice(0, 4)).toEqual([open.does, check.does, transfer.does, bank.does]);
    expect(saga.calls).not.toContain(back.does);
    const of = (step: string) => [`payout:${payoutId}/${step}`];
    expect(keys).toMatchObject({ [open.does]: of('open'), [transfer.does]: of('transfer'), [bank.does]: of('bank') });
    expect(told()).toEqual(['completed']);
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });

  test('the news that it is paid come by a signal', async () => {
    await start();
    await saga.becomes('Confirmed');
    set({ status: 'completed', arrivedAt: await now() });
    await tell();
    await saga.called('notifyPayout');
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
  });

  test('sent back days after it was paid, it is fetched back and payable again, and its payee is told both', async () => {
    let asked = 0;
    await start({
      [refresh.does]: async () => {
        if (row.status === 'processing') return set({ status: 'completed', arrivedAt: await now() });
        asked += 1;
        return asked === 3 ? set({ status: 'failed', reason: 'refused_by_bank' }) : row;
      },
    });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(told()).toEqual(['completed', 'over']);
    expect(keys[back.does]).toEqual([`payout:${payoutId}/return`]);
  });

  test('refused by the bank, it is fetched back, for as long as that takes', async () => {
    await start({
      [refresh.does]: () => (row.status === 'processing' ? set({ status: 'failed', reason: 'refused_by_bank' }) : row),
      [back.does]: fails(5, () => set({ closed: true })),
    });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(told()).toEqual(['over']);
  });

  test('a bank that says nothing for ten days is an operator’s, who may wait on or settle it', async () => {
    await start();
    await harness.env.sleep('241 hours');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step: 'bank', action: 'retry' });
    await saga.becomes('Confirmed');
    await harness.env.sleep('241 hours');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step: 'bank', action: 'paid_elsewhere' });
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
    expect(saga.calls).toContain('settlePayout');
    expect(told()).toEqual(['over']);
  });

  test('what cannot be fetched back is an operator’s', async () => {
    await start({
      [refresh.does]: () => (row.status === 'processing' ? set({ status: 'failed', reason: 'refused_by_bank' }) : row),
      [back.does]: refuses('transfer_not_reversed'),
    });
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step: 'return', action: 'waived' });
    await saga.result();
    expect(saga.calls).toContain('settlePayout');
    expect(await saga.attribute('SagaState')).toBe('Completed');
  });
});

describe('before the bank', () => {
  test('a payee who has told Stripe nothing is told once, and waited for', async () => {
    let asked = 0;
    await start({
      [check.does]: () => {
        asked += 1;
        return asked < 4 ? set({ reason: 'awaiting_onboarding' }) : set({ reason: null });
      },
      [refresh.does]: bankPays(),
    });
    await saga.becomes('AwaitingTutor');
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
    expect(told()).toEqual(['waits-awaiting_onboarding', 'completed']);
  });

  test.each([
    ['awaiting_onboarding', 30, ['waits-awaiting_onboarding', 'over']],
    ['awaiting_bank_account', 30, ['waits-awaiting_bank_account', 'over']],
    ['awaiting_funds', 7, ['over']],
  ] as const)('%s for %i days: it is called off, and payable again', async (reason, days, news) => {
    await start({ [check.does]: () => (row.reason === reason ? row : set({ reason })) });
    const began = await harness.env.currentTimeMs();
    await expect(saga.result()).resolves.toEqual({ status: 'cancelled' });
    const took = ((await harness.env.currentTimeMs()) - began) / 86_400_000;
    expect(took).toBeGreaterThanOrEqual(days);
    expect(took).toBeLessThan(days + 1);
    expect(saga.calls).not.toContain(transfer.does);
    expect(keys[open.undo]).toEqual([`payout:${payoutId}/open/undo`]);
    expect(told()).toEqual(news);
    expect(await saga.attribute('SagaState')).toBe('Compensated');
    const { events } = await saga.handle.fetchHistory();
    expect(events?.length).toBeLessThan(600);
  });

  test('Stripe finds our funds gone at the transfer: it waits and tries again under the same key', async () => {
    let tries = 0;
    await start({
      [check.does]: () => (row.reason === null ? row : set({ reason: tries === 0 ? row.reason : null })),
      [transfer.does]: () =>
        ++tries === 1
          ? set({ reason: 'awaiting_funds' })
          : set({ status: 'processing', reason: null, transferred: true }),
      [refresh.does]: bankPays(),
    });
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
    expect(keys[transfer.does]).toEqual([1, 2].map(() => `payout:${payoutId}/transfer`));
  });

  test.each([
    ['the transfer', { [transfer.does]: () => set({ reason: 'refused_by_stripe' }) }, 0],
    ['to send it', { [bank.does]: () => set({ reason: 'no_bank_account' }) }, 1],
    ['what was stopped', { [transfer.does]: refuses('undone') }, 0],
  ] as const)('Stripe refuses %s: what was transferred comes back first', async (_, change, transferred) => {
    await start(change);
    await expect(saga.result()).resolves.toEqual({ status: 'cancelled' });
    expect(row.transferred ? 1 : 0).toBe(transferred);
    const undone = saga.calls.filter((name) => name === transfer.undo || name === open.undo);
    expect(undone).toEqual([transfer.undo, open.undo]);
    expect(keys[transfer.undo]).toEqual([`payout:${payoutId}/transfer/undo`]);
  });

  test('what is taken back waits for the money, and an operator is asked when it does not come', async () => {
    await start({
      [bank.does]: () => set({ reason: 'no_bank_account' }),
      [transfer.undo]: refuses('transfer_not_reversed'),
    });
    await saga.becomes('NeedsAttention');
    expect(saga.calls).not.toContain(open.undo);
    await saga.update('resolve', { step: 'undo transfer', action: 'paid_elsewhere' });
    await expect(saga.result()).resolves.toMatchObject({ status: 'cancelled' });
    expect(saga.calls.indexOf('settlePayout')).toBeLessThan(saga.calls.indexOf(open.undo));
  });

  test('an operator calls it off while it waits', async () => {
    await start({ [check.does]: () => (row.reason ? row : set({ reason: 'awaiting_onboarding' })) });
    await saga.becomes('AwaitingTutor');
    await saga.handle.cancel();
    await expect(saga.result()).resolves.toEqual({ status: 'cancelled' });
    expect(row.reason).toBe('cancelled_by_operator');
  });

  test('an operator calls it off during the transfer, which succeeds: it is fetched back', async () => {
    const running = gate();
    await start({
      [transfer.does]: async () => {
        await running.activity();
        return set({ status: 'processing', transferred: true });
      },
    });
    await saga.called(transfer.does);
    await saga.handle.cancel();
    running.open();
    await expect(saga.result()).resolves.toEqual({ status: 'cancelled' });
    expect(saga.calls).not.toContain(bank.does);
    expect(saga.calls.filter((name) => name === transfer.undo)).toHaveLength(1);
  });

  test.each([
    ['check', check.does],
    ['transfer', transfer.does],
    ['bank', bank.does],
  ] as const)('Stripe away for more than an hour at %s: an operator settles it by hand', async (step, does) => {
    await start({ [does]: isAway });
    await harness.env.sleep('61 minutes');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step, action: 'waived' });
    await saga.result();
    expect(saga.calls).toContain('settlePayout');
    expect(row).toMatchObject({ status: 'cancelled', closed: true });
  });
});

describe('while the bank is waited for', () => {
  test('Stripe is away for more than an hour: an operator who knows that it was paid settles it', async () => {
    await start({ [refresh.does]: (input, attempt) => (row.closed ? row : isAway(input, attempt)) });
    await harness.env.sleep('65 minutes');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { step: 'refresh', action: 'paid_elsewhere' });
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
    expect(saga.calls).toContain('settlePayout');
  });

  test('nobody knows when it is expected', async () => {
    await start({ [bank.does]: () => set({ sent: true, expectedAt: null }), [refresh.does]: bankPays() });
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
  });
});

describe('started again', () => {
  test('after its end, because a bank sent it back: it goes on there', async () => {
    await start({
      [open.does]: () => {
        row = { ...row, status: 'failed', reason: 'refused_by_bank', transferred: true, sent: true };
        return row;
      },
    });
    await expect(saga.result()).resolves.toEqual({ status: 'failed' });
    expect(saga.calls).not.toContain(transfer.does);
    expect(keys[back.does]).toHaveLength(1);
  });

  test('when nothing is left to do: it ends', async () => {
    await start({ [open.does]: () => ({ ...row, status: 'completed', sent: true, closed: true }) });
    await expect(saga.result()).resolves.toEqual({ status: 'completed' });
    expect(saga.calls).toEqual([open.does]);
  });

  test('when it was called off before: it takes nothing back that is not there', async () => {
    await start({ [open.does]: refuses('undone') });
    await expect(saga.result()).resolves.toEqual({ status: 'cancelled' });
    expect(saga.calls).not.toContain(transfer.does);
  });
});

test('its page says of every step what it calls, what takes it back, and how it runs', () => {
  const said = tableOf('docs/sagas/payout.md', 'Steps').map((step) => [
    ...quotedIn(`${step.step} ${step.do}`).slice(0, 2),
    quotedIn(step.undo ?? '')[0] ?? null,
    step.runs?.split(/[,;]/)[0],
  ]);
  const steps = Object.entries(PAYOUT_STEPS).map(([step, { does, undo, runs }]) => [step, does, undo, runs]);
  expect(said).toEqual(expect.arrayContaining(steps));
});
