import type Stripe from 'stripe';
import { type Bench, CARD_PAYMENT, control, refusal, startBench, until } from '../test-support';

// Generous, so that a busy machine fails no test that only waits.
jest.setTimeout(30_000);

let bench: Bench;
let stripe: Stripe;

beforeAll(async () => {
  bench = await startBench();
  stripe = bench.stripe;
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await control(bench.sandbox.url, 'POST', '/sandbox/reset');
  await control(bench.sandbox.url, 'POST', '/sandbox/settings', { disputeDelayMs: 0, disputeDecisionMs: 0 });
});

/** Pays 45.00 EUR with a card whose holder disputes it. @returns the dispute, once there is one */
async function disputed(payment_method = 'pm_card_createDispute', more: object = {}): Promise<Stripe.Dispute> {
  const { id } = await stripe.paymentIntents.create({ ...CARD_PAYMENT, payment_method, ...more });
  return await disputeOf(id);
}

async function disputeOf(payment_intent: string): Promise<Stripe.Dispute> {
  const list = async () => (await stripe.disputes.list({ payment_intent })).data;
  await until('there is a dispute', async () => (await list()).length > 0);
  const [dispute] = await list();
  if (dispute === undefined) throw new Error('the dispute is gone');
  return dispute;
}

const answered = (id: string, uncategorized_text: string) =>
  stripe.disputes.update(id, { evidence: { uncategorized_text } });

const becomes = (id: string, status: string) =>
  until(`the dispute is ${status}`, async () => (await stripe.disputes.retrieve(id)).status === status);

/** What was told of disputes, the oldest first. */
async function told(): Promise<string[]> {
  const { data } = await stripe.events.list({ limit: 100 });
  return data
    .map(({ type }) => type)
    .filter((type) => type.startsWith('charge.dispute.'))
    .reverse();
}

/** One charge of 45.00 EUR (fee 0.88): the sums as the state has them, which come to the balance. */
async function expectSums(sums: { disputed: number; reinstated: number; disputeFees: number; refunded?: number }) {
  const { body } = await control(bench.sandbox.url, 'GET', '/sandbox/state');
  const { disputed: gone, reinstated: back, disputeFees: fees, refunded = 0 } = sums;
  const balance = 4500 - 88 - refunded - gone + back - fees;
  expect(body.totals.eur).toEqual({ captured: 4500, fees: 88, transferred: 0, refunded: 0, ...sums, balance });
  expect(body.balance.available).toMatchObject([{ amount: balance, currency: 'eur' }]);
}

it.each([
  ['pm_card_createDispute', 'fraudulent', '10.4'],
  ['pm_card_createDisputeProductNotReceived', 'product_not_received', '13.1'],
])('the holder of %s disputes the charge as %s: the money is gone at once, with a fee', async (card, reason, code) => {
  const dispute = await disputed(card);
  expect(dispute).toMatchObject({
    id: expect.stringMatching(/^du_/),
    object: 'dispute',
    amount: 4500,
    currency: 'eur',
    evidence: { uncategorized_text: null, enhanced_evidence: {} },
    evidence_details: { has_evidence: false, past_due: false, submission_count: 0, submission_method: 'not_submitted' },
    is_charge_refundable: false,
    payment_method_details: {
      type: 'card',
      card: { brand: 'visa', case_type: 'chargeback', network: 'visa', network_reason_code: code },
    },
    reason,
    status: 'needs_response',
  });
  const [taken, ...more] = dispute.balance_transactions;
  expect(more).toEqual([]);
  expect(taken).toMatchObject({
    amount: -4500,
    description: `Chargeback withdrawal for ${dispute.charge}`,
    fee: 2000,
    fee_details: [{ amount: 2000, description: 'Dispute fee', type: 'stripe_fee' }],
    net: -6500,
    reporting_category: 'dispute',
    source: dispute.id,
    type: 'adjustment',
  });
  expect(await stripe.balanceTransactions.retrieve(taken?.id ?? '', { expand: ['source'] })).toMatchObject({
    source: { id: dispute.id, object: 'dispute' },
  });
  const open = await stripe.disputes.retrieve(dispute.id, { expand: ['charge', 'payment_intent'] });
  expect(open).toMatchObject({ charge: { disputed: true, amount_refunded: 0 }, payment_intent: { amount: 4500 } });
  expect(await told()).toEqual(['charge.dispute.created', 'charge.dispute.funds_withdrawn']);
  await expectSums({ disputed: 4500, reinstated: 0, disputeFees: 2000 });
});

