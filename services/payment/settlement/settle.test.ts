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
  startPaymentStack,
} from '../../../tests/support/payment';
import { charge } from '../charges/charge';
import { beginBookingCharge } from '../charges/store/attempts';
import { readPayment } from '../charges/store/payments';
import { requestPayment } from '../charges/store/requests';
import { giveBackStray } from '../charges/stray';
import { listRefunds, unseenRefunds } from '../refunds/store/refunds';
import type { Till } from '../till';
import { settle } from './settle';
import { markBookingSettled, refundWhatIsLeft } from './store';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

interface AtStripe {
  id: string;
  status: string;
  amount_received: number;
  refunded: number;
}

/** What Stripe has of a booking: each intent with what was given back of it. */
async function atStripe({ bookingId }: BookingCharge): Promise<AtStripe[]> {
  const { payment_intents: intents, refunds } = await stack.state();
  return intents
    .filter((intent: { metadata: { bookingId?: string } }) => intent.metadata.bookingId === bookingId)
    .map((intent: AtStripe) => ({
      id: intent.id,
      status: intent.status,
      amount_received: intent.amount_received,
      refunded: refunds
        .filter((refund: { payment_intent: string }) => refund.payment_intent === intent.id)
        .reduce(
          (sum: number, refund: { amount: number; status: string }) =>
            sum + (refund.status === 'failed' ? 0 : refund.amount),
          0,
        ),
    }));
}

/** Nothing is held or kept of the booking, and the ledger agrees with Stripe. */
async function expectZero(booking: BookingCharge): Promise<void> {
  for (const intent of await atStripe(booking)) {
    expect(['succeeded', 'canceled']).toContain(intent.status);
    if (intent.status === 'succeeded') expect(intent.refunded).toBe(intent.amount_received);
  }
  const ledger = await stack.ledger();
  expect(ledger[`tutor_pending:${booking.payeeId}`]).toBeUndefined();
  expect(ledger[`tutor_payable:${booking.payeeId}`]).toBeUndefined();
  expect(ledger.stripe_balance ?? 0).toBe(await stack.stripeBalance());
}

async function expectRefused(booking: BookingCharge): Promise<void> {
  const late = await retried(() => chargeBooking(stack, booking));
  expect(late).toMatchObject({ status: 409, body: { code: 'undone' } });
}

/** The refund sagas that were started for a payment. */
const pursued = (paymentId: string) =>
  stack.signals
    .filter(({ wokenWith }) => JSON.stringify(wokenWith ?? null).includes(paymentId))
    .map(({ wokenWith }) => wokenWith);

function begin({ key, bookingId, payerId, payeeId }: BookingCharge) {
  const { db, feePercent } = stack.till;
  const card = { paymentMethodId: 'pm_card_visa', capture: 'automatic' as const };
  return beginBookingCharge(db, key, bookingId, { payerId, payeeId, amount: EUR(4500), ...card }, feePercent);
}

