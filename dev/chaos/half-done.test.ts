import { uuidv7 } from '../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { moneyWithoutPayment, reservationsWithoutRefund } from './half-done';

let payments: TestDatabase;
beforeAll(async () => {
  payments = await createTestDatabase('payment');
});
afterAll(() => payments.drop());

const intents: { id: string; status: string; amount: number; metadata: Record<string, string> }[] = [];
/** Stripe, as far as intents go. */
const sandbox = async () => ({
  body: {
    ...{ payment_intents: intents, charges: [], refunds: [], disputes: [], customers: [], accounts: [] },
    ...{ transfers: [], transfer_reversals: [], connected_payouts: {}, balance: { available: [], pending: [] } },
    ...{ totals: {}, pending_webhooks: 0 },
  },
});
const evidence = { database: () => payments.sql, sandbox };

async function paid(reserved: number): Promise<string> {
  const id = uuidv7();
  await payments.sql`insert into payments (id, payer_id, payee_id, status, capture, currency, amount, fee, captured,
    refund_pending, payment_method_id)
    values (${id}, ${uuidv7()}, ${uuidv7()}, 'captured', 'automatic', 'EUR', 1000, 100, 1000, ${reserved}, 'pm_card_visa')`;
  return id;
}

test('an amount that stays reserved is found, with what is asked of it', async () => {
  await paid(0);
  const [orphaned, asked] = [await paid(600), await paid(700)];
  await payments.sql`insert into refunds (id, payment_id, origin, reason, status, currency, amount)
    values (${uuidv7()}, ${asked}, 'request', 'As agreed', 'pending', 'EUR', 700)`;
  expect((await reservationsWithoutRefund(evidence)).toSorted()).toEqual(
    [
      `payment ${orphaned} reserves 600 for refunds; promised are 0`,
      `payment ${asked} reserves 700 for refunds; promised are 700`,
    ].toSorted(),
  );
});

test('money at Stripe that no payment knows is found; what was only a key taken, or was given up, is none', async () => {
  const known = await paid(0);
  const of = (id: string, status: string, metadata: Record<string, string>) => ({ id, status, amount: 1, metadata });
  intents.push(
    of('pi_ours', 'succeeded', { paymentId: known }),
    of('pi_inert', 'requires_capture', { paymentId: uuidv7(), inert: 'true' }),
    of('pi_cancelled', 'canceled', { paymentId: uuidv7() }),
    of('pi_held', 'requires_capture', { paymentId: uuidv7() }),
    of('pi_taken', 'succeeded', {}),
  );
  expect(await moneyWithoutPayment(evidence)).toEqual([
    'pi_held is requires_capture at Stripe and belongs to no payment',
    'pi_taken is succeeded at Stripe and belongs to no payment',
  ]);
});
