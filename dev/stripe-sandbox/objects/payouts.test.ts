import type Stripe from 'stripe';
import { type Bench, CARD_PAYMENT, control, refusal, sdkFor, startBench, until } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

const AN_HOUR = 3_600_000;

let bench: Bench;
let stripe: Stripe;
/** A tutor with 30.00 EUR and a bank account that takes them. */
let tutor: string;
let own: Stripe;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  await settings({ payoutPendingMs: 0, payoutTransitMs: 0, payoutReturnMs: 0 });
  tutor = (await stripe.accounts.create({ type: 'express', country: 'DE' })).id;
  own = sdkFor(bench.sandbox.port, { account: tutor });
  await bankWith('DE89370400440532013000');
  await stripe.paymentIntents.create(CARD_PAYMENT);
  await stripe.transfers.create({ amount: 3000, currency: 'eur', destination: tutor });
});

const settings = (change: object) => control(bench.sandbox.url, 'POST', '/sandbox/settings', change);
const say = (payout: string, word: object) => control(bench.sandbox.url, 'POST', `/sandbox/payouts/${payout}`, word);

async function bankWith(account_number: string): Promise<string> {
  const details = { object: 'bank_account' as const, country: 'DE', currency: 'eur', account_number };
  const bank = { external_account: details, default_for_currency: true };
  return (await stripe.accounts.createExternalAccount(tutor, bank)).id;
}

const pay = (amount = 1000, more: object = {}, options = {}) =>
  own.payouts.create({ amount, currency: 'eur', ...more }, options);

async function available(of: Stripe = own): Promise<number> {
  return (await of.balance.retrieve()).available.find(({ currency }) => currency === 'eur')?.amount ?? 0;
}

const becomes = (id: string, status: string) =>
  until(`the payout is ${status}`, async () => (await own.payouts.retrieve(id)).status === status);

/** What was told of the account's payouts, the oldest first. */
async function told(): Promise<string[]> {
  const { data } = await own.events.list({ limit: 100 });
  return data
    .map(({ type }) => type)
    .filter((type) => type.startsWith('payout.'))
    .reverse();
}

/** Everything keeps its sum: what was received less what was paid out is there. */
async function expectSums(paidOut: number): Promise<void> {
  const { body } = await control(bench.sandbox.url, 'GET', '/sandbox/state');
  expect(body.connected_totals[tutor].eur).toEqual({ received: 3000, paidOut, balance: 3000 - paidOut });
}

it('a payout leaves the balance at once and arrives at the bank', async () => {
  await settings({ payoutPendingMs: AN_HOUR });
  const bank = await bankWith('DE89370400440532013000');
  const metadata = { payout: 'p1' };
  const payout = await pay(1000, { metadata, statement_descriptor: 'TUTORING', expand: ['destination'] });
  expect(payout).toMatchObject({
    id: expect.stringMatching(/^po_/),
    object: 'payout',
    amount: 1000,
    automatic: false,
    currency: 'eur',
    destination: { id: bank, object: 'bank_account' },
    failure_code: null,
    metadata,
    method: 'standard',
    status: 'pending',
    statement_descriptor: 'TUTORING',
    type: 'bank_account',
  });
  expect(payout.arrival_date).toBeGreaterThanOrEqual(payout.created + 3600);
  expect(await available()).toBe(2000);
  const { body } = await say(payout.id, { to: 'in_transit' });
  expect(body.status).toBe('in_transit');
  await becomes(payout.id, 'paid');
  expect((await own.payouts.retrieve(payout.id)).trace_id).toMatchObject({ status: 'supported' });
  expect(await told()).toEqual(['payout.created', 'payout.updated', 'payout.updated', 'payout.paid']);
  const out = await own.balanceTransactions.retrieve(String(payout.balance_transaction), { expand: ['source'] });
  expect(out).toMatchObject({ amount: -1000, type: 'payout', source: { id: payout.id, object: 'payout' } });
  await expectSums(1000);
});

it.each([
  ['DE62370400440532013001', 'no_account', true],
  ['DE89370400440532013002', 'account_closed', true],
  ['FR89370400440532013003', 'insufficient_funds', false],
  ['DE89370400440532013004', 'debit_not_authorized', true],
  ['000444444440', 'invalid_currency', true],
  ['000111111116', 'no_account', true],
])('a payout to %s fails with %s, and its money is back', async (number, code, disables) => {
  const bank = await bankWith(number);
  const { id } = await pay();
  await becomes(id, 'failed');
  const failed = await own.payouts.retrieve(id, { expand: ['failure_balance_transaction'] });
  expect(failed).toMatchObject({
    failure_code: code,
    failure_message: expect.stringMatching(/\w/),
    failure_balance_transaction: { amount: 1000, type: 'payout_failure', source: id },
  });
  expect(await told()).toEqual(['payout.created', 'payout.updated', 'payout.updated', 'payout.failed']);
  await expectSums(0);
  const account = await stripe.accounts.retrieve(tutor);
  expect(account.payouts_enabled).toBe(!disables);
  const status = disables ? 'errored' : 'new';
  expect(await stripe.accounts.retrieveExternalAccount(tutor, bank)).toMatchObject({ status });
});

