import {
  chargeBooking,
  EUR,
  newBooking,
  type PaymentStack,
  refundsAt,
  startPaymentStack,
} from '../../../tests/support/payment';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 50 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { paid, release, refunded, tutorHas, expectLedgerIsStripes } = refundsAt(() => stack);

describe('earnings', () => {
  test('become payable once, whoever asks how often', async () => {
    const payment = await paid();
    const replies = await Promise.all([
      ...Array.from({ length: 5 }, () => release(payment)),
      ...Array.from({ length: 5 }, (_, n) =>
        stack.post(`/payments/${payment.paymentId}/earnings/release`, `other-${n}`),
      ),
    ]);
    for (const { body } of replies) expect(body).toEqual({ paymentId: payment.paymentId, released: EUR(3825) });
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 3825 });
    expect(await stack.events(payment.paymentId)).toEqual(['PaymentRequested', 'PaymentSucceeded', 'EarningsReleased']);
  });

  test('that were released pay for a later refund', async () => {
    const payment = await paid();
    await release(payment);
    await refunded(payment, 1000);
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 2975 });
    await expectLedgerIsStripes();
  });

  test('of a refunded payment are nothing, and of one not taken yet are refused', async () => {
    const payment = await paid();
    await refunded(payment, null);
    expect((await release(payment)).body.released).toEqual(EUR(0));
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    expect((await release({ ...booking, paymentId: body.paymentId })).body.code).toBe('invalid_state');
  });
});
