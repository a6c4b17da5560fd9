import type Stripe from 'stripe';
import {
  type Bench,
  CARD_PAYMENT,
  control,
  type Receiver,
  refusal,
  sdkFor,
  startBench,
  startReceiver,
  until,
} from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

const AN_HOUR = 3_600_000;

let receiver: Receiver;
let bench: Bench;
let stripe: Stripe;
/** A charge of 45.00 EUR, paid. */
let charge: string;

beforeAll(async () => {
  receiver = await startReceiver();
  bench = await startBench(receiver.url);
  stripe = bench.stripe;
});
afterAll(async () => {
  await bench.stop();
  await receiver.stop();
});
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  receiver.deliveries.length = 0;
  charge = await paid();
});

const settings = (change: object) => control(bench.sandbox.url, 'POST', '/sandbox/settings', change);
const open = (body: object) => control(bench.sandbox.url, 'POST', '/sandbox/disputes', body);
const say = (dispute: string, verdict: object) =>
  control(bench.sandbox.url, 'POST', `/sandbox/disputes/${dispute}`, verdict);

async function paid(more: object = {}, by = stripe): Promise<string> {
  const { latest_charge: made } = await by.paymentIntents.create({ ...CARD_PAYMENT, ...more });
  return String(made);
}

const answered = (id: string) => stripe.disputes.update(id, { evidence: { uncategorized_text: 'They were there.' } });

async function totals() {
  return (await control(bench.sandbox.url, 'GET', '/sandbox/state')).body.totals.eur;
}

it.each([
  ['less than', 1000],
  ['what', 4500],
  ['more than', 6000],
])('a dispute takes %s was paid, and the balance may go below zero', async (_, amount) => {
  const dueBy = Math.floor(Date.now() / 1000) + 100;
  const { status, body } = await open({ charge, amount, reason: 'duplicate', due_by: dueBy });
  expect([status, body]).toMatchObject([
    200,
    {
      amount,
      balance_transactions: [{ amount: -amount, fee: 2000 }],
      charge,
      evidence_details: { due_by: dueBy },
      payment_method_details: { card: { network_reason_code: null } },
      reason: 'duplicate',
      status: 'needs_response',
    },
  ]);
  expect(await totals()).toMatchObject({ disputed: amount, disputeFees: 2000, balance: 4500 - 88 - amount - 2000 });
  const { available } = await stripe.balance.retrieve();
  expect(available).toMatchObject([{ amount: 2412 - amount, currency: 'eur' }]);
});

it('only what was paid and not given back can be disputed', async () => {
  await stripe.refunds.create({ charge, amount: 1000 });
  expect((await open({ charge })).body.amount).toBe(3500);
  const refunded = await paid();
  await stripe.refunds.create({ charge: refunded });
  const authorized = await paid({ capture_method: 'manual' });
  for (const not of [refunded, authorized]) {
    expect(await open({ charge: not })).toMatchObject({
      status: 400,
      body: { error: { type: 'invalid_request_error' } },
    });
  }
  expect((await open({ charge: 'ch_nope' })).body.error.code).toBe('resource_missing');
  expect((await stripe.disputes.list()).data).toHaveLength(1);
});

it('what is still being refunded is not, once the charge is disputed', async () => {
  await settings({ refundDelayMs: AN_HOUR });
  const pending = await paid({ payment_method: 'pm_card_pendingRefund' });
  const refund = await stripe.refunds.create({ charge: pending, amount: 1500 });
  expect(refund.status).toBe('pending');
  await open({ charge: pending, inquiry: true });
  expect((await stripe.refunds.retrieve(refund.id)).status).toBe('pending');
  await open({ charge: pending, amount: 4500 });
  const failed = await stripe.refunds.retrieve(refund.id, { expand: ['failure_balance_transaction'] });
  expect(failed).toMatchObject({
    status: 'failed',
    failure_reason: 'charge_for_pending_refund_disputed',
    failure_balance_transaction: { amount: 1500 },
  });
  expect(failed).not.toHaveProperty('pending_reason');
  expect(await totals()).toMatchObject({ refunded: 0, disputed: 4500 });
});