it('an inquiry moves no money and can be refunded', async () => {
  const dispute = await disputed('pm_card_createDisputeInquiry');
  expect(dispute).toMatchObject({
    balance_transactions: [],
    is_charge_refundable: true,
    payment_method_details: { card: { case_type: 'inquiry', network_reason_code: '10' } },
    status: 'warning_needs_response',
  });
  expect((await stripe.charges.retrieve(String(dispute.charge))).disputed).toBe(true);
  const refund = await stripe.refunds.create({ charge: String(dispute.charge), amount: 500 });
  expect(refund.status).toBe('succeeded');
  expect(await told()).toEqual(['charge.dispute.created']);
  await expectSums({ disputed: 0, reinstated: 0, disputeFees: 0, refunded: 500 });
});

it('nothing of a charge is refunded while the bank holds its money, and after it is lost', async () => {
  const { id, charge } = await disputed();
  const refund = () => stripe.refunds.create({ charge: String(charge), amount: 100 });
  const refused = {
    statusCode: 400,
    code: 'charge_disputed',
    message: `Charge ${charge} has been charged back; cannot issue a refund.`,
  };
  expect(await refusal(refund())).toMatchObject(refused);
  await stripe.disputes.close(id);
  expect(await refusal(refund())).toMatchObject(refused);
  expect((await stripe.refunds.list({ charge: String(charge) })).data).toEqual([]);
});

it('evidence is staged until it is submitted, once', async () => {
  const { id } = await disputed();
  const staged = await stripe.disputes.update(id, {
    evidence: { product_description: 'An hour of algebra', customer_name: 'Ada' },
    metadata: { booking: 'b1' },
    submit: false,
  });
  expect(staged).toMatchObject({
    evidence: { product_description: 'An hour of algebra', customer_name: 'Ada' },
    evidence_details: { has_evidence: true, submission_count: 0, submission_method: 'not_submitted' },
    metadata: { booking: 'b1' },
    status: 'needs_response',
  });
  const submitted = await stripe.disputes.update(id, { evidence: { customer_name: '' } });
  expect(submitted).toMatchObject({
    evidence: { product_description: 'An hour of algebra', customer_name: null },
    evidence_details: { has_evidence: true, past_due: false, submission_count: 1, submission_method: 'manual' },
    status: 'under_review',
  });
  const [event] = (await stripe.events.list({ type: 'charge.dispute.updated' })).data;
  expect(event?.data.previous_attributes).toMatchObject({ status: 'needs_response' });
  expect((await refusal(answered(id, 'more'))).message).toContain('already been submitted');
  expect((await stripe.disputes.update(id, { metadata: { seen: 'yes' } })).evidence_details.submission_count).toBe(1);
  expect((await refusal(stripe.disputes.close(id))).statusCode).toBe(400);
});

it('any request submits what was staged, unless it says not to', async () => {
  const { id } = await disputed();
  await stripe.disputes.update(id, { evidence: { uncategorized_text: 'They were there.' }, submit: false });
  expect((await stripe.disputes.update(id, { metadata: { a: '1' }, submit: false })).status).toBe('needs_response');
  expect((await stripe.disputes.update(id, { metadata: { a: '2' } })).status).toBe('under_review');
});

it('a dispute without evidence is not submitted', async () => {
  const { id } = await disputed();
  const untouched = await stripe.disputes.update(id, { metadata: { a: '1' }, submit: true });
  expect(untouched).toMatchObject({ status: 'needs_response', evidence_details: { submission_count: 0 } });
});

it('winning evidence brings the money back, but not the fee, and the charge can be refunded', async () => {
  const { id, charge } = await disputed();
  expect((await answered(id, 'winning_evidence')).status).toMatch(/under_review/);
  await becomes(id, 'won');
  const won = await stripe.disputes.retrieve(id);
  expect(won.is_charge_refundable).toBe(true);
  expect(won.balance_transactions[1]).toMatchObject({
    amount: 4500,
    description: `Chargeback reversal for ${charge}`,
    fee: 0,
    fee_details: [],
    net: 4500,
    reporting_category: 'dispute_reversal',
    type: 'adjustment',
  });
  expect((await told()).slice(-3)).toEqual([
    'charge.dispute.updated',
    'charge.dispute.funds_reinstated',
    'charge.dispute.closed',
  ]);
  await expectSums({ disputed: 4500, reinstated: 4500, disputeFees: 2000 });
  expect((await stripe.refunds.create({ charge: String(charge) })).amount).toBe(4500);
  expect((await stripe.charges.retrieve(String(charge))).disputed).toBe(true);
  await expectSums({ disputed: 4500, reinstated: 4500, disputeFees: 2000, refunded: 4500 });
});

