import { beginCharge } from '../../../services/payment/charges/store/attempts';
import { type BookingCharge, chargeBooking, ofBooking } from './bookings';
import { EUR, type PaymentStack, retried } from './stack';

interface AtStripe {
  id: string;
  status: string;
  amount_received: number;
  refunded: number;
}

/** What is left of bookings at Stripe and here once they are settled to zero. */
export function settlementsAt(stackOf: () => PaymentStack) {
  /** What Stripe has of a booking: each intent with what was given back of it. */
  async function atStripe({ bookingId }: BookingCharge): Promise<AtStripe[]> {
    const { payment_intents: intents, refunds } = await stackOf().state();
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
    const ledger = await stackOf().ledger();
    expect(ledger[`tutor_pending:${booking.payeeId}`]).toBeUndefined();
    expect(ledger[`tutor_payable:${booking.payeeId}`]).toBeUndefined();
    expect(ledger.stripe_balance ?? 0).toBe(await stackOf().stripeBalance());
  }

  async function expectRefused(booking: BookingCharge): Promise<void> {
    const late = await retried(() => chargeBooking(stackOf(), booking));
    expect(late).toMatchObject({ status: 409, body: { code: 'undone' } });
  }

  /** The refund sagas that were started for a payment. */
  const pursued = (paymentId: string) =>
    stackOf()
      .signals.filter(({ wokenWith }) => JSON.stringify(wokenWith ?? null).includes(paymentId))
      .map(({ wokenWith }) => wokenWith);

  function begin({ key, bookingId, payerId, payeeId }: BookingCharge) {
    const { db, feePercent } = stackOf().till;
    const card = { paymentMethodId: 'pm_card_visa', capture: 'automatic' as const };
    const wanted = { payerId, payeeId, amount: EUR(4500), ...card };
    return beginCharge(db, key, ofBooking(bookingId), wanted, feePercent);
  }

  return { atStripe, expectZero, expectRefused, pursued, begin };
}
