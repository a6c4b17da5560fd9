import { uuidv7 } from '../../../platform/ids';
import {
  debtsAt,
  despite,
  disputesAt,
  dyingAfter,
  EUR,
  expectLedgerIsStripes,
  HANG_MS,
  type Paid,
  type PaymentStack,
  receiptsAt,
  refundsAt,
  retried,
  startPaymentStack,
  until,
} from '../../../tests/support/payment';
import { acceptDispute } from '../disputes/dispute';

jest.setTimeout(60_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { disputeDecisionMs: 50, refundDelayMs: 50 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { paid, dispute, disputed, bank, answered, find, stored, look, standing } = disputesAt(() => stack);
const { share, submitRefund, askRefund, retry } = refundsAt(() => stack);
const { paidOut } = debtsAt(() => stack);
const { issue } = receiptsAt(() => stack);

const DAY_S = 86_400;
const inDays = (days: number) => Math.floor(Date.now() / 1_000) + days * DAY_S;

/** Who may see it, and what they ask. */
async function asUser(id: string, role: 'tutor' | 'student' | 'admin') {
  const token = await stack.service.userToken({ id, role });
  return {
    get: (path: string) => stack.service.ask('GET', path, { token }),
    put: (path: string, body: object) => stack.service.ask('PUT', path, { token, body }),
    post: (path: string, body?: object, key = uuidv7()) =>
      stack.service.ask('POST', path, { token, key, ...(body && { body }) }),
  };
}
const admin = () => asUser(uuidv7(), 'admin');
/** Why an administrator does it. */
const because = { reason: 'Agreed with the payee' };
const woken = (disputeId: string) => stack.signals.filter(({ workflowId }) => workflowId === `dispute:${disputeId}`);
const atStripe = (stripeId: string) => stack.stripe.disputes.retrieve(stripeId);

async function open(asked: Record<string, unknown> = {}): Promise<{ payment: Paid; id: string; stripeId: string }> {
  const payment = await paid();
  return { payment, ...(await disputed(payment, asked)) };
}

describe('a dispute', () => {
  test('is shown to the payee of its payment and to administrators, and with the payment to its payer', async () => {
    const { payment, id } = await open({ reason: 'product_not_received' });
    const [payee, payer, boss] = [
      await asUser(payment.payeeId, 'tutor'),
      await asUser(payment.payerId, 'student'),
      await admin(),
    ];
    const seen = await payee.get(`/api/disputes/${id}`);
    expect(seen).toMatchObject({
      status: 200,
      body: {
        ...{ id, paymentId: payment.paymentId, bookingId: payment.bookingId, status: 'needs_response' },
        ...{ reason: 'product_not_received', amount: EUR(4500), withdrawn: EUR(4500), statement: null },
        ...{ submittedAt: null, decidedAt: null, accepted: false, workflowId: `dispute:${id}` },
      },
    });
    const { respondBy, editableUntil } = seen.body;
    expect(Date.parse(respondBy) - Date.parse(editableUntil)).toBe(DAY_S * 1_000);
    expect((await boss.get(`/api/disputes/${id}`)).body).toEqual(seen.body);
    expect((await payer.get(`/api/disputes/${id}`)).status).toBe(404);
    for (const who of [payee, payer, boss])
      expect((await who.get(`/api/payments/${payment.paymentId}`)).body.dispute).toEqual({
        ...{ id, status: 'needs_response', amount: EUR(4500), respondBy },
      });
    expect((await payee.get('/api/disputes')).body).toEqual({ items: [seen.body], nextCursor: null });
    expect((await payer.get('/api/disputes')).body.items).toEqual([]);
    expect((await boss.get('/api/disputes')).body.items).toContainEqual(seen.body);
    expect((await boss.get(`/api/disputes/${uuidv7()}`)).status).toBe(404);
  });

  test('of another payment of before comes with its page, the newest first', async () => {
    const { who, payments } = await paidOut([4_000, 5_000, 6_000]);
    const ids: string[] = [];
    for (const paymentId of payments) ids.push((await disputed({ paymentId })).id);
    const first = (await who.see('/api/disputes?limit=2')).body;
    const second = (await who.see(`/api/disputes?limit=2&cursor=${first.nextCursor}`)).body;
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids.toReversed());
    expect(second.nextCursor).toBeNull();
    const [row] = await stored(String(payments[0]));
    await bank(String(row?.stripe_dispute_id), { to: 'lost' });
    await find();
    const shown = async (open: boolean) =>
      (await who.see(`/api/disputes?open=${open}`)).body.items.map(({ id }: { id: string }) => id);
    expect([await shown(true), await shown(false)]).toEqual([ids.slice(1).toReversed(), [ids[0]]]);
  });

  test('of a payment that has none is null there', async () => {
    const payment = await paid();
    const payer = await asUser(payment.payerId, 'student');
    expect((await payer.get(`/api/payments/${payment.paymentId}`)).body.dispute).toBeNull();
  });
});

describe('what speaks against a dispute', () => {
  test('is the payee’s to say, until it is sent', async () => {
    const { payment, id } = await open();
    const payee = await asUser(payment.payeeId, 'tutor');
    for (const who of [await asUser(payment.payerId, 'student'), await asUser(uuidv7(), 'tutor'), await admin()])
      expect((await who.put(`/api/disputes/${id}/evidence`, { text: 'No' })).status).toBe(404);
    expect((await payee.put(`/api/disputes/${id}/evidence`, { text: '' })).status).toBe(422);
    expect((await payee.put(`/api/disputes/${id}/evidence`, { text: 'She was there' })).status).toBe(200);
    const then = await payee.put(`/api/disputes/${id}/evidence`, { text: 'winning_evidence' });
    expect(then.body).toMatchObject({ statement: 'winning_evidence', submittedAt: null });
    expect(woken(id).at(-1)?.argument).toMatchObject({ disputeId: id, version: 3 });
    const sent = await (await admin()).post(`/api/disputes/${id}/submit`, because);
    expect(sent).toMatchObject({ status: 200, body: { status: 'under_review', submittedAt: expect.any(String) } });
    expect(await payee.put(`/api/disputes/${id}/evidence`, { text: 'And more' })).toMatchObject({
      ...{ status: 409, body: { code: 'edit_window_closed' } },
    });
    await until(async () => (await look(id)).body.status === 'won');
    expect((await payee.get(`/api/disputes/${id}`)).body.decidedAt).not.toBeNull();
    await expectLedgerIsStripes(stack);
  });

  test('is not said any more a day before the bank’s deadline', async () => {
    const { payment, id } = await open({ due_by: inDays(1) - 60 });
    const payee = await asUser(payment.payeeId, 'tutor');
    expect((await payee.put(`/api/disputes/${id}/evidence`, { text: 'Late' })).body.code).toBe('edit_window_closed');
    const none = await open({ due_by: 0 });
    expect((await look(none.id)).body).toMatchObject({ respondBy: null, submitBy: null });
    const other = await asUser(none.payment.payeeId, 'tutor');
    const shown = { respondBy: null, editableUntil: null };
    expect((await other.get(`/api/disputes/${none.id}`)).body).toMatchObject(shown);
    expect((await other.get(`/api/payments/${none.payment.paymentId}`)).body.dispute.respondBy).toBeNull();
  });

  test('is sent with what the platform knows, once', async () => {
    const { payment, id, stripeId } = await open();
    const payee = await asUser(payment.payeeId, 'tutor');
    const gathered = {
      product_description: 'A tutoring session',
      access_activity_log: 'Confirmed',
      service_date: '1 May',
    };
    await stack.post(`/disputes/${id}/gathered`, `dispute:${id}/gather`, { ...gathered, service_date: 'unknown' });
    await stack.post(`/disputes/${id}/gathered`, `dispute:${id}/gather-2`, gathered);
    await payee.put(`/api/disputes/${id}/evidence`, { text: 'She was there' });
    await issue(payment.paymentId);
    const nobodys = uuidv7();
    expect((await stack.post(`/disputes/${nobodys}/gathered`, `dispute:${nobodys}/gather`, gathered)).status).toBe(404);
    const submit = () => stack.post(`/disputes/${id}/submit`, `dispute:${id}/submit`);
    const replies = await Promise.all([submit(), submit(), submit()]);
    for (const { status } of replies) expect([200, 503]).toContain(status);
    expect((await submit()).body).toMatchObject({ status: 'under_review', submitted: true, stated: true });
    const { evidence, evidence_details: details } = await atStripe(stripeId);
    const log = expect.stringMatching(
      /^Confirmed\n\d{4}-\d\d-\d\d \(UTC\): the receipt R-\d{4}-\d{6} of the payment was issued\.$/,
    );
    expect(evidence).toMatchObject({ ...gathered, access_activity_log: log, uncategorized_text: 'She was there' });
    expect(details.submission_count).toBe(1);
  });

  test('was sent, also when the bank has decided before it is asked again', async () => {
    const { payment, id } = await open();
    await (await asUser(payment.payeeId, 'tutor')).put(`/api/disputes/${id}/evidence`, { text: 'losing_evidence' });
    await stack.control('POST', '/settings', { disputeDecisionMs: 0 });
    const sent = await (await admin()).post(`/api/disputes/${id}/submit`, because);
    await stack.control('POST', '/settings', { disputeDecisionMs: 50 });
    expect(sent).toMatchObject({ status: 200, body: { submittedAt: expect.any(String) } });
    await until(async () => (await look(id)).body.status === 'lost');
    expect((await look(id)).body.submitted).toBe(true);
    expect((await (await admin()).post(`/api/disputes/${id}/submit`, because)).body.code).toBe('invalid_state');
  });

  test('that is nothing is not sent', async () => {
    const { id, stripeId } = await open();
    expect((await stack.post(`/disputes/${id}/submit`, `dispute:${id}/submit`)).body.submitted).toBe(false);
    expect((await (await admin()).post(`/api/disputes/${id}/submit`, because)).body.code).toBe('invalid_state');
    expect((await atStripe(stripeId)).evidence_details.submission_count).toBe(0);
  });

  test('is asked for anew when an inquiry becomes a chargeback', async () => {
    const { payment, id, stripeId } = await open({ inquiry: true });
    expect(await standing(payment)).toEqual({ tutor_pending: 3825, platform_revenue: 675 });
    const payee = await asUser(payment.payeeId, 'tutor');
    await payee.put(`/api/disputes/${id}/evidence`, { text: 'She was there' });
    const submit = () => stack.post(`/disputes/${id}/submit`, `dispute:${id}/submit`);
    expect((await submit()).body).toMatchObject({ status: 'warning_under_review', submitted: true });
    await bank(stripeId, { to: 'escalated' });
    expect((await look(id)).body).toMatchObject({ status: 'needs_response', submitted: false, withdrawn: EUR(4500) });
    expect((await submit()).body).toMatchObject({ status: 'under_review', submitted: true });
    expect((await atStripe(stripeId)).evidence_details.submission_count).toBe(2);
    expect(await stack.events(id)).toEqual([
      ...['DisputeOpened', 'DisputeStated', 'DisputeSubmitted', 'DisputeEscalated', 'DisputeSubmitted'],
    ]);
  });

  test.each([
    ['answered 500, sent', { kind: 'error_500_after' }],
    ['answered 500, not sent', { kind: 'error_500' }],
    ['connection closed, sent', { kind: 'drop_after', times: 2 }],
    ['no answer, sent', { kind: 'hang', ms: HANG_MS, when: 'after' }],
    ['no answer, sent later', { kind: 'hang', ms: HANG_MS, when: 'before' }],
  ])('is sent once although Stripe’s answer is lost: %s', async (_, fault) => {
    const { payment, id, stripeId } = await open();
    await (await asUser(payment.payeeId, 'tutor')).put(`/api/disputes/${id}/evidence`, { text: 'She was there' });
    const match = { method: 'POST', path: `/v1/disputes/${stripeId}` };
    const { body } = await despite(stack, { ...fault, match }, (by) =>
      by.post(`/disputes/${id}/submit`, `dispute:${id}/submit`),
    );
    expect(body).toMatchObject({ status: 'under_review', submitted: true });
    expect((await atStripe(stripeId)).evidence_details.submission_count).toBe(1);
  });

  test('that Stripe does not take is an operator’s', async () => {
    const { payment, id, stripeId } = await open();
    await (await asUser(payment.payeeId, 'tutor')).put(`/api/disputes/${id}/evidence`, { text: 'She was there' });
    await stack.fault({
      kind: 'refuse_400',
      code: 'invalid_request',
      match: { method: 'POST', path: `/v1/disputes/${stripeId}` },
    });
    const submit = () => stack.post(`/disputes/${id}/submit`, `dispute:${id}/submit`);
    expect(await submit()).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
    expect((await submit()).body.submitted).toBe(true);
  });
});

describe('a dispute that is given up', () => {
  test('is lost, once, by an administrator alone', async () => {
    const { payment, id } = await open();
    const payee = await asUser(payment.payeeId, 'tutor');
    expect((await payee.post(`/api/disputes/${id}/accept`, because)).status).toBe(403);
    const boss = await admin();
    const accept = () => retried(() => boss.post(`/api/disputes/${id}/accept`, because));
    for (const reply of await Promise.all([accept(), accept(), accept()]))
      expect(reply).toMatchObject({
        ...{ status: 200, body: { status: 'lost', accepted: true, editableUntil: null } },
      });
    expect(await standing(payment)).toEqual({ dispute_fees: -2000 });
    expect((await boss.get(`/api/payment-acts?subjectId=${id}`)).body.items.at(-1)).toMatchObject({
      ...{ act: 'dispute_accepted', ...because, before: { status: 'needs_response' } },
    });
    expect(await stack.events(id)).toEqual(['DisputeOpened', 'DisputeLost']);
    await expectLedgerIsStripes(stack);
  });

  test('is so although the process dies before it has noted that', async () => {
    const { id, stripeId } = await open();
    const { stripe } = stack.till;
    const dying = { ...stack.till, stripe: { ...stripe, closeDispute: dyingAfter(stripe.closeDispute) } };
    await expect(acceptDispute(dying, id, { adminId: null, ...because })).rejects.toThrow('the process died');
    await look(id);
    for (const _ of [1, 2])
      expect(await (await admin()).post(`/api/disputes/${id}/accept`, because)).toMatchObject({
        ...{ status: 200, body: { status: 'lost', accepted: true } },
      });
    // What its bank has decided nobody here has given up.
    const other = await open();
    await bank(other.stripeId, { to: 'lost' });
    expect((await (await admin()).post(`/api/disputes/${other.id}/accept`, because)).body.code).toBe('invalid_state');
    expect((await atStripe(stripeId)).status).toBe('lost');
  });

  test('stays what it is when it is only an inquiry, under review, or Stripe refuses', async () => {
    const boss = await admin();
    const accept = async (id: string) => (await boss.post(`/api/disputes/${id}/accept`, because)).body.code;
    const inquiry = await open({ inquiry: true });
    const reviewed = await open();
    await answered(reviewed.stripeId);
    const refused = await open();
    await stack.fault({
      kind: 'refuse_400',
      code: 'invalid_request',
      match: { path: `/v1/disputes/${refused.stripeId}/close` },
    });
    for (const { id } of [inquiry, reviewed, refused]) expect(await accept(id)).toBe('invalid_state');
    expect((await boss.get(`/api/disputes/${refused.id}`)).body).toMatchObject({
      accepted: false,
      status: 'needs_response',
    });
  });
});

describe('a refund of a payment whose money a bank has', () => {
  test('is refused to payee and administrator, and possible while the bank only asks', async () => {
    const { payment } = await open();
    const wanted = { reason: 'As a courtesy', amount: EUR(100) };
    for (const who of [await asUser(payment.payeeId, 'tutor'), await admin()])
      expect(await who.post(`/api/payments/${payment.paymentId}/refund`, wanted)).toMatchObject({
        ...{ status: 409, body: { code: 'payment_disputed' } },
      });
    const asking = await open({ inquiry: true });
    const { body } = await askRefund(asking.payment, null);
    expect((await submitRefund(body.refundId)).body.status).toBe('succeeded');
    await bank(asking.stripeId, { to: 'closed' });
    await look(asking.id);
    await expectLedgerIsStripes(stack);
  });

  test('of which nobody here has heard waits, and its dispute has a saga', async () => {
    const payment = await paid();
    const { body } = await share(payment, 100);
    const { id: stripeId } = await dispute(payment.paymentId);
    expect((await submitRefund(body.refundId)).body).toMatchObject({ status: 'pending', disputed: true });
    const [row] = await stored(payment.paymentId);
    expect(woken(String(row?.id))).toHaveLength(1);
    await answered(stripeId);
    await bank(stripeId, { to: 'won' });
    // Whoever hears of it first, its saga goes on at once.
    const before = stack.signals.length;
    for (const _ of [1, 2]) await look(String(row?.id));
    const told = stack.signals.slice(before).map(({ workflowId }) => workflowId);
    expect(told).toEqual([`refund:${body.refundId}`, `refund:${body.refundId}`]);
    expect((await submitRefund(body.refundId)).body).toMatchObject({ status: 'succeeded', disputed: false });
    await expectLedgerIsStripes(stack);
  });

  test('that was on its way fails with the chargeback, waits, and is made again when that is won', async () => {
    const payment = await paid('pm_card_pendingRefund');
    await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
    const { body } = await askRefund(payment, 2_000);
    expect((await submitRefund(body.refundId)).body.status).toBe('pending');
    const { id, stripeId } = await disputed(payment);
    await stack.control('POST', '/settings', { refundDelayMs: 50 });
    const read = async () => (await stack.service.internal('GET', `/internal/refunds/${body.refundId}`)).body;
    expect(await read()).toMatchObject({ status: 'failed', owed: true, disputed: true });
    expect((await retry(body.refundId)).body).toMatchObject({ status: 'failed', tries: 1 });
    await answered(stripeId);
    await bank(stripeId, { to: 'won' });
    const before = stack.signals.length;
    await find();
    expect(stack.signals.slice(before).map(({ workflowId }) => workflowId)).toContain(`refund:${body.refundId}`);
    await look(id);
    expect((await retry(body.refundId)).body).toMatchObject({ tries: 2, disputed: false });
    await until(async () => (await stack.post(`/refunds/${body.refundId}/refresh`)).body.status === 'succeeded');
    await expectLedgerIsStripes(stack);
  });

  test('that the bank has given is owed again when the dispute is won late', async () => {
    const { payment, stripeId } = await open();
    const { body } = await share(payment, 100);
    await bank(stripeId, { to: 'lost' });
    const quiet = stack.signals.length;
    await find();
    // Its saga sees that nobody is owed it any more.
    expect(stack.signals.slice(quiet).map(({ workflowId }) => workflowId)).toContain(`refund:${body.refundId}`);
    expect((await submitRefund(body.refundId)).body).toMatchObject({ status: 'failed', owed: false });
    await bank(stripeId, { to: 'won' });
    const before = stack.signals.length;
    await find();
    expect(await standing(payment)).toEqual({ payer_owed: 4500, dispute_fees: -2000 });
    const woken = stack.signals.slice(before).map(({ workflowId }) => workflowId);
    const again = woken.filter((name) => name.startsWith('refund:') && name !== `refund:${body.refundId}`);
    const refundId = again[0]?.replace('refund:', '');
    expect((await submitRefund(String(refundId))).body).toMatchObject({ status: 'succeeded', amount: EUR(4500) });
    await expectLedgerIsStripes(stack);
  });
});
