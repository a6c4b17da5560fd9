import { uuidv7 } from '../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { aboutLedger } from './ledger';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase('payment');
});
afterEach(() => database.drop());

/** Entries of one movement for a payment of 1000 minor units. */
async function posted(currency: string, entries: Record<string, number>): Promise<void> {
  const { sql } = database;
  const [payment, transaction] = [uuidv7(), uuidv7()];
  await sql`insert into payments (id, payer_id, payee_id, status, capture, currency, amount, fee, captured, payment_method_id)
    values (${payment}, ${uuidv7()}, ${uuidv7()}, 'captured', 'automatic', ${currency}, 1000, 0, 1000, 'pm_card_visa')`;
  await sql.begin(async (tx) => {
    await tx`insert into ledger_transactions (id, payment_id, kind, reference, currency)
      values (${transaction}, ${payment}, 'capture', 'pi', ${currency})`;
    for (const [account, amount] of Object.entries(entries))
      await tx`insert into ledger_entries (transaction_id, account, currency, amount)
        values (${transaction}, ${account}, ${currency}, ${amount})`;
  });
}

const UNDISPUTED = { disputed: 0, reinstated: 0, disputeFees: 0 };

/** Stripe, where each charge was of 1000 and cost nothing. `funds`: available, and still to come. */
const stripe = (funds: Record<string, [number, number]>) => ({
  ...{ payment_intents: [], charges: [], refunds: [], disputes: [], customers: [], accounts: [], transfers: [] },
  ...{ transfer_reversals: [], connected_payouts: {}, pending_webhooks: 0 },
  balance: {
    available: Object.entries(funds).map(([currency, [amount]]) => ({ currency, amount })),
    pending: Object.entries(funds).map(([currency, [, amount]]) => ({ currency, amount })),
  },
  totals: Object.fromEntries(
    Object.entries(funds).map(([currency, [available, pending]]) => {
      const balance = available + pending;
      return [
        currency,
        { captured: 1_000, fees: 0, refunded: 0, transferred: 1_000 - balance, ...UNDISPUTED, balance },
      ];
    }),
  ),
});
const evidence = () => ({ database: () => database.sql });

test('the ledger has of each currency what Stripe has available and still to come', async () => {
  await posted('EUR', { stripe_balance: 1_000, 'tutor_pending:ada': -1_000 });
  await posted('USD', { stripe_balance: 1_000, 'tutor_pending:ada': -1_000 });
  expect(await aboutLedger(evidence(), stripe({ eur: [600, 400], usd: [1_000, 0] }))).toEqual([]);
  expect(await aboutLedger(evidence(), stripe({ eur: [600, 0], usd: [1_000, 400] }))).toEqual([
    'stripe_balance of the ledger in EUR, and at Stripe: 1000 is not 600',
    'stripe_balance of the ledger in USD, and at Stripe: 1000 is not 1400',
  ]);
});

test('what banks have taken, and what Stripe kept for it, is in the ledger what it is at Stripe', async () => {
  await posted('EUR', { stripe_balance: 1_000, 'tutor_pending:ada': -1_000 });
  const withdraw = (disputed: number, disputeFees: number, reinstated = 0) => ({
    ...stripe({ eur: [1_000 - disputed - disputeFees, 0] }),
    totals: {
      eur: {
        ...{ captured: 1_000, fees: 0, refunded: 0, transferred: 0, disputed, reinstated, disputeFees },
        balance: 1_000 - disputed - disputeFees,
      },
    },
  });
  expect(await aboutLedger(evidence(), withdraw(0, 0))).toEqual([]);
  expect(await aboutLedger(evidence(), withdraw(300, 20))).toEqual([
    'stripe_balance of the ledger in EUR, and at Stripe: 1000 is not 680',
    'dispute_fees of the ledger in EUR, and at Stripe: 0 is not 20',
    'withdrawn by disputes in EUR, and at Stripe: 0 is not 300',
  ]);
  expect(await aboutLedger(evidence(), withdraw(300, 20, 300))).toContain(
    'captured less refunds, fees, transfers and disputes at Stripe in EUR, and its balance: 980 is not 680',
  );
});

test('a payee may owe no more than what was paid out to them in that currency', async () => {
  const payee = uuidv7();
  const overdrawn = `tutor_payable:${payee} is overdrawn by 400 EUR`;
  const paidOut = (amount: number, currency: string, status = 'completed') => database.sql`
    insert into payouts (id, payee_id, origin, status, currency, amount, period_to, arrived_at, returned_at)
    values (${uuidv7()}, ${payee}, 'request', ${status}, ${currency}, ${amount}, now(), now(),
      case when ${status} = 'failed' then now() end)`;
  await posted('EUR', { [`tutor_payable:${payee}`]: 400, stripe_balance: -400 });
  const found = () => aboutLedger(evidence(), stripe({ eur: [-400, 0] }));
  expect(await found()).toContain(overdrawn);
  await paidOut(500, 'USD');
  await paidOut(500, 'EUR', 'failed');
  await paidOut(399, 'EUR');
  expect(await found()).toContain(overdrawn);
  await paidOut(1, 'EUR');
  expect(await found()).toEqual([]);
});
