import { currentDetails, historyOf, textOf } from '../../dev/chaos/histories';
import { contradictions } from '../../dev/chaos/reconciliation';
import { uuidv7 } from '../../platform/ids';
import { type DailyDisputesResult, dailyDisputesSchedule } from '../../workflows/daily-disputes.api';
import { type DailyFoldsResult, dailyFoldsSchedule } from '../../workflows/daily-folds.api';
import { createMarketplace, type Marketplace, type Person, PRICE, type Tutor } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { runNow } from '../support/schedules';
import { administrator } from '../support/second-factor';

jest.setTimeout(240_000);

let platform: TestPlatform;
let market: Marketplace;
let student: Person;
let tutor: Tutor;
/** The token of an administrator. */
let admin: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  [student, tutor] = await Promise.all([market.student(), market.tutor({ instant: true })]);
  const { email } = await market.student();
  const { password } = market;
  admin = (await administrator(platform, platform.database('identity'), { email, password })).token;
  await platform.sandbox('POST', '/sandbox/settings', { disputeDecisionMs: 100 });
});
afterAll(() => platform?.stop());

/** Why an administrator does it. */
const because = { reason: 'The session took place' };

/** A session that is paid for. @returns its payment too */
async function booked(): Promise<{ id: string; paymentId: string }> {
  const { body } = await market.book({ student, tutor });
  await market.untilBooking(body.id, 'confirmed');
  const [row] = await platform.database('payment')`select id from payments where booking_id = ${body.id}`;
  return { id: body.id, paymentId: String(row?.id) };
}

/** The holder of the card disputes a payment. @returns the dispute's id at Stripe */
async function disputes(paymentId: string, asked: object = {}): Promise<string> {
  const [row] = await platform.database('payment')`select stripe_intent_id as id from payments where id = ${paymentId}`;
  const { body: state } = await platform.sandbox('GET', '/sandbox/state');
  const charge = state.charges.find((each: { payment_intent: string }) => each.payment_intent === row?.id);
  const { status, body } = await platform.sandbox('POST', '/sandbox/disputes', { charge: charge.id, ...asked });
  expect(status).toBe(200);
  return body.id;
}

const bank = (stripeId: string, verdict: object) => platform.sandbox('POST', `/sandbox/disputes/${stripeId}`, verdict);

/** The dispute as its payee sees it, once it is there. */
const seen = (paymentId: string) =>
  eventually('the payee sees the dispute', async () => {
    const { body } = await platform.ask('GET', '/api/disputes?limit=100', { token: tutor.token });
    return body.items.find((each: { paymentId: string }) => each.paymentId === paymentId);
  });

const sagaOf = ({ workflowId }: { workflowId: string }) => platform.temporal.workflow.getHandle(workflowId);
const balance = async () =>
  (await platform.ask('GET', '/api/wallet', { token: tutor.token })).body.balances[0] ?? { pending: 0, frozen: 0 };
const told = async (template: string) => {
  const rows = await platform.database('notification')`
    select id from notifications where recipient_id = ${tutor.id} and template = ${template}`;
  return rows.length;
};

const SHARE = PRICE * 0.85;

test('a disputed session: its tutor is told, says something that is sent, and has the money back when it is won', async () => {
  const { id, paymentId } = await booked();
  const before = await balance();
  await disputes(paymentId);
  const dispute = await seen(paymentId);
  expect(dispute).toMatchObject({
    status: 'needs_response',
    bookingId: id,
    amount: { amount: PRICE, currency: 'EUR' },
  });
  expect(await balance()).toMatchObject({ pending: before.pending - SHARE, frozen: before.frozen + SHARE });
  await eventually('the tutor is told', async () => (await told('dispute_opened')) === 1);

  // As Stripe's test mode reads it.
  const body = { text: 'winning_evidence' };
  const said = await platform.ask('PUT', `/api/disputes/${dispute.id}/evidence`, { token: tutor.token, body });
  expect(said).toMatchObject({ status: 200, body: { statement: 'winning_evidence' } });
  const gathered = () => platform.database('payment')`
    select field from dispute_evidence where dispute_id = ${dispute.id} order by field`;
  await eventually('what is known is gathered', async () => (await gathered()).length > 1);
  const sent = await platform.ask('POST', `/api/disputes/${dispute.id}/submit`, { token: admin, body: because });
  expect(sent).toMatchObject({ status: 200, body: { submittedAt: expect.any(String) } });
  expect(await sagaOf(dispute).result()).toEqual({ status: 'won' });
  expect(await balance()).toMatchObject({ pending: before.pending, frozen: before.frozen });
  expect([await told('dispute_opened'), await told('dispute_decided')]).toEqual([1, 1]);

  const { body: state } = await platform.sandbox('GET', '/sandbox/state');
  const atStripe = state.disputes.find(
    (each: { evidence: { uncategorized_text: string } }) => each.evidence.uncategorized_text,
  );
  expect(atStripe.evidence).toMatchObject({
    uncategorized_text: 'winning_evidence',
    access_activity_log: expect.stringContaining('confirmed'),
    product_description: expect.stringContaining('Mathematics'),
  });
  const history = textOf(await historyOf(platform.temporal, dispute.workflowId));
  for (const word of [tutor.email, tutor.lastName, student.email, student.lastName, 'winning_evidence', 'Mathematics'])
    expect(history).not.toContain(word);
});