describe('settling a booking to zero', () => {
  test('before there is a payment leaves a mark: the step that comes late is refused and charges nothing', async () => {
    const booking = newBooking();
    expect(await settleBooking(stack, booking)).toMatchObject({ status: 200, body: { payment: null } });
    await expectRefused(booking);
    expect(await atStripe(booking)).toEqual([]);
    expect((await settleBooking(stack, booking)).body).toEqual({ payment: null });
  });

  test('voids an authorisation', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { capture: 'manual' });
    const { body } = await settleBooking(stack, booking);
    expect(body.payment).toMatchObject({ status: 'voided', captured: EUR(0), refunded: EUR(0) });
    expect((await atStripe(booking)).map(({ status }) => status)).toEqual(['canceled']);
    await expectRefused(booking);
    const late = await stack.post(`/payments/${body.payment.paymentId}/capture`, `${booking.key}/capture`);
    expect(late.body.code).toBe('undone');
    await expectZero(booking);
  });

  test('refunds what was taken', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const { body } = await settleBooking(stack, booking);
    expect(body.payment).toMatchObject({ status: 'refunded', captured: EUR(4500), refunded: EUR(4500) });
    await expectRefused(booking);
    await expectZero(booking);
    expect(await stack.events(body.payment.paymentId)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    const [refund] = await stack.service.database
      .sql`select id, origin from refunds where payment_id = ${body.payment.paymentId}`;
    expect(refund?.origin).toBe('settlement');
    expect(await stack.events(refund?.id)).toEqual(['RefundRequested', 'RefundProcessed']);
  });

  test('refunds only what is left after a refund that was asked for', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const asked = await stack.post(`/payments/${body.paymentId}/refunds`, `${booking.key}/refund`, {
      amount: EUR(1500),
      reason: 'late',
      requestedBy: null,
    });
    await stack.post(`/refunds/${asked.body.refundId}/submit`, `refund:${asked.body.refundId}/submit`);
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    await expectZero(booking);
  });

  test('cancels what waits for 3-D Secure', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_threeDSecure2Required' });
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('voided');
    await expectZero(booking);
  });

  test('leaves a declined payment as it is', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_visa_chargeDeclined' });
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'failed',
      declineCode: 'generic_decline',
    });
    await expectRefused(booking);
  });

  test('believes Stripe, not its own row: paid by 3-D Secure without our knowing is refunded', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_threeDSecure2Required' });
    const [intent] = await atStripe(booking);
    await stack.control('POST', `/3ds/${intent?.id}/complete`);
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    await expectZero(booking);
  });

  test('counts what was refunded in Stripe’s dashboard', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const [intent] = await atStripe(booking);
    await stack.stripe.refunds.create({ payment_intent: String(intent?.id), amount: 4000 });
    expect((await settleBooking(stack, booking)).body.payment).toMatchObject({
      status: 'refunded',
      refunded: EUR(4500),
    });
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    await expectZero(booking);
  });

  test('again, and ten times at once, refunds once', async () => {
    const booking = newBooking();
    await chargeBooking(stack, booking);
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        retried(() => settleBooking(stack, { ...booking, key: `${booking.key}-${n % 2}` }), 40),
      ),
    );
    for (const { status } of replies) expect(status).toBe(200);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    expect((await atStripe(booking))[0]?.refunded).toBe(4500);
    await expectZero(booking);
  });

  test('of a direct payment refuses its charge as well', async () => {
    const id = await directPayment();
    const settled = await stack.post(`/payments/${id}/settle`, `payment:${id}/charge/undo`);
    expect(settled.body.payment.status).toBe('voided');
    expect((await stack.post(`/payments/${id}/charge`, `payment:${id}/charge`)).body.code).toBe('undone');
    const { bookingId: nobody } = newBooking();
    expect((await stack.post(`/payments/${nobody}/settle`, 'none/undo')).body).toEqual({ payment: null });
  });
});

/** A direct payment as POST /api/payments stores it. */
async function directPayment(): Promise<string> {
  const { payerId, payeeId, key } = newBooking();
  await stack.post('/accounts', `user:${payeeId}/account`, {
    userId: payeeId,
    role: 'tutor',
    email: 't@example.org',
    name: 'T',
  });
  const wanted = { payeeId, amount: EUR(4500), paymentMethodId: 'pm_card_visa', description: 'Books' };
  const { db, feePercent } = stack.till;
  const claim = await requestPayment(db, { owner: payerId, key, fingerprint: 'f' }, payerId, wanted, feePercent);
  return claim.resourceId;
}

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

