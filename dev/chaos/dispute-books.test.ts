import { disputesAt, type PaymentStack, refundsAt, startPaymentStack } from '../../tests/support/payment';
import { claimsByPayment } from './claims';
import { disputeBooks } from './dispute-books';
import { aboutDisputes, disputeEnds } from './disputes';
import { aboutLedger } from './ledger';
import { payoutBooks } from './payouts';
import { sandboxState } from './stripe-state';

// What is read of disputes that payment has recorded: the examiner finds nothing in what is sound, and what was planted into its rows.

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());

const { paid, askRefund, submitRefund, share } = refundsAt(() => stack);
const { dispute, bank, answered, find, stored } = disputesAt(() => stack);

const evidence = () => ({
  database: () => stack.service.database.sql,
  sandbox: async () => ({ body: await stack.state() }),
});

/** What is wrong by books, Stripe and ledger. The sagas, which this stack notes and does not run, have all ended. */
async function wrong(): Promise<string[]> {
  const state = await sandboxState(evidence());
  const rows = await disputeBooks(evidence());
  const sagas = new Map(rows.disputes.map(({ id }) => [id, 'COMPLETED']));
  return [...aboutDisputes({ ...rows, sagas }, state.disputes), ...(await aboutLedger(evidence(), state))];
}

/** Notes that all has been seen to, as the sagas do. */
const seen = () =>
  stack.service.database.sql`update disputes set closed_version = version where decided_at is not null`;

/** The payment's own earnings, as the examiner of payouts reads them. */
async function earned(paymentId: string) {
  const { earnings } = await payoutBooks(evidence(), new Set());
  return earnings.find(({ id }) => id === paymentId);
}

async function claimed(paymentId: string) {
  return (await claimsByPayment(stack.service.database.sql)).get(paymentId);
}

test('whatever banks decide, what is recorded is sound, and is read as it is', async () => {
  const [lost, won, late, above, inquiry, quiet] = await Promise.all(Array.from({ length: 6 }, () => paid()));
  if (!lost || !won || !late || !above || !inquiry || !quiet) throw new Error('Nothing was paid');
  const ids = {
    lost: await dispute(lost.paymentId, { amount: 1_000 }),
    won: await dispute(won.paymentId),
    late: await dispute(late.paymentId, { amount: 2_000 }),
    above: await dispute(above.paymentId, { amount: 6_000 }),
    inquiry: await dispute(inquiry.paymentId, { inquiry: true }),
  };
  await find();
  const open = await wrong();
  expect(open).toHaveLength(10);
  expect(open.filter((sentence) => !/is not decided|has not noted its end/.test(sentence))).toEqual([]);
  await answered(ids.won.id);
  await bank(ids.won.id, { to: 'won', reinstated: 4_000 });
  for (const { id } of [ids.lost, ids.late, ids.above]) await bank(id, { to: 'lost' });
  await find();
  await bank(ids.late.id, { to: 'won' });
  await bank(ids.inquiry.id, { to: 'closed' });
  await find();
  await seen();
  expect(await wrong()).toEqual([]);
  expect(Object.fromEntries(disputeEnds({ ...(await disputeBooks(evidence())), sagas: new Map() }))).toEqual({
    ...{ lost: 2, won: 1, 'partly won': 1, warning_closed: 1 },
  });
  expect(await claimed(lost.paymentId)).toEqual({ taken: 1_000, chargedBack: 1_000, givenUp: 0, wonLate: false });
  expect(await claimed(won.paymentId)).toEqual({ taken: 4_500, chargedBack: 500, givenUp: 0, wonLate: false });
  expect(await claimed(late.paymentId)).toEqual({ taken: 2_000, chargedBack: 0, givenUp: 0, wonLate: true });
  expect(await claimed(above.paymentId)).toEqual({ taken: 6_000, chargedBack: 4_500, givenUp: 0, wonLate: false });
  for (const { paymentId } of [inquiry, quiet]) expect(await claimed(paymentId)).toBeUndefined();
  expect(await earned(lost.paymentId)).toMatchObject({ chargedBack: 1_000, disputes: 1, posted: 2_975 });
});

test('what Stripe refunds no more and an operator has paid elsewhere is read as given up', async () => {
  const payment = await paid();
  const { id } = await dispute(payment.paymentId, { amount: 1_000 });
  await bank(id, { to: 'lost' });
  await find();
  const { refundId } = (await askRefund(payment, 2_000)).body;
  expect((await submitRefund(refundId)).body.status).toBe('failed');
  const as = { as: 'paid_elsewhere' };
  expect((await stack.post(`/refunds/${refundId}/give-up`, `refund:${refundId}/by-hand`, as)).status).toBe(200);
  await seen();
  expect(await wrong()).toEqual([]);
  expect(await claimed(payment.paymentId)).toMatchObject({ chargedBack: 1_000, givenUp: 2_000 });
  expect(await earned(payment.paymentId)).toMatchObject({ givenUp: 2_000, promised: 0, posted: 1_275 });
});

test('while a bank has the money, what its payer is owed is not held against what refunds promise', async () => {
  const payment = await paid();
  const { id } = await dispute(payment.paymentId);
  await find();
  const { refundId } = (await share(payment, 50)).body;
  await submitRefund(refundId);
  expect((await wrong()).filter((sentence) => sentence.includes('payer_owed'))).toEqual([]);
  await answered(id);
  await bank(id, { to: 'won' });
  await find();
  await submitRefund(refundId);
  await seen();
  expect(await wrong()).toEqual([]);
});

test('found: a row that was planted', async () => {
  const payment = await paid();
  const { id: stripeId } = await dispute(payment.paymentId);
  await bank(stripeId, { to: 'lost' });
  await find();
  await seen();
  expect(await wrong()).toEqual([]);
  const [row] = await stored(payment.paymentId);
  const { sql } = stack.service.database;
  await sql`update payments set charged_back = charged_back - 1 where id = ${payment.paymentId}`;
  expect(await wrong()).toContain(
    `payment ${payment.paymentId}: charged back, and what its disputes have lost of it: 4499 is not 4500`,
  );
  await sql`update payments set charged_back = charged_back + 1 where id = ${payment.paymentId}`;
  await sql`update disputes set status = 'won', withdrawn = 0 where id = ${row?.id ?? ''}`;
  expect(await wrong()).toEqual(
    expect.arrayContaining([
      `dispute ${row?.id} (won): Stripe says lost 4500`,
      `dispute ${row?.id} (won): 0 are withdrawn, and at Stripe 4500`,
    ]),
  );
});