it('after a failure nothing is paid until there is another bank account', async () => {
  const bad = await bankWith('DE89370400440532013002');
  await becomes((await pay()).id, 'failed');
  expect((await stripe.accounts.retrieve(tutor)).requirements?.past_due).toEqual(['external_account']);
  expect(await refusal(pay())).toMatchObject({ statusCode: 400, code: 'payouts_not_allowed' });
  await bankWith('DE89370400440532013000');
  const account = await stripe.accounts.retrieve(tutor);
  expect([account.payouts_enabled, account.requirements?.past_due]).toEqual([true, []]);
  expect((await refusal(pay(1000, { destination: bad }))).code).toBe('bank_account_unusable');
  await becomes((await pay()).id, 'paid');
  await expectSums(1000);
});

it('a payout to the sandbox’s own number is paid and fails then', async () => {
  await settings({ payoutReturnMs: AN_HOUR });
  await bankWith('DE89370400440532013099');
  const { id } = await pay();
  await becomes(id, 'paid');
  await settings({ payoutReturnMs: 0 });
  const second = await pay(500);
  await becomes(second.id, 'failed');
  expect((await own.payouts.retrieve(second.id)).failure_code).toBe('account_closed');
  expect((await told()).slice(-6)).toEqual([
    'payout.created',
    'payout.updated',
    'payout.updated',
    'payout.paid',
    'payout.updated',
    'payout.failed',
  ]);
  expect((await own.payouts.retrieve(id)).status).toBe('paid');
  await expectSums(1000);
});

it('by control a paid payout fails with any reason, once', async () => {
  const { id } = await pay();
  await becomes(id, 'paid');
  expect(await say(id, { to: 'failed', code: 'could_not_process' })).toMatchObject({
    status: 200,
    body: { status: 'failed', failure_code: 'could_not_process', failure_balance_transaction: expect.any(String) },
  });
  expect((await stripe.accounts.retrieve(tutor)).payouts_enabled).toBe(true);
  await expectSums(0);
  expect((await say(id, { to: 'failed' })).status).toBe(400);
  expect((await say(id, { to: 'paid' })).status).toBe(400);
  await expectSums(0);
  expect((await say(id, { to: 'failed', code: 'bored' })).status).toBe(422);
  expect((await say('po_nope', { to: 'paid' })).status).toBe(404);
});

it('a pending payout can be cancelled, one on its way cannot', async () => {
  await settings({ payoutPendingMs: AN_HOUR, payoutTransitMs: AN_HOUR });
  const first = await pay();
  expect(await own.payouts.cancel(first.id)).toMatchObject({
    status: 'canceled',
    failure_balance_transaction: expect.any(String),
    failure_code: null,
  });
  expect(await available()).toBe(3000);
  expect(await told()).toEqual(['payout.created', 'payout.updated', 'payout.canceled']);
  expect((await refusal(own.payouts.cancel(first.id))).message).toContain('canceled');
  const second = await pay();
  await say(second.id, { to: 'in_transit' });
  expect((await refusal(own.payouts.cancel(second.id))).message).toContain('in_transit');
  await expectSums(1000);
});

it('a cancel and the bank collide, and the money goes one way only', async () => {
  const payouts = await Promise.all(Array.from({ length: 12 }, () => pay(100)));
  const cancelled = await Promise.allSettled(payouts.map(({ id }) => own.payouts.cancel(id)));
  for (const [n, { id }] of payouts.entries()) {
    await becomes(id, cancelled[n]?.status === 'fulfilled' ? 'canceled' : 'paid');
  }
  await expectSums(cancelled.filter(({ status }) => status === 'rejected').length * 100);
});

it('no more is paid out than is available, also when payouts race, and a key pays once', async () => {
  const tries = await Promise.allSettled(Array.from({ length: 5 }, () => pay(1200)));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  expect(await available()).toBe(600);
  expect(await refusal(pay(601))).toMatchObject({ statusCode: 400, code: 'balance_insufficient' });
  const once = { idempotencyKey: 'payout:p1/payout/1' };
  const [first, second] = [await pay(100, {}, once), await pay(100, {}, once)];
  expect(second.id).toBe(first.id);
  expect(await available()).toBe(500);
});

it('money that is still to come cannot be paid out', async () => {
  await settings({ fundsDelayMs: AN_HOUR });
  const { latest_charge } = await stripe.paymentIntents.create(CARD_PAYMENT);
  const source_transaction = String(latest_charge);
  await stripe.transfers.create({ amount: 4000, currency: 'eur', destination: tutor, source_transaction });
  expect((await refusal(pay(3001))).code).toBe('balance_insufficient');
  expect((await pay(3000)).amount).toBe(3000);
});

