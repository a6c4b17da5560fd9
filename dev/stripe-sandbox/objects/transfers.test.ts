import type Stripe from 'stripe';
import { type Bench, CARD_PAYMENT, control, refusal, sdkFor, startBench } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;
let tutor: string;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  tutor = (await stripe.accounts.create({ type: 'express', country: 'DE' })).id;
});

async function available(of: Stripe = stripe): Promise<number> {
  return (await of.balance.retrieve()).available.find(({ currency }) => currency === 'eur')?.amount ?? 0;
}

it('a transfer moves money to the connected account, with a balance transaction on both sides', async () => {
  await stripe.paymentIntents.create(CARD_PAYMENT);
  const transfer = await stripe.transfers.create({
    amount: 3825,
    currency: 'eur',
    destination: tutor,
    transfer_group: 'payout-1',
    metadata: { payout: '1' },
    expand: ['balance_transaction', 'destination'],
  });
  expect(transfer).toMatchObject({
    object: 'transfer',
    amount: 3825,
    amount_reversed: 0,
    reversed: false,
    metadata: { payout: '1' },
    balance_transaction: { amount: -3825, fee: 0, type: 'transfer' },
    destination: { id: tutor, object: 'account' },
  });
  expect(await available()).toBe(4500 - 88 - 3825);
  const connected = sdkFor(bench.sandbox.port, { account: tutor });
  expect(await available(connected)).toBe(3825);
  expect((await connected.balanceTransactions.list()).data).toMatchObject([{ type: 'payment', amount: 3825 }]);
  expect((await stripe.transfers.retrieve(transfer.id)).id).toBe(transfer.id);
  for (const selection of [{ destination: tutor }, { transfer_group: 'payout-1' }]) {
    expect((await stripe.transfers.list(selection)).data).toHaveLength(1);
  }
  expect((await stripe.transfers.list({ destination: 'acct_other' })).data).toEqual([]);
});

it('no more can be transferred than is available, also when transfers race', async () => {
  await stripe.paymentIntents.create(CARD_PAYMENT);
  const tries = await Promise.allSettled(
    Array.from({ length: 5 }, () => stripe.transfers.create({ amount: 2000, currency: 'eur', destination: tutor })),
  );
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  expect(await available()).toBe(412);
  const error = await refusal(stripe.transfers.create({ amount: 413, currency: 'eur', destination: tutor }));
  expect(error).toMatchObject({ statusCode: 400, code: 'balance_insufficient' });
  const foreign = stripe.transfers.create({ amount: 1, currency: 'usd', destination: tutor });
  expect((await refusal(foreign)).code).toBe('balance_insufficient');
});

it('money that is still pending can only be transferred from its own charge', async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/settings', { fundsDelayMs: 3_600_000 });
  const { latest_charge } = await stripe.paymentIntents.create({ ...CARD_PAYMENT, transfer_group: 'b1' });
  const source_transaction = String(latest_charge);
  const balance = await stripe.balance.retrieve();
  expect([balance.available[0]?.amount, balance.pending[0]?.amount]).toEqual([0, 4412]);
  const transfer = { amount: 3000, currency: 'eur', destination: tutor };
  expect((await refusal(stripe.transfers.create(transfer))).code).toBe('balance_insufficient');
  const sent = await stripe.transfers.create({ ...transfer, source_transaction });
  expect(sent).toMatchObject({ source_transaction, transfer_group: 'b1' });
  const tooMuch = stripe.transfers.create({ ...transfer, amount: 1501, source_transaction });
  expect((await refusal(tooMuch)).param).toBe('amount');
  const connected = await sdkFor(bench.sandbox.port, { account: tutor }).balance.retrieve();
  expect([connected.available[0]?.amount, connected.pending[0]?.amount]).toEqual([0, 3000]);
  const bypassing = { ...CARD_PAYMENT, payment_method: 'pm_card_bypassPending' };
  await stripe.paymentIntents.create(bypassing);
  expect(await available()).toBe(4412);
});

it('the destination must exist and be able to receive', async () => {
  await stripe.paymentIntents.create(CARD_PAYMENT);
  const transfer = { amount: 100, currency: 'eur' };
  const unknown = stripe.transfers.create({ ...transfer, destination: 'acct_nope' });
  expect(await refusal(unknown)).toMatchObject({ code: 'resource_missing', param: 'destination' });
  const { id: custom } = await stripe.accounts.create({ type: 'custom' });
  const incapable = stripe.transfers.create({ ...transfer, destination: custom });
  expect((await refusal(incapable)).code).toBe('insufficient_capabilities_for_transfer');
  await stripe.accounts.update(custom, { capabilities: { transfers: { requested: true } } });
  expect((await stripe.transfers.create({ ...transfer, destination: custom })).amount).toBe(100);
});

it('reversals take back what is left of a transfer and of the account', async () => {
  await stripe.paymentIntents.create(CARD_PAYMENT);
  const { id } = await stripe.transfers.create({ amount: 3000, currency: 'eur', destination: tutor });
  const first = await stripe.transfers.createReversal(id, { amount: 1000 });
  expect(first).toMatchObject({ object: 'transfer_reversal', amount: 1000, transfer: id });
  expect((await refusal(stripe.transfers.createReversal(id, { amount: 2001 }))).param).toBe('amount');
  const rest = await stripe.transfers.createReversal(id);
  expect(rest.amount).toBe(2000);
  expect((await refusal(stripe.transfers.createReversal(id))).message).toContain('already fully reversed');
  const transfer = await stripe.transfers.retrieve(id);
  expect(transfer).toMatchObject({ amount_reversed: 3000, reversed: true });
  expect(transfer.reversals.data.map((reversal) => reversal.id)).toEqual([rest.id, first.id]);
  expect((await stripe.transfers.listReversals(id)).data).toHaveLength(2);
  expect((await stripe.transfers.retrieveReversal(id, first.id)).amount).toBe(1000);
  expect(await available()).toBe(4412);
  expect(await available(sdkFor(bench.sandbox.port, { account: tutor }))).toBe(0);
});

it('balance transactions can be found by source and type, and the state sums up to the cent', async () => {
  const { id } = await stripe.paymentIntents.create(CARD_PAYMENT);
  const refund = await stripe.refunds.create({ payment_intent: id, amount: 500 });
  const { id: transfer } = await stripe.transfers.create({ amount: 3000, currency: 'eur', destination: tutor });
  await stripe.transfers.createReversal(transfer, { amount: 100 });
  const bySource = await stripe.balanceTransactions.list({ source: refund.id });
  expect(bySource.data).toMatchObject([{ amount: -500, net: -500 }]);
  const charges = await stripe.balanceTransactions.list({ type: 'charge', currency: 'eur' });
  expect(charges.data).toHaveLength(1);
  expect((await stripe.balanceTransactions.retrieve(charges.data[0]?.id ?? '')).type).toBe('charge');
  const { body } = await control(bench.sandbox.url, 'GET', '/sandbox/state');
  expect(body).toMatchObject({
    payment_intents: [{ id }],
    refunds: [{ id: refund.id }],
    transfers: [{ id: transfer }],
    totals: { eur: { captured: 4500, fees: 88, refunded: 500, transferred: 2900, balance: 1012 } },
    balance: { available: [{ amount: 1012, currency: 'eur' }] },
    connected_balances: { [tutor]: { available: [{ amount: 2900 }] } },
  });
});
