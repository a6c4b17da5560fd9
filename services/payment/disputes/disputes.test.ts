import {
  debtsAt,
  disputesAt,
  EUR,
  expectLedgerIsStripes,
  type PaymentStack,
  refundsAt,
  startPaymentStack,
} from '../../../tests/support/payment';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 50, payoutPendingMs: 3_600_000, disputeDecisionMs: 50 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { paid, disputed, bank, answered, find, stored, look, standing } = disputesAt(() => stack);
const { release, tutorHas, refunded, share, submitRefund } = refundsAt(() => stack);
const { paidOut } = debtsAt(() => stack);

/** Of 45.00 the tutor has 38.25. */
const WHOLE = { tutor_pending: 3825, platform_revenue: 675 };

describe('a chargeback', () => {
  test('takes the money and a fee, freezes the tutor’s share and is recorded once', async () => {
    const payment = await paid();
    const { id } = await disputed(payment);
    await Promise.all([find(), find(), look(id)]);
    expect(await standing(payment)).toEqual({
      ...{ platform_revenue: 675, tutor_frozen: 3825, disputed: -4500, dispute_fees: -2000 },
    });
    expect(await stored(payment.paymentId)).toMatchObject([{ status: 'needs_response', withdrawn: '4500' }]);
    expect(await stack.events(id)).toEqual(['DisputeOpened']);
    await expectLedgerIsStripes(stack);
  });

  test('that is won gives all back but the fee', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment);
    await answered(stripeId);
    await bank(stripeId, { to: 'won' });
    expect((await look(id)).body).toMatchObject({ status: 'won', decided: true, withdrawn: EUR(0) });
    expect(await standing(payment)).toEqual({ ...WHOLE, dispute_fees: -2000 });
    expect(await stack.events(id)).toEqual(['DisputeOpened', 'DisputeWon']);
    await expectLedgerIsStripes(stack);
  });

  test('that is lost takes it from tutor and platform', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment);
    await bank(stripeId, { to: 'lost' });
    await look(id);
    expect(await standing(payment)).toEqual({ dispute_fees: -2000 });
    await expectLedgerIsStripes(stack);
  });

  test('that is lost and won after all gives it back', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment);
    await bank(stripeId, { to: 'lost' });
    await look(id);
    await bank(stripeId, { to: 'won' });
    await look(id);
    expect(await standing(payment)).toEqual({ ...WHOLE, dispute_fees: -2000 });
    await expectLedgerIsStripes(stack);
  });

  test('above what was paid is the platform’s loss beyond it', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment, { amount: 5000 });
    expect(await standing(payment)).toMatchObject({ tutor_frozen: 3825, disputed: -5000 });
    await bank(stripeId, { to: 'lost' });
    await look(id);
    expect(await standing(payment)).toEqual({ dispute_losses: -500, dispute_fees: -2000 });
    await expectLedgerIsStripes(stack);
  });

  test('of a part takes of each their part', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment, { amount: 1000 });
    expect(await standing(payment)).toMatchObject({ tutor_frozen: 850, tutor_pending: 2975, platform_revenue: 675 });
    await bank(stripeId, { to: 'lost' });
    await look(id);
    expect(await standing(payment)).toEqual({ tutor_pending: 2975, platform_revenue: 525, dispute_fees: -2000 });
    await expectLedgerIsStripes(stack);
  });

  test('after the payout makes it debt', async () => {
    const { who, payments } = await paidOut([30_000]);
    const payment = { paymentId: String(payments[0]), payeeId: who.id };
    const { id, stripeId } = await disputed(payment);
    expect((await who.see('/api/wallet')).body.balances).toMatchObject([{ debt: 25_500, payable: 0 }]);
    await bank(stripeId, { to: 'lost' });
    await look(id);
    expect((await who.see('/api/wallet')).body.balances).toMatchObject([{ debt: 25_500, payable: 0 }]);
    await bank(stripeId, { to: 'won' });
    await look(id);
    expect((await who.see('/api/wallet')).body.balances).toMatchObject([{ debt: 0, payable: 0 }]);
    await expectLedgerIsStripes(stack);
  });

  test('holds back what would become payable', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment, { amount: 1000 });
    expect((await release(payment)).body.released).toEqual(EUR(0));
    await answered(stripeId);
    await bank(stripeId, { to: 'won' });
    await look(id);
    await stack.post('/earnings/sweep');
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 3825 });
  });
});

describe('a refund of a disputed payment', () => {
  test('waits, and is covered by what the bank has given', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment);
    const { body } = await share(payment, 100);
    expect(body.amount).toEqual(EUR(4500));
    expect((await submitRefund(body.refundId)).body).toMatchObject({ status: 'pending', disputed: true });
    await bank(stripeId, { to: 'lost' });
    await look(id);
    expect((await submitRefund(body.refundId)).body).toMatchObject({ status: 'failed', owed: false, disputed: false });
    expect(await standing(payment)).toEqual({ dispute_fees: -2000 });
    await expectLedgerIsStripes(stack);
  });

  test('waits, and is made once that is won', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment);
    const { body } = await share(payment, 50);
    await submitRefund(body.refundId);
    await answered(stripeId);
    await bank(stripeId, { to: 'won' });
    await look(id);
    expect((await submitRefund(body.refundId)).body).toMatchObject({ status: 'succeeded' });
    expect(await standing(payment)).toEqual({ tutor_pending: 1912, platform_revenue: 338, dispute_fees: -2000 });
    await expectLedgerIsStripes(stack);
  });

  test('waits, and of a part that the bank has given the rest is made', async () => {
    const payment = await paid();
    const { id, stripeId } = await disputed(payment, { amount: 2000 });
    const { body } = await share(payment, 100);
    await submitRefund(body.refundId);
    await bank(stripeId, { to: 'lost' });
    await look(id);
    const { body: then } = await submitRefund(body.refundId);
    expect(then).toMatchObject({ amount: EUR(2500), owed: true });
    expect(await standing(payment)).toMatchObject({ payer_owed: 2500 });
    await expectLedgerIsStripes(stack);
  });

  test('made just before: of what the bank takes only what is left was theirs', async () => {
    const payment = await paid();
    await refunded(payment, 2000);
    const { id, stripeId } = await disputed(payment, { amount: 4500 });
    expect(await standing(payment)).toMatchObject({ tutor_frozen: 2125 });
    await bank(stripeId, { to: 'lost' });
    await look(id);
    expect(await standing(payment)).toEqual({ dispute_losses: -2000, dispute_fees: -2000 });
    await expectLedgerIsStripes(stack);
  });
});