it('the bank has its way only as it can', async () => {
  const { body: dispute } = await open({ charge });
  const inquiry = (await open({ charge: await paid(), inquiry: true })).body;
  const refused = async (id: string, verdict: object) => expect((await say(id, verdict)).status).toBe(400);
  for (const to of ['won', 'escalated', 'closed']) await refused(dispute.id, { to });
  for (const to of ['won', 'lost']) await refused(inquiry.id, { to });
  expect((await say(inquiry.id, { to: 'escalated' })).body.status).toBe('needs_response');
  await answered(dispute.id);
  await refused(dispute.id, { to: 'won', reinstated: 4501 });
  expect((await say(dispute.id, { to: 'won' })).body.status).toBe('won');
  for (const to of ['won', 'lost']) await refused(dispute.id, { to });
  const { body: closing } = await open({ charge: await paid(), inquiry: true });
  expect((await say(closing.id, { to: 'closed' })).body.status).toBe('warning_closed');
  await refused(closing.id, { to: 'escalated' });
  expect((await say('du_nope', { to: 'won' })).status).toBe(404);
  expect((await say(dispute.id, { to: 'prevented' })).status).toBe(422);
  expect((await open({ charge, amount: 0 })).body.errors).toMatchObject([{ path: 'amount' }]);
});

it('a lost dispute may be won late, and some of the money may come back instead of all', async () => {
  const { body: dispute } = await open({ charge });
  await say(dispute.id, { to: 'lost' });
  const { body: won } = await say(dispute.id, { to: 'won', reinstated: 2000 });
  expect(won).toMatchObject({ status: 'won', balance_transactions: [{ amount: -4500 }, { amount: 2000, fee: 0 }] });
  expect(await totals()).toMatchObject({ disputed: 4500, reinstated: 2000, disputeFees: 2000 });
  await until('all is told', () => receiver.types().filter((type) => type === 'charge.dispute.closed').length === 2);
  expect(receiver.types()).toEqual(
    expect.arrayContaining(['charge.dispute.created', 'charge.dispute.funds_withdrawn', 'charge.updated']),
  );
  const back = receiver.deliveries.find(({ event }) => event.type === 'charge.dispute.funds_reinstated');
  expect(back?.event.data.object).toMatchObject({ id: dispute.id, status: 'won' });
});

it('a charge may be disputed again', async () => {
  const { body: first } = await open({ charge, amount: 1000 });
  await answered(first.id);
  await say(first.id, { to: 'won' });
  const { body: second } = await open({ charge, amount: 500, reason: 'general' });
  expect((await refusal(stripe.refunds.create({ charge }))).code).toBe('charge_disputed');
  await answered(second.id);
  await say(second.id, { to: 'won' });
  expect((await stripe.refunds.create({ charge })).amount).toBe(4500);
  expect(await totals()).toMatchObject({ disputed: 1500, reinstated: 1500, disputeFees: 4000 });
});

it('a dispute that nobody answers in time is lost, one that was answered waits for the bank', async () => {
  // Long enough to answer in, also on a machine that is busy.
  const soon = Math.floor(Date.now() / 1000) + 5;
  const { body: answeredOne } = await open({ charge, due_by: soon });
  await answered(answeredOne.id);
  const { body: silent } = await open({ charge: await paid(), due_by: soon });
  const status = async (id: string) => (await stripe.disputes.retrieve(id)).status;
  await until('the silent one is lost', async () => (await status(silent.id)) === 'lost');
  expect(await status(answeredOne.id)).toBe('under_review');
  const { body: final } = await open({ charge: await paid(), due_by: 0 });
  await until('what cannot be answered is lost at once', async () => (await status(final.id)) === 'lost');
});

it('a connected account’s own charge is disputed at that account', async () => {
  const { id: account } = await stripe.accounts.create({ type: 'standard' });
  const connected = sdkFor(bench.sandbox.port, { account });
  const theirs = await paid({}, connected);
  const { body: dispute } = await open({ charge: theirs });
  expect((await refusal(stripe.disputes.retrieve(dispute.id))).statusCode).toBe(404);
  expect((await connected.disputes.list()).data).toMatchObject([{ id: dispute.id, charge: theirs }]);
  expect((await say(dispute.id, { to: 'lost' })).body.status).toBe('lost');
  expect((await connected.balance.retrieve()).available).toMatchObject([{ amount: 4500 - 88 - 4500 - 2000 }]);
  await until('the Connect endpoint hears of it', () =>
    receiver.deliveries.some(
      ({ event, signed }) => event.type === 'charge.dispute.closed' && event.account === account && signed === 'well',
    ),
  );
});

it('faults hit disputes as anything else: an answer lost after the effect is given again under its key', async () => {
  const { body: dispute } = await open({ charge });
  const fault = { kind: 'drop_after', match: { path: '/v1/disputes/*' }, times: 2 };
  await control(bench.sandbox.url, 'POST', '/sandbox/faults', fault);
  const key = { idempotencyKey: `dispute:${dispute.id}/evidence` };
  const send = () => stripe.disputes.update(dispute.id, { evidence: { customer_name: 'Ada' } }, key);
  expect((await refusal(send())).type).toBe('StripeConnectionError');
  expect((await send()).evidence_details.submission_count).toBe(1);
});
