import { type BookingCharge, chargeBooking, expectLedgerIsStripes, newBooking } from './bookings';
import { type Caller, EUR, type PaymentStack } from './stack';

/** A booking that is paid. */
export interface Paid extends BookingCharge {
  paymentId: string;
}

/** How refunds of paid bookings are asked for, handed in and looked at. */
export function refundsAt(stackOf: () => PaymentStack) {
  async function paid(card = 'pm_card_visa', amount = 4500): Promise<Paid> {
    const booking = newBooking();
    const { body } = await chargeBooking(stackOf(), booking, { card, amount });
    return { ...booking, paymentId: body.paymentId };
  }

  let counter = 0;
  function askRefund({ paymentId }: Pick<Paid, 'paymentId'>, amount: number | null, key = `refund-${++counter}`) {
    const body = {
      amount: amount === null ? null : EUR(amount),
      reason: 'The session was cut short',
      requestedBy: null,
    };
    return stackOf().post(`/payments/${paymentId}/refunds`, key, body);
  }

  const submitRefund = (refundId: string, by: Caller = stackOf()) =>
    by.post(`/refunds/${refundId}/submit`, `refund:${refundId}/submit`);
  const retry = (refundId: string, number = 2) =>
    stackOf().post(`/refunds/${refundId}/retry`, `refund:${refundId}/submit-${number}`, { number });
  const refresh = (refundId: string) => stackOf().post(`/refunds/${refundId}/refresh`);
  /** As the saga does when the session was over two days ago, if nothing else is said. */
  const release = (
    { paymentId, bookingId }: Paid,
    notBefore: string | null = '2026-01-01T00:00:00.000Z',
    key = `booking:${bookingId}/release`,
  ) => stackOf().post(`/payments/${paymentId}/earnings/release`, key, { notBefore });

  async function refunded(payment: Pick<Paid, 'paymentId'>, amount: number | null): Promise<string> {
    const { body } = await askRefund(payment, amount);
    expect((await submitRefund(body.refundId)).body.status).toBe('succeeded');
    return body.refundId;
  }

  /** What the tutor has of it, pending and payable. */
  async function tutorHas({ payeeId }: Paid): Promise<{ pending: number; payable: number }> {
    const ledger = await stackOf().ledger();
    const has = (account: string) => 0 - (ledger[`${account}:${payeeId}`] ?? 0);
    return { pending: has('tutor_pending'), payable: has('tutor_payable') };
  }

  /** What its payer is owed. */
  const owedTo = async ({ paymentId }: Paid) => 0 - ((await stackOf().ledger())[`payer_owed:${paymentId}`] ?? 0);

  /** Has a share of it refunded as a cancel does: what it came to. */
  const share = (payment: Paid, percent: number, key = `booking:${payment.bookingId}/refund`) => {
    const body = { percent, reason: 'Booking cancelled', requestedBy: null };
    return stackOf().post(`/payments/${payment.paymentId}/refund-share`, key, body);
  };

  /** Gives a part of it back in Stripe's dashboard, of which no webhook tells. */
  async function inDashboard({ paymentId }: Paid, amount?: number): Promise<void> {
    const [row] = await stackOf().service.database.sql`select stripe_intent_id from payments where id = ${paymentId}`;
    await stackOf().stripe.refunds.create({ payment_intent: row?.stripe_intent_id, ...(amount && { amount }) });
  }

  async function refundsAtStripe(payment: Paid): Promise<{ amount: number; status: string }[]> {
    const { refunds } = await stackOf().state();
    return refunds.filter(
      (refund: { metadata: { paymentId?: string } }) => refund.metadata.paymentId === payment.paymentId,
    );
  }

  const expectLedger = () => expectLedgerIsStripes(stackOf());

  return {
    paid,
    askRefund,
    submitRefund,
    retry,
    refresh,
    release,
    refunded,
    tutorHas,
    owedTo,
    share,
    inDashboard,
    refundsAtStripe,
    expectLedgerIsStripes: expectLedger,
  };
}