test('a session that is cancelled while it is disputed: its refund waits, and the bank’s money is enough when it is lost', async () => {
  const { id, paymentId } = await booked();
  const stripeId = await disputes(paymentId);
  const dispute = await seen(paymentId);
  const refund = await platform.ask('POST', `/api/payments/${paymentId}/refund`, {
    ...{ token: tutor.token, key: uuidv7(), body: { reason: 'As a courtesy' } },
  });
  expect(refund).toMatchObject({ status: 409, body: { code: 'payment_disputed' } });
  expect((await market.cancel(student, id)).status).toBe(200);
  const waiting = await eventually('its refund is promised', async () => {
    const { body } = await platform.ask('GET', `/api/payments/${paymentId}/refunds`, { token: student.token });
    return body.items[0];
  });
  expect(waiting).toMatchObject({ status: 'pending', amount: { amount: PRICE, currency: 'EUR' } });
  await eventually('both are told that it waits', async () => {
    const rows = await platform.database('notification')`
      select recipient_id as who from notifications where template = 'refund_waits'`;
    return rows.length === 2 && new Set(rows.map(({ who }) => who)).has(student.id);
  });
  await bank(stripeId, { to: 'lost' });
  expect(await sagaOf(dispute).result()).toEqual({ status: 'lost' });
  expect(await sagaOf(waiting).result()).toEqual({ status: 'failed' });
  const { body: payment } = await platform.ask('GET', `/api/payments/${paymentId}`, { token: student.token });
  expect(payment).toMatchObject({
    ...{ refunded: { amount: 0 }, refundPending: { amount: 0 }, dispute: { id: dispute.id, status: 'lost' } },
  });
  expect((await platform.sandbox('GET', '/sandbox/state')).body.refunds).toEqual([]);
  await sagaOf({ workflowId: `booking:${id}` }).result();
});

test('a session that is cancelled while it is disputed: what is due is refunded when that is won', async () => {
  const { id, paymentId } = await booked();
  const stripeId = await disputes(paymentId);
  expect((await market.cancel(tutor, id)).status).toBe(200);
  // Only what was answered can be won.
  const { id: disputeId } = await seen(paymentId);
  const body = { text: 'It took place' };
  await platform.ask('PUT', `/api/disputes/${disputeId}/evidence`, { token: tutor.token, body });
  expect(
    (await platform.ask('POST', `/api/disputes/${disputeId}/submit`, { token: admin, body: because })).status,
  ).toBe(200);
  await bank(stripeId, { to: 'won' });
  await market.untilBooking(id, 'refunded');
  const { body: payment } = await platform.ask('GET', `/api/payments/${paymentId}`, { token: student.token });
  expect(payment).toMatchObject({ status: 'refunded', refunded: { amount: PRICE } });
});

test('a dispute of which no webhook tells is found in the night, and what became of it too', async () => {
  const { paymentId } = await booked();
  const fault = { kind: 'webhook_lose', times: 100, match: { type: 'charge.dispute.*' } };
  expect((await platform.sandbox('POST', '/sandbox/faults', fault)).status).toBeLessThan(300);
  const stripeId = await disputes(paymentId);
  expect((await runNow<DailyDisputesResult>(platform, dailyDisputesSchedule)).found).toBe(1);
  const dispute = await seen(paymentId);
  // Its saga has looked, and looks again in a day: the night is before that.
  await eventually('the saga waits for the bank', async () =>
    (await currentDetails(sagaOf(dispute)).catch(() => '')).includes('Waits for its bank'),
  );
  await bank(stripeId, { to: 'lost' });
  expect((await runNow<DailyDisputesResult>(platform, dailyDisputesSchedule)).found).toBe(1);
  expect(await sagaOf(dispute).result()).toEqual({ status: 'lost' });
  expect(await runNow<DailyDisputesResult>(platform, dailyDisputesSchedule)).toMatchObject({ found: 0 });
  // Months later, and nobody waits for it any more.
  const before = await told('dispute_decided');
  await bank(stripeId, { to: 'won' });
  expect((await runNow<DailyDisputesResult>(platform, dailyDisputesSchedule)).found).toBe(1);
  expect(await sagaOf(dispute).result()).toEqual({ status: 'won' });
  expect(await told('dispute_decided')).toBe(before + 1);
});

test('what became of all this is what events say, as the night finds', async () => {
  const { checked, different } = await runNow<DailyFoldsResult>(platform, dailyFoldsSchedule);
  expect(checked).toBeGreaterThan(20);
  expect(different).toEqual([]);
});

test('in the end all contexts and Stripe agree', async () => {
  expect(await contradictions(platform)).toEqual([]);
});
