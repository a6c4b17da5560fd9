import { randomUUID } from 'node:crypto';
import type { DebtSummary } from '../activities/debt';
import { quotedIn, tableOf } from '../tests/support/markdown-tables';
import {
  gate,
  isAway,
  refuses,
  type SagaHarness,
  type StartedSaga,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { DEBT_STEPS } from './debt';
import { debtOpen, debtSaga } from './debt.api';

const { look, settle } = DEBT_STEPS;
const DAY_MS = 86_400_000;

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

/** What payment would say: the row of the payee's latest debt, which activities change as they would. */
let row: DebtSummary;
let payeeId = '';
let settled: { debtId: string; as: string; key: string }[];

/** Another debt is opened. */
function opens(): void {
  row = { debtId: randomUUID(), status: 'open', left: '255.00 EUR', since: '2026-11-01T00:00:00.000Z' };
}
const earns = () => {
  row = { ...row, status: 'recovered', left: '0.00 EUR' };
};

async function start(change: Record<string, TestActivity> = {}): Promise<void> {
  payeeId = randomUUID();
  settled = [];
  opens();
  saga = await harness.start(
    debtSaga,
    { payeeId, currency: 'EUR' },
    {
      [look.does]: () => row,
      [settle.does]: ({ debtId, as, key }) => {
        settled.push({ debtId, as, key });
        if (row.debtId === debtId && row.status === 'open') row = { ...row, status: 'settled', left: '0.00 EUR' };
      },
      ...change,
    },
  );
}

const resolve = (action: string, step = 'debt') => saga.update('resolve', { step, action });
const tell = () => saga.handle.signal(debtOpen, { debtId: row.debtId });
const looks = () => saga.calls.filter((name) => name === look.does).length;
/** Waits until an operator is asked about a step. */
const asks = (step: string) => saga.says(`**${step}** is not done`);

/** Whatever the saga does, every history of it is a few events a day. */
async function eventsOf(): Promise<number> {
  return (await saga.handle.fetchHistory()).events?.length ?? 0;
}

describe('a debt is shown to operators', () => {
  test('at once, with its amount and its age, and with nobody’s name', async () => {
    await start();
    await saga.becomes('NeedsAttention');
    await saga.called(look.does);
    const details = await saga.details();
    expect(details).toContain('**NeedsAttention**');
    expect(details).toContain(`Payee ${payeeId} owes 255.00 EUR since 2026-11-01T00:00:00.000Z (debt ${row.debtId})`);
    expect(details).toContain('**debt** is not done');
  });

  test('every day anew with what is left of it, and ends by itself when earnings have paid it', async () => {
    await start();
    await saga.becomes('NeedsAttention');
    row = { ...row, left: '85.00 EUR' };
    await harness.env.sleep(DAY_MS + 1_000);
    await saga.called(look.does, 2);
    await saga.becomes('NeedsAttention');
    expect(await saga.details()).toContain('owes 85.00 EUR');
    earns();
    await expect(saga.result()).resolves.toEqual({ status: 'recovered' });
    expect([await saga.attribute('SagaState'), settled]).toEqual(['Completed', []]);
  });

  test('for as long as it takes: a hundred days are a few events a day, and its state does not flicker', async () => {
    await start();
    await saga.becomes('NeedsAttention');
    await harness.env.sleep(100 * DAY_MS);
    expect(looks()).toBeGreaterThan(95);
    expect(await eventsOf()).toBeLessThan(100 * 12);
    const { events } = await saga.handle.fetchHistory();
    const shown = events?.filter((event) => event.upsertWorkflowSearchAttributesEventAttributes) ?? [];
    expect(shown).toHaveLength(1);
    earns();
    await saga.result();
  }, 60_000);

  test('in the details alone that it is asked for, while payment does not answer at first', async () => {
    await start({ [look.does]: isAway });
    await saga.called(look.does);
    expect(await saga.details()).toContain(`Debt of payee ${payeeId} in EUR: asking payment`);
    await harness.env.sleep('61 minutes');
    await saga.becomes('NeedsAttention');
    await resolve('accept', 'look');
    await expect(saga.result()).resolves.toEqual({ status: 'open' });
  });
});

describe('an operator', () => {
  test.each(['paid_elsewhere', 'waived'] as const)(
    'says that it is %s: settled under a key of this debt',
    async (as) => {
      await start();
      await saga.becomes('NeedsAttention');
      await resolve(as);
      await expect(saga.result()).resolves.toEqual({ status: 'settled' });
      const { debtId } = row;
      expect(settled).toEqual([{ debtId, as, key: `debt:${payeeId}:EUR/settle/${debtId}` }]);
      expect(await saga.attribute('SagaState')).toBe('Completed');
    },
  );

  test('has it looked at now', async () => {
    await start();
    await saga.becomes('NeedsAttention');
    earns();
    await resolve('retry');
    await expect(saga.result()).resolves.toEqual({ status: 'recovered' });
    expect(looks()).toBe(2);
  });

  test('cannot accept it without saying what became of the money', async () => {
    await start();
    await saga.becomes('NeedsAttention');
    await expect(resolve('accept')).rejects.toThrow('validation_failed');
    await resolve('waived');
    await saga.result();
  });

  test('is heard while payment does not answer, and what they say is done when it does', async () => {
    let away = false;
    const looking = gate();
    await start({
      async [look.does]() {
        const before = row;
        if (away) await looking.activity();
        return before;
      },
    });
    await saga.becomes('NeedsAttention');
    away = true;
    await tell();
    await saga.called(look.does, 2);
    await resolve('waived');
    await saga.called(settle.does);
    away = false;
    // What it looked at is older than what the operator said.
    looking.open();
    await expect(saga.result()).resolves.toEqual({ status: 'settled' });
    expect(looks()).toBe(3);
  });

  test('settles what earnings have paid meanwhile: it is what payment says', async () => {
    await start({
      [settle.does]: () => {
        earns();
      },
    });
    await saga.becomes('NeedsAttention');
    await resolve('waived');
    await expect(saga.result()).resolves.toEqual({ status: 'recovered' });
  });

  test('is asked again when payment refuses what they said, and when they give that up', async () => {
    await start({ [settle.does]: refuses('invalid_state') });
    await saga.becomes('NeedsAttention');
    await resolve('waived');
    await asks('settle debt by hand');
    await resolve('accept', 'settle debt by hand');
    await saga.called(look.does, 2);
    await asks('debt');
    earns();
    await resolve('retry');
    await expect(saga.result()).resolves.toEqual({ status: 'recovered' });
  });

  test('who cancels the saga changes nothing', async () => {
    await start();
    await saga.becomes('NeedsAttention');
    await saga.handle.cancel();
    await harness.env.sleep(DAY_MS + 1_000);
    await saga.called(look.does, 2);
    earns();
    await expect(saga.result()).resolves.toEqual({ status: 'recovered' });
  });
});

describe('the Schedule’s word', () => {
  test('has it looked at now, whatever it carries', async () => {
    await start();
    await saga.becomes('NeedsAttention');
    await saga.handle.signal('debtOpen');
    await saga.called(look.does, 2);
    await saga.becomes('NeedsAttention');
    earns();
    await tell();
    await expect(saga.result()).resolves.toEqual({ status: 'recovered' });
  });

  test('of another debt, while the one before it ends, is not lost', async () => {
    const looking = gate();
    let first = true;
    await start({
      async [look.does]() {
        if (!first) return row;
        first = false;
        const before: DebtSummary = { ...row, status: 'recovered', left: '0.00 EUR' };
        await looking.activity();
        return before;
      },
    });
    await saga.called(look.does);
    opens();
    await tell();
    looking.open();
    await saga.becomes('NeedsAttention');
    await saga.called(look.does, 2);
    await resolve('waived');
    await expect(saga.result()).resolves.toEqual({ status: 'settled' });
    expect(settled).toMatchObject([{ debtId: row.debtId }]);
  });
});

test('its page says of every step what it calls, what takes it back, and how it runs', () => {
  const said = tableOf('docs/sagas/debt.md', 'Steps').map((step) => [
    ...quotedIn(`${step.step} ${step.do}`).slice(0, 2),
    quotedIn(step.undo ?? '')[0] ?? null,
    step.runs?.split(/[,;]/)[0],
  ]);
  const steps = Object.entries(DEBT_STEPS).map(([step, { does, undo, runs }]) => [step, does, undo, runs]);
  expect(said).toEqual(expect.arrayContaining(steps));
});