it('losing evidence, and acceptance, leave the money with the holder; a closed dispute takes nothing more', async () => {
  const first = await disputed();
  await answered(first.id, 'losing_evidence');
  await becomes(first.id, 'lost');
  const closed = { statusCode: 400, message: 'This dispute is already closed' };
  expect(await refusal(answered(first.id, 'winning_evidence'))).toMatchObject(closed);
  expect(await refusal(stripe.disputes.close(first.id))).toMatchObject(closed);
  await expectSums({ disputed: 4500, reinstated: 0, disputeFees: 2000 });
  const second = await disputed();
  const accepted = await stripe.disputes.close(second.id);
  expect(accepted).toMatchObject({ status: 'lost', balance_transactions: [{ amount: -4500 }] });
  expect((await told()).slice(-1)).toEqual(['charge.dispute.closed']);
});

it('other evidence stays under review, and words for a chargeback decide no inquiry', async () => {
  const plain = await disputed();
  const inquiry = await disputed('pm_card_createDisputeInquiry');
  await answered(plain.id, 'They were there for an hour.');
  await answered(inquiry.id, 'winning_evidence');
  const decided = await disputed();
  await answered(decided.id, 'losing_evidence');
  await becomes(decided.id, 'lost');
  expect((await stripe.disputes.retrieve(plain.id)).status).toBe('under_review');
  expect((await stripe.disputes.retrieve(inquiry.id)).status).toBe('warning_under_review');
});

it('an inquiry closes without a chargeback', async () => {
  const { id } = await disputed('pm_card_createDisputeInquiry');
  expect((await refusal(stripe.disputes.close(id))).message).toContain('warning_needs_response');
  await answered(id, 'losing_evidence');
  await becomes(id, 'warning_closed');
  expect(await told()).toEqual(['charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.closed']);
  await expectSums({ disputed: 0, reinstated: 0, disputeFees: 0 });
});

it('an inquiry that escalates takes all that is disputed, though some was refunded, and can be answered anew', async () => {
  const { id, charge } = await disputed('pm_card_createDisputeInquiry');
  await stripe.refunds.create({ charge: String(charge), amount: 1000 });
  await answered(id, 'escalate_inquiry_evidence');
  await becomes(id, 'needs_response');
  expect(await stripe.disputes.retrieve(id)).toMatchObject({
    balance_transactions: [{ amount: -4500, fee: 2000 }],
    is_charge_refundable: false,
    payment_method_details: { card: { case_type: 'chargeback', network_reason_code: '10.4' } },
  });
  expect((await told()).slice(-2)).toEqual(['charge.dispute.updated', 'charge.dispute.funds_withdrawn']);
  await expectSums({ disputed: 4500, reinstated: 0, disputeFees: 2000, refunded: 1000 });
  await answered(id, 'winning_evidence');
  await becomes(id, 'won');
});

it('a charge that was refunded wholly is past a chargeback', async () => {
  const { id, charge } = await disputed('pm_card_createDisputeInquiry');
  await stripe.refunds.create({ charge: String(charge) });
  await answered(id, 'escalate_inquiry_evidence');
  await becomes(id, 'warning_closed');
  await expectSums({ disputed: 0, reinstated: 0, disputeFees: 0, refunded: 4500 });
});

it('an authorisation is disputed once it was captured, for what was taken', async () => {
  const payment = { ...CARD_PAYMENT, payment_method: 'pm_card_createDispute', capture_method: 'manual' as const };
  const { id } = await stripe.paymentIntents.create(payment);
  const again = await disputed();
  expect((await stripe.disputes.list({ payment_intent: id })).data).toEqual([]);
  await stripe.paymentIntents.capture(id, { amount_to_capture: 3000 });
  expect((await disputeOf(id)).amount).toBe(3000);
  const all = await stripe.disputes.list({ created: { gte: again.created } });
  expect(all.data).toHaveLength(2);
  expect((await stripe.disputes.list({ charge: String(again.charge) })).data.map((one) => one.id)).toEqual([again.id]);
});

it('a dispute that nobody knows, and evidence that is too long or unknown, are refused', async () => {
  expect(await refusal(stripe.disputes.retrieve('du_nope'))).toMatchObject({
    statusCode: 404,
    code: 'resource_missing',
  });
  const { id } = await disputed();
  const long = 'x'.repeat(19_000);
  const names = ['access_activity_log', 'cancellation_policy_disclosure', 'cancellation_rebuttal'] as const;
  const more = ['duplicate_charge_explanation', 'product_description', 'refund_policy_disclosure'] as const;
  const evidence = Object.fromEntries([...names, ...more].map((name) => [name, long]));
  await stripe.disputes.update(id, { evidence, submit: false });
  const tooMuch = { evidence: { refund_refusal_explanation: long, uncategorized_text: long } };
  expect(await refusal(stripe.disputes.update(id, tooMuch))).toMatchObject({ statusCode: 400, param: 'evidence' });
  const file = stripe.disputes.update(id, { evidence: { receipt: 'file_1' } });
  expect(await refusal(file)).toMatchObject({ code: 'parameter_unknown', param: 'evidence[receipt]' });
});
