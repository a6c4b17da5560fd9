import {
  chargeBooking,
  dyingAfter,
  EUR,
  newBooking,
  ofBooking,
  type PaymentStack,
  retried,
  settleBooking,
  settlementsAt,
  startPaymentStack,
} from '../../../tests/support/payment';
import { listRefunds, unseenRefunds } from '../refunds/store/refunds';
import type { Till } from '../till';
import { settle } from './settle';
import { markSubjectSettled, refundWhatIsLeft } from './store';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { atStripe, expectZero, pursued } = settlementsAt(() => stack);

describe('whatever happens to the undo’s own requests, it ends at zero', () => {
  const FAULTS: [string, Record<string, unknown>][] = [
    ['500', { kind: 'error_500' }],
    ['500 after the effect', { kind: 'error_500_after' }],
    ['429', { kind: 'rate_limit_429', retryAfterSeconds: 1 }],
    ['connection closed before', { kind: 'drop_before', times: 2 }],
    ['connection closed after', { kind: 'drop_after', times: 2 }],
    ['reply cut off', { kind: 'truncate_after' }],
  ];

  test.each(FAULTS)('the refund: %s', async (_, fault) => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    await stack.fault({ ...fault, match: { method: 'POST', path: '/v1/refunds' } });
    const settled = await retried(() => settleBooking(stack, booking));
    expect(settled.body.payment).toMatchObject({ status: 'refunded', refunded: EUR(4500) });
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    await expectZero(booking);
  });

  test.each(FAULTS)('the cancel: %s', async (_, fault) => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { capture: 'manual' });
    await stack.fault({ ...fault, match: { path: '/v1/payment_intents/*/cancel' } });
    const settled = await retried(() => settleBooking(stack, booking));
    expect(settled.body.payment.status).toBe('voided');
    await expectZero(booking);
  });

  test.each(FAULTS)('every question: %s', async (_, fault) => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    for (let nth = 1; nth <= 3; nth++) await stack.fault({ ...fault, match: { method: 'GET', nth } });
    const settled = await retried(() => settleBooking(stack, booking));
    expect(settled.body.payment.status).toBe('refunded');
    await expectZero(booking);
  });

  test('a crash between the refund at Stripe and our commit refunds once', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const marked = await markSubjectSettled(stack.till.db, ofBooking(booking.bookingId));
    if (!marked) throw new Error('no payment');
    const dying: Till = {
      ...stack.till,
      stripe: { ...stack.till.stripe, createRefund: dyingAfter(stack.till.stripe.createRefund) },
    };
    await expect(settle(dying, marked, `${booking.key}/undo`)).rejects.toThrow('the process died');
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    await expectZero(booking);
  });

  test('a crash after the refund’s row and before its request goes on with that refund', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    await markSubjectSettled(stack.till.db, ofBooking(booking.bookingId));
    const [row] = await refundWhatIsLeft(stack.till.db, body.paymentId);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    const rows = await stack.service.database.sql`select id, status from refunds where payment_id = ${body.paymentId}`;
    expect(rows.map(({ id, status }) => [id, status])).toEqual([[row?.id, 'succeeded']]);
  });

  test('a refund that Stripe refuses is not made a second time by the undo: its saga asks an operator', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const { paymentId } = body;
    const marked = await markSubjectSettled(stack.till.db, ofBooking(booking.bookingId));
    if (!marked) throw new Error('no payment');
    const refusing: Till = {
      ...stack.till,
      stripe: {
        ...stack.till.stripe,
        createRefund: () => Promise.resolve({ kind: 'refused', code: 'charge_disputed' }),
      },
    };
    await settle(refusing, marked, `${booking.key}/undo`);
    for (let n = 0; n < 2; n++)
      expect((await settleBooking(stack, booking)).body.payment).toMatchObject({ status: 'captured' });
    const [refund, ...more] = await listRefunds(stack.till.db, paymentId);
    expect(more).toEqual([]);
    expect(pursued(paymentId)).toContainEqual({ refundId: refund?.id, paymentId, bookingId: booking.bookingId });
    const again = await stack.post(`/refunds/${refund?.id}/retry`, `refund:${refund?.id}/submit-2`, { number: 2 });
    expect(again.body).toMatchObject({ status: 'succeeded', payment: { status: 'refunded' } });
    await expectZero(booking);
    // Given up by an operator it is nobody's any more, and the undo is done.
    const before = stack.signals.length;
    await stack.post(`/refunds/${refund?.id}/close`, `refund:${refund?.id}/close`, { as: 'succeeded' });
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({ status: 'refunded' });
    expect(stack.signals.length).toBe(before);
  });

  test('a refund that a bank takes days for is handed to a saga, which shows its end to the booking', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { card: 'pm_card_pendingRefund' });
    const { paymentId } = body;
    stack.temporal.isDown = true;
    expect((await settleBooking(stack, booking)).status).toBe(503);
    stack.temporal.isDown = false;
    // The undo is called again: it finds the refund made, and its saga still to be started.
    for (let n = 0; n < 2; n++)
      expect((await settleBooking(stack, booking)).body.payment).toMatchObject({ status: 'captured' });
    const [refund] = await listRefunds(stack.till.db, paymentId);
    expect(refund).toMatchObject({ origin: 'settlement', status: 'pending', closedAs: null });
    expect(pursued(paymentId)[0]).toEqual({ refundId: refund?.id, paymentId, bookingId: booking.bookingId });
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
  });

  test('a refund that is made at once needs no saga', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    expect(pursued(body.paymentId)).toEqual([]);
    expect(await unseenRefunds(stack.till.db, body.paymentId)).toEqual([]);
  });

  test('a payment that a bank is still working on is not called settled', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_threeDSecure2Required' });
    const marked = await markSubjectSettled(stack.till.db, ofBooking(booking.bookingId));
    if (!marked?.stripeIntentId) throw new Error('no payment');
    const intent = await stack.till.stripe.retrieveIntent(marked.stripeIntentId);
    if (!intent) throw new Error('no intent');
    const busy: Till = {
      ...stack.till,
      stripe: {
        ...stack.till.stripe,
        retrieveIntent: () => Promise.resolve({ ...intent, status: 'processing' }),
        cancelIntent: () => Promise.resolve({ kind: 'refused', code: 'payment_intent_unexpected_state' }),
      },
    };
    await expect(settle(busy, marked, `${booking.key}/undo`)).rejects.toMatchObject({ code: 'upstream_unavailable' });
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('voided');
  });
});