const of = (booking: BookingCharge) => (object: { metadata: { bookingId?: string } }) =>
  object.metadata.bookingId === booking.bookingId;

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
    const marked = await markBookingSettled(stack.till.db, booking.bookingId);
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
    await markBookingSettled(stack.till.db, booking.bookingId);
    const [row] = await refundWhatIsLeft(stack.till.db, body.paymentId);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    const rows = await stack.service.database.sql`select id, status from refunds where payment_id = ${body.paymentId}`;
    expect(rows.map(({ id, status }) => [id, status])).toEqual([[row?.id, 'succeeded']]);
  });

  test('a refund that Stripe refuses is not made a second time by the undo: its saga asks an operator', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const { paymentId } = body;
    const marked = await markBookingSettled(stack.till.db, booking.bookingId);
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
    const marked = await markBookingSettled(stack.till.db, booking.bookingId);
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

describe('an intent too many', () => {
  /** As Stripe may make it hours after it answered 500: confirmed, paid, with our metadata. */
  async function stray(booking: BookingCharge, paymentId: string, capture_method: 'automatic' | 'manual') {
    return stack.stripe.paymentIntents.create({
      amount: 4500,
      currency: 'eur',
      payment_method: 'pm_card_visa',
      capture_method,
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      metadata: { paymentId, bookingId: booking.bookingId },
    });
  }

  test.each(['automatic', 'manual'] as const)('(%s) found while settling is given back too', async (capture) => {
    const booking = newBooking();
    await stack.fault({ kind: 'error_500', match: { method: 'POST', path: '/v1/payment_intents' } });
    const { body } = await retried(() => chargeBooking(stack, booking));
    await stray(booking, body.paymentId, capture);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    expect(await atStripe(booking)).toHaveLength(2);
    await expectZero(booking);
    expect((await settleBooking(stack, booking)).status).toBe(200);
    await expectZero(booking);
  });

  test.each([
    ['automatic', '/v1/refunds'],
    ['manual', '/v1/payment_intents/*/cancel'],
  ] as const)('(%s) is given back once, whatever happens to the request that does it', async (capture, path) => {
    const booking = newBooking();
    await stack.fault({ kind: 'error_500', match: { method: 'POST', path: '/v1/payment_intents' } });
    const { body } = await retried(() => chargeBooking(stack, booking));
    await stray(booking, body.paymentId, capture);
    await stack.fault({ kind: 'error_500', match: { method: 'POST', path } });
    await stack.fault({ kind: 'error_500_after', match: { method: 'POST', path, nth: 2 } });
    await stack.fault({ kind: 'error_500', match: { method: 'GET', nth: 8 } });
    expect((await retried(() => settleBooking(stack, booking))).body.payment.status).toBe('refunded');
    await expectZero(booking);
  });

  test('that was paid in the moment it was to be cancelled is refunded', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const late = await stray(booking, body.paymentId, 'manual');
    const row = await readPayment(stack.till.db, body.paymentId);
    const crossed: Till = {
      ...stack.till,
      stripe: {
        ...stack.till.stripe,
        cancelIntent: async (key, id) => {
          await stack.stripe.paymentIntents.capture(id);
          return stack.till.stripe.cancelIntent(key, id);
        },
      },
    };
    const intent = await stack.till.stripe.retrieveIntent(late.id);
    if (!intent) throw new Error('no intent');
    await giveBackStray(crossed, row, intent);
    expect((await settleBooking(stack, booking)).body.payment.status).toBe('refunded');
    await expectZero(booking);
  });

  test('whose refund Stripe refuses is told, and stays in the books as money that is nobody’s', async () => {
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking);
    const late = await stray(booking, body.paymentId, 'automatic');
    const row = await readPayment(stack.till.db, body.paymentId);
    const intent = await stack.till.stripe.retrieveIntent(late.id);
    if (!intent) throw new Error('no intent');
    const revenue = (await stack.ledger()).platform_revenue ?? 0;
    const refusing: Till = {
      ...stack.till,
      stripe: {
        ...stack.till.stripe,
        createRefund: () => Promise.resolve({ kind: 'refused', code: 'charge_disputed' }),
      },
    };
    await expect(giveBackStray(refusing, row, intent)).rejects.toMatchObject({ code: 'refund_failed' });
    expect((await stack.ledger()).platform_revenue).toBe(revenue - 4500);
    expect((await stack.ledger()).stripe_balance).toBe(await stack.stripeBalance());
  });
});
