import { ProblemError } from '../kernel/errors';
import type { Money } from '../kernel/money';
import type { PaymentStatus } from '../kernel/statuses';
import { createBookingClient } from '../services/booking/client';
import { createIdentityClient } from '../services/identity/client';
import { createPaymentClient } from '../services/payment/client';
import type { PaymentState, SettledByHand } from '../services/payment/contract';
import type { Clients } from './clients';
import { createNotices } from './notices';
import type { Step, Undo } from './step';

/** What a workflow may know of a payment: ids, state and version; the client secret stays in the services. */
export interface PaymentSummary {
  paymentId: string;
  bookingId: string | null;
  status: PaymentStatus;
  version: number;
  captureBefore: string | null;
}

export interface ChargeInput {
  bookingId: string;
  payerId: string;
  payeeId: string;
  amount: Money;
  paymentMethodId: string;
  /** Shown to the student as the end of 3-D Secure, if the bank asks for it. */
  awaitingUntil: string;
}

/** Why a cancelled booking's money is given back: no person wrote a reason. */
const CANCELLED = { reason: 'Booking cancelled', requestedBy: null };

export type PaymentActivities = ReturnType<typeof createPaymentActivities>;

/** Money. Every activity leaves booking's copy of the payment up to date before it returns. */
export function createPaymentActivities(clients: Clients) {
  const { clientOf } = clients;
  const payment = clientOf('payment', createPaymentClient);
  const booking = clientOf('booking', createBookingClient);
  const identity = clientOf('identity', createIdentityClient);
  const notices = createNotices(clients);

  /** Booking shows what the payment service says; an older version never overwrites a newer one. */
  async function shown(state: PaymentState, awaitingUntil: string | null = null): Promise<PaymentSummary> {
    if (state.bookingId) {
      await booking.recordPayment(
        state.bookingId,
        { payment: projectionOf(state), awaitingUntil: state.status === 'requires_action' ? awaitingUntil : null },
        `payment:${state.paymentId}/shown/${state.version}`,
      );
    }
    return summaryOf(state);
  }

  async function charge(input: Step<ChargeInput>, capture: 'manual' | 'automatic'): Promise<PaymentSummary> {
    const { payerId, payeeId, amount, paymentMethodId } = input;
    try {
      const state = await payment.chargeBooking(
        input.bookingId,
        {
          payerId,
          payeeId,
          amount,
          paymentMethodId,
          capture,
        },
        input.key,
      );
      return await shown(state, input.awaitingUntil);
    } catch (error) {
      await showRefusal(error);
      await answerRejection(input, error);
      throw error;
    }
  }

  /** A fault of ours has no reason in the booking of its own, so the client that waits reads it from the request. */
  async function answerRejection({ bookingId, key }: Step<ChargeInput>, error: unknown): Promise<void> {
    if (!(error instanceof ProblemError) || error.code !== 'payment_rejected') return;
    await booking.refuseRequest(bookingId, { code: error.code, detail: error.detail }, `${key}/refuse`);
  }

  /** After a decline the client reads the decline code from the booking. */
  async function showRefusal(error: unknown): Promise<void> {
    const paymentId = error instanceof ProblemError ? error.more.extras?.paymentId : undefined;
    if (typeof paymentId === 'string') await shown(await payment.getPayment(paymentId));
  }

  return {
    authorizePayment: (input: Step<ChargeInput>) => charge(input, 'manual'),

    chargePayment: (input: Step<ChargeInput>) => charge(input, 'automatic'),

    async capturePayment({ paymentId, key }: Step<{ paymentId: string; bookingId: string }>): Promise<PaymentSummary> {
      return shown(await payment.capturePayment(paymentId, key));
    },

    /** The undo of all money steps: void, refund or nothing, whatever Stripe says is true. */
    async settleToZero({ bookingId, key }: Undo<{ bookingId: string }>): Promise<void> {
      const settled = await payment.settleBooking(bookingId, key);
      if (settled.payment) await shown(settled.payment);
    },

    /** Asks Stripe for the truth: a webhook may be lost. `shownVersion` is the one that booking shows already. */
    async refreshPayment({
      paymentId,
      shownVersion,
    }: {
      paymentId: string;
      bookingId: string | null;
      shownVersion: number;
    }): Promise<PaymentSummary> {
      const state = await payment.refreshPayment(paymentId);
      return state.version === shownVersion ? summaryOf(state) : shown(state);
    },

    async abandonPayment({
      paymentId,
      key,
    }: Step<{ paymentId: string; bookingId: string | null }>): Promise<PaymentSummary> {
      return shown(await payment.abandonPayment(paymentId, key));
    },

    async chargeDirectPayment({ paymentId, key }: Step<{ paymentId: string }>): Promise<PaymentSummary> {
      return shown(await payment.chargePayment(paymentId, key));
    },

    async settleDirectPayment({ paymentId, key }: Undo<{ paymentId: string }>): Promise<void> {
      await payment.settlePayment(paymentId, key);
    },

    /** `notBefore`: when the tutor's share may become payable; null: payment counts by itself. A saga of before does not say. */
    async releaseEarnings({
      paymentId,
      notBefore,
      key,
    }: Step<{ paymentId: string; notBefore?: string | null }>): Promise<void> {
      await payment.releaseEarnings(paymentId, notBefore, key);
    },

    /** Records the refund of a cancelled booking; the refund saga makes it. For sagas of before, which decided the amount by themselves. */
    async createRefund({
      paymentId,
      amount,
      key,
    }: Step<{ paymentId: string; amount: Money }>): Promise<{ refundId: string }> {
      const { refundId } = await payment.createRefund(paymentId, { amount, ...CANCELLED }, key);
      return { refundId };
    },

    /**
     * Records the refund of a share of what is left of a cancelled booking's payment; the refund saga makes it. How much that is payment
     * decides. `refundId` is null when there is nothing to give back.
     */
    async refundShare({
      paymentId,
      percent,
      key,
    }: Step<{ paymentId: string; percent: number }>): Promise<{ refundId: string | null; amount: Money }> {
      const { refundId, amount } = await payment.refundShare(paymentId, { percent, ...CANCELLED }, key);
      return { refundId, amount };
    },

    /**
     * An operator has settled by hand what could not be given back: nothing of it stays reserved, and the step before is refused from now on.
     * `percent`: the share that the step was to give back, which it may not have recorded.
     */
    async settleByHand(
      input: Undo<({ bookingId: string } | { paymentId: string }) & { as: SettledByHand['as']; percent?: number }>,
    ): Promise<void> {
      const { as, percent, key } = input;
      const settled = { as, ...(percent !== undefined && { percent }) };
      if ('bookingId' in input) await payment.settleBookingByHand(input.bookingId, settled, key);
      else await payment.settlePaymentByHand(input.paymentId, settled, key);
    },

    /** An operator has settled a refund by hand: what was reserved for it is free again. */
    async giveUpRefund({ refundId, as, key }: Step<{ refundId: string; as: SettledByHand['as'] }>): Promise<void> {
      await payment.giveUpRefund(refundId, { as }, key);
    },

    /** Receipt to the payer, notice to the payee; of a decline the payer alone is told. Notification delivers them. */
    async notifyPayment({
      paymentId,
      notice,
      key,
    }: Step<{ paymentId: string; notice: 'paid' | 'declined' }>): Promise<void> {
      const state = await payment.getPayment(paymentId);
      const { first: payer, second: payee } = await identity.getPeople(state.payerId, state.payeeId);
      const about = { paymentId, bookingId: state.bookingId, description: null };
      if (notice === 'declined') {
        const data = { ...about, amount: state.amount, otherName: nameOf(payee) };
        await notices.record(
          { template: 'payment_declined_student', recipientId: payer.id, usefulUntil: null, data },
          `${key}/payer`,
        );
        return;
      }
      const data = { ...about, amount: state.captured };
      await Promise.all([
        notices.record(
          {
            template: 'payment_receipt',
            recipientId: payer.id,
            usefulUntil: null,
            data: { ...data, otherName: nameOf(payee) },
          },
          `${key}/payer`,
        ),
        notices.record(
          {
            template: 'payment_received',
            recipientId: payee.id,
            usefulUntil: null,
            data: { ...data, otherName: nameOf(payer) },
          },
          `${key}/payee`,
        ),
      ]);
    },
  };
}

function summaryOf({ paymentId, bookingId, status, version, captureBefore }: PaymentState): PaymentSummary {
  return { paymentId, bookingId, status, version, captureBefore };
}

/** What booking keeps of a payment. */
export function projectionOf(state: PaymentState) {
  const { paymentId: id, version, status, amount, captured, refunded, clientSecret, declineCode } = state;
  return { id, version, status, amount, captured, refunded, clientSecret, declineCode };
}

export function nameOf({ firstName, lastName }: { firstName: string; lastName: string }): string {
  return `${firstName} ${lastName}`.trim();
}
