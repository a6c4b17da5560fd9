import { uuidv7 } from '../../../platform/ids';
import {
  chargeBooking,
  chargesAt,
  EUR,
  newBooking,
  type PaymentStack,
  type Started,
  settleBooking,
  startPaymentStack,
} from '../../../tests/support/payment';

// What Stripe calls invalid is a fault of ours: nobody is told that their card was declined. And what it would call invalid is not asked.

let stack: PaymentStack;
beforeAll(async () => {
  const work = ({ workflowId }: Started) =>
    void stack.post(`/payments/${workflowId.split(':')[1]}/charge`, `${workflowId}/charge`);
  stack = await startPaymentStack({ onStart: work });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { intentsOf } = chargesAt(() => stack);
const invalid = (path: string) => ({ kind: 'refuse_400', code: 'parameter_unknown', match: { method: 'POST', path } });

async function person(role: 'student' | 'tutor') {
  const id = uuidv7();
  await stack.post('/accounts', `user:${id}/account`, { userId: id, role, email: `${id}@example.org`, name: 'N' });
  return { id, token: await stack.service.userToken({ id, role }) };
}

async function pay(amount: { amount: number; currency: string }, key = uuidv7()) {
  const [payer, payee] = [await person('student'), await person('tutor')];
  const body = { payeeId: payee.id, amount, paymentMethodId: 'pm_card_visa', description: 'Two books' };
  const ask = () => stack.service.ask('POST', '/api/payments', { token: payer.token, key, body });
  return { reply: await ask(), again: ask, payer };
}

test('a direct payment that Stripe calls invalid is 502 payment_rejected, today and when it is asked again, and not declined', async () => {
  await stack.fault(invalid('/v1/payment_intents'));
  const { reply, again, payer } = await pay(EUR(2000));
  expect(reply).toMatchObject({ status: 502, body: { code: 'payment_rejected', paymentId: expect.any(String) } });
  expect(reply.body).not.toHaveProperty('declineCode');
  expect(JSON.stringify(reply.body)).not.toMatch(/Stripe\w*Error|parameter_unknown/);
  expect(await again()).toMatchObject({ status: 502, body: { code: 'payment_rejected' } });
  const shown = await stack.service.ask('GET', `/api/payments/${reply.body.paymentId}`, { token: payer.token });
  expect(shown.body).toMatchObject({ status: 'failed', captured: EUR(0) });
  expect(shown.body).not.toHaveProperty('declineCode');
});

test('so is a charge of a booking, whose payment has failed and can be settled', async () => {
  await stack.fault(invalid('/v1/payment_intents'));
  const booking = newBooking();
  const reply = await chargeBooking(stack, booking);
  expect(reply).toMatchObject({ status: 502, body: { code: 'payment_rejected', paymentId: expect.any(String) } });
  expect(await chargeBooking(stack, booking)).toMatchObject({ status: 502, body: { code: 'payment_rejected' } });
  expect(await intentsOf(booking)).toEqual([]);
  expect((await settleBooking(stack, booking)).body.payment).toMatchObject({ status: 'failed', declineCode: null });
});

test('a capture that Stripe calls invalid is not told as an authorisation that lapsed', async () => {
  const booking = newBooking();
  const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
  await stack.fault(invalid(`/v1/payment_intents/*/capture`));
  const capture = () => stack.post(`/payments/${body.paymentId}/capture`, `${booking.key}/capture`);
  expect(await capture()).toMatchObject({ status: 502, body: { code: 'payment_rejected' } });
  expect((await settleBooking(stack, booking)).body.payment).toMatchObject({ status: 'voided' });
});

test.each([
  [{ amount: 49, currency: 'EUR' }, 'amount.amount'],
  [{ amount: 29, currency: 'GBP' }, 'amount.amount'],
  [{ amount: 450_000, currency: 'SEK' }, 'amount.currency'],
  [{ amount: 450_000, currency: 'KPW' }, 'amount.currency'],
  [{ amount: 450_000, currency: 'XDR' }, 'amount.currency'],
])('%j, which cannot be charged, is refused before Stripe is asked', async (amount, path) => {
  const { reply } = await pay(amount);
  expect(reply).toMatchObject({ status: 422, body: { errors: [{ path }] } });
  expect(stack.started).not.toContainEqual(expect.objectContaining({ input: expect.objectContaining({ amount }) }));
});

test.each([
  ['JPY', 4_500, 4_500, 2_250],
  ['ISK', 4_501, 450_100, 2_251],
  ['UGX', 4_501, 450_100, 2_251],
  ['MGA', 450_100, 4_501, 225_100],
  ['KWD', 4_510, 4_510, 2_260],
  ['HUF', 4_500_000, 4_500_000, 2_250_000],
])(
  '%s %i is %i at Stripe, half of it is given back as %i, and the ledger is Stripe’s',
  async (currency, amount, atStripe, half) => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { amount, currency });
    expect(body).toMatchObject({ status: 'captured', captured: { amount, currency } });
    expect(await intentsOf(booking)).toMatchObject([{ amount: atStripe, currency: currency.toLowerCase() }]);

    const wanted = { percent: 50, reason: 'half', requestedBy: null };
    const share = await stack.post(`/payments/${body.paymentId}/refund-share`, `${booking.key}/share`, wanted);
    expect(share.body.amount).toEqual({ amount: half, currency });
    const submitted = await stack.post(
      `/refunds/${share.body.refundId}/submit`,
      `refund:${share.body.refundId}/submit`,
    );
    expect(submitted.body).toMatchObject({ status: 'succeeded', payment: { refunded: { amount: half, currency } } });

    const held = (await stack.ledger(currency)).stripe_balance ?? 0;
    expect((held * atStripe) / amount).toBe(await stack.stripeBalance(currency.toLowerCase()));
  },
);

test('a part that Stripe does not give back is refused, by the field', async () => {
  const booking = newBooking();
  const { body } = await chargeBooking(stack, booking, { amount: 4_510, currency: 'KWD' });
  const token = await stack.service.userToken({ id: booking.payeeId, role: 'tutor' });
  const asked = { token, key: uuidv7(), body: { amount: { amount: 1_005, currency: 'KWD' }, reason: 'A part' } };
  const reply = await stack.service.ask('POST', `/api/payments/${body.paymentId}/refund`, asked);
  expect(reply).toMatchObject({ status: 422, body: { errors: [{ path: 'amount.amount' }] } });
});