it('what was paid out cannot be reversed until it comes back', async () => {
  const [transfer] = (await stripe.transfers.list({ destination: tutor })).data;
  const id = transfer?.id ?? '';
  const payout = await pay(2500);
  expect((await refusal(stripe.transfers.createReversal(id))).code).toBe('balance_insufficient');
  await becomes(payout.id, 'paid');
  await say(payout.id, { to: 'failed' });
  const once = { idempotencyKey: 'payout:p1/reversal/1' };
  const reversal = await stripe.transfers.createReversal(id, {}, once);
  expect((await stripe.transfers.createReversal(id, {}, once)).id).toBe(reversal.id);
  expect(await stripe.transfers.retrieve(id)).toMatchObject({ amount_reversed: 3000, reversed: true });
  expect([await available(), await available(stripe)]).toEqual([0, 4412]);
});

it.each([
  ['a currency without a bank account', { currency: 'gbp' }, undefined, "don't have any external accounts"],
  ['an unknown bank account', { destination: 'ba_nope' }, 'resource_missing', 'No such external account'],
  ['the instant method', { method: 'instant' }, 'instant_payouts_unsupported', 'Instant'],
  ['an unknown parameter', { speed: 'fast' }, 'parameter_unknown', 'speed'],
  ['no amount', { amount: 0 }, 'parameter_invalid_integer', 'greater than or equal'],
])('with %s a payout is refused', async (_, wrong, code, words) => {
  const error = await refusal(pay(1000, wrong));
  expect(error).toMatchObject({ statusCode: 400, code });
  expect(error.message).toContain(words);
  expect((await own.payouts.list()).data).toEqual([]);
});

it('a bank account takes its own currency alone', async () => {
  const destination = await bankWith('DE89370400440532013000');
  const error = await refusal(pay(1000, { currency: 'usd', destination }));
  expect(error.message).toContain("don't have any external accounts in that currency (usd)");
});

it('the platform itself has no bank account here, and an account in trouble is paid nothing', async () => {
  const ours = stripe.payouts.create({ amount: 100, currency: 'eur' });
  expect((await refusal(ours)).message).toContain("don't have any external accounts");
  await control(bench.sandbox.url, 'POST', `/sandbox/accounts/${tutor}/requirements`, { reason: 'under_review' });
  expect((await refusal(pay())).code).toBe('payouts_not_allowed');
});

it('payouts are listed, changed, and those of others not found', async () => {
  await settings({ payoutPendingMs: AN_HOUR });
  const bank = await bankWith('DE89370400440532013002');
  const [first, second] = [await pay(100), await pay(200)];
  await own.payouts.cancel(first.id);
  const ids = async (params: Stripe.PayoutListParams) => (await own.payouts.list(params)).data.map(({ id }) => id);
  expect(await ids({})).toEqual([second.id, first.id]);
  expect(await ids({ status: 'canceled' })).toEqual([first.id]);
  expect(await ids({ destination: bank, limit: 1 })).toEqual([second.id]);
  expect(await ids({ arrival_date: { lt: second.created } })).toEqual([]);
  expect(await ids({ arrival_date: { gte: second.arrival_date } })).toContain(second.id);
  const metadata = { payout: 'p2' };
  expect((await own.payouts.update(second.id, { metadata })).metadata).toEqual(metadata);
  expect((await refusal(stripe.payouts.retrieve(second.id))).statusCode).toBe(404);
});

it('an account with money in it is not deleted', async () => {
  expect((await refusal(stripe.accounts.del(tutor))).message).toContain('balance is not zero');
  await becomes((await pay(3000)).id, 'paid');
  expect(await stripe.accounts.del(tutor)).toMatchObject({ deleted: true });
});

it('a payout whose account was deleted on the way comes back all the same', async () => {
  await settings({ payoutTransitMs: AN_HOUR });
  await bankWith('DE89370400440532013002');
  const { id } = await pay(3000);
  await becomes(id, 'in_transit');
  await stripe.accounts.del(tutor);
  expect((await say(id, { to: 'failed' })).body).toMatchObject({ status: 'failed', failure_code: 'account_closed' });
  await expectSums(0);
});

it('payouts can be spoilt like everything else', async () => {
  const spoil = (fault: object) =>
    control(bench.sandbox.url, 'POST', '/sandbox/faults', { match: { method: 'POST', path: '/v1/payouts' }, ...fault });
  await spoil({ kind: 'drop_after', times: 2 });
  const key = { idempotencyKey: 'payout:p1/payout/1' };
  expect((await refusal(pay(100, {}, key))).type).toBe('StripeConnectionError');
  expect((await pay(100, {}, key)).amount).toBe(100);
  expect((await own.payouts.list()).data).toHaveLength(1);
  await spoil({ kind: 'refuse_400', code: 'payouts_limit_exceeded' });
  expect((await refusal(pay())).code).toBe('payouts_limit_exceeded');
  await spoil({ kind: 'error_500' });
  expect((await refusal(pay())).statusCode).toBe(500);
  expect(await available()).toBe(2900);
});
