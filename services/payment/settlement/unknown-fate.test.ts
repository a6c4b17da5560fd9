import {
  type BookingCharge,
  chargeBooking,
  dyingAfter,
  EUR,
  HANG_MS,
  newBooking,
  type PaymentStack,
  retried,
  settleBooking,
  settlementsAt,
  startPaymentStack,
} from '../../../tests/support/payment';
import { charge } from '../charges/charge';
import type { Till } from '../till';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { atStripe, expectZero, expectRefused, begin } = settlementsAt(() => stack);

const of = (booking: BookingCharge) => (object: { metadata: { bookingId?: string } }) =>
  object.metadata.bookingId === booking.bookingId;

describe('a step whose fate is unknown', () => {
  const FATES: [string, Record<string, unknown>][] = [
    ['answered 500, nothing happened', { kind: 'error_500' }],
    ['answered 500, charged', { kind: 'error_500_after' }],
    ['connection closed, nothing happened', { kind: 'drop_before', times: 2 }],
    ['connection closed, charged', { kind: 'drop_after', times: 2 }],
    ['reply cut off, charged', { kind: 'truncate_after' }],
    ['no answer, charged', { kind: 'hang', ms: HANG_MS, when: 'after' }],
    ['no answer, charged later', { kind: 'hang', ms: HANG_MS, when: 'before' }],
  ];

  test.each(FATES)('%s: nothing stays charged, and it is refused afterwards', async (_, fault) => {
    const booking = newBooking();
    // The look-up after the doubtful answer fails as well: the step ends without knowing anything.
    await stack.fault({ ...fault, match: { method: 'POST', path: '/v1/payment_intents' } });
    await stack.fault({ kind: 'error_500', match: { method: 'GET', path: '/v1/payment_intents' }, times: 1 });
    const by = fault.kind === 'hang' ? stack.impatient : stack;
    expect((await chargeBooking(by, booking)).status).toBe(503);
    const settled = await retried(() => settleBooking(stack, booking), 80);
    expect(settled.status).toBe(200);
    await expectZero(booking);
    await expectRefused(booking);
    await expectZero(booking);
  });

  test('that has not reached Stripe yet never takes effect there, and no card is charged to find that out', async () => {
    const booking = newBooking();
    const begun = await begin(booking);
    const settled = await settleBooking(stack, booking);
    expect(settled.body.payment.status).toBe('voided');
    // Now the step's own request arrives after all.
    await expect(charge(stack.till, begun)).rejects.toMatchObject({ code: 'upstream_unavailable' });
    await expectRefused(booking);
    expect((await atStripe(booking)).map(({ status }) => status)).toEqual(['canceled']);
    expect((await stack.state()).charges.filter(of(booking))).toEqual([]);
  });

  test.each(['error_500', 'error_500_after'])(
    'is settled although Stripe answers the taking of its key with %s',
    async (kind) => {
      const booking = newBooking();
      const begun = await begin(booking);
      await stack.fault({ kind, match: { method: 'POST', path: '/v1/payment_intents' } });
      const settled = await retried(() => settleBooking(stack, booking));
      expect(settled.body.payment.status).toBe('voided');
      await expect(charge(stack.till, begun)).rejects.toMatchObject({ code: 'upstream_unavailable' });
      await expectRefused(booking);
      expect((await stack.state()).charges.filter(of(booking))).toEqual([]);
    },
  );

  test('is settled although Stripe asks to slow down first', async () => {
    const booking = newBooking();
    await begin(booking);
    await stack.fault({ kind: 'rate_limit_429', match: { method: 'POST', path: '/v1/payment_intents' } });
    expect(await settleBooking(stack, booking)).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('voided');
  });

  test('that charged right before we crashed is refunded', async () => {
    const booking = newBooking();
    const begun = await begin(booking);
    const dying: Till = {
      ...stack.till,
      stripe: { ...stack.till.stripe, createIntent: dyingAfter(stack.till.stripe.createIntent) },
    };
    await expect(charge(dying, begun)).rejects.toThrow('the process died');
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    await expectZero(booking);
  });

  test('running beside its undo ends at zero every time', async () => {
    const bookings = Array.from({ length: 12 }, newBooking);
    await Promise.all(
      bookings.flatMap((booking, n) => [
        retried(() => chargeBooking(stack, booking, { capture: n % 2 ? 'manual' : 'automatic' }), 60),
        retried(() => settleBooking(stack, booking), 60).then(({ status }) => expect(status).toBe(200)),
      ]),
    );
    for (const booking of bookings) {
      await expectZero(booking);
      await expectRefused(booking);
    }
  });

  test('a capture beside the undo ends at zero every time', async () => {
    const bookings = Array.from({ length: 8 }, newBooking);
    await Promise.all(
      bookings.map(async (booking) => {
        const { body } = await retried(() => chargeBooking(stack, booking, { capture: 'manual' }), 60);
        const capture = () => stack.post(`/payments/${body.paymentId}/capture`, `${booking.key}/capture`);
        const [, settled] = await Promise.all([retried(capture, 60), retried(() => settleBooking(stack, booking), 60)]);
        expect(settled.status).toBe(200);
      }),
    );
    for (const booking of bookings) await expectZero(booking);
  });
});
