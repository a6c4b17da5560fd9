import { type Money, scaleHalfUp } from '../../../kernel/money';
import type { PaymentStatus, RefundStatus } from '../../../kernel/statuses';
import { canGo, type TransitionTable } from '../../../kernel/transitions';
import type { Payment, PaymentDetails, PaymentState, Refund, RefundState } from '../contract';

/**
 * The life of a payment. `failed` and `voided` are entered only once Stripe can no longer take the money: the
 * PaymentIntent is cancelled, or none exists and none can be made any more. A refund that fails after it succeeded takes
 * a payment back.
 */
export const PAYMENT_TRANSITIONS: TransitionTable<PaymentStatus> = {
  pending: ['requires_action', 'authorized', 'captured', 'failed', 'voided'],
  requires_action: ['authorized', 'captured', 'failed', 'voided'],
  authorized: ['captured', 'voided'],
  captured: ['partially_refunded', 'refunded'],
  partially_refunded: ['refunded', 'captured'],
  refunded: ['partially_refunded', 'captured'],
  failed: [],
  voided: [],
};

/**
 * A refund can fail after it succeeded: the customer's bank sends the money back (docs.stripe.com/refunds#failed-refunds). Only an
 * operator has a failed one made again.
 */
export const REFUND_TRANSITIONS: TransitionTable<RefundStatus> = {
  pending: ['succeeded', 'failed'],
  succeeded: ['failed'],
  failed: ['pending'],
};

/** The state of a refund after Stripe said `said` of it. An older answer can arrive after a newer one, and failed is Stripe's last word. */
export function refundStatusAfter(now: RefundStatus, said: RefundStatus): RefundStatus {
  return now !== 'failed' && canGo(REFUND_TRANSITIONS, now, said) ? said : now;
}

/** Which event tells of a payment's arrival in a state. Refunds have events of their own. */
export const EVENT_OF = {
  pending: 'PaymentRequested',
  requires_action: 'PaymentActionRequired',
  authorized: 'PaymentAuthorized',
  captured: 'PaymentSucceeded',
  partially_refunded: null,
  refunded: null,
  failed: 'PaymentFailed',
  voided: 'PaymentVoided',
} as const satisfies Record<PaymentStatus, string | null>;

/** The platform's share of `amount`, rounded half up. `percent` has at most two decimals (PLATFORM_FEE_PERCENT). */
export function platformFee(amount: number, percent: number): number {
  return scaleHalfUp(amount, Math.round(percent * 100), 10_000);
}

/** The state of a payment whose money was taken, by what came back of it. */
export function statusOfCaptured(captured: number, refunded: number): PaymentStatus {
  if (refunded === 0) return 'captured';
  return refunded === captured ? 'refunded' : 'partially_refunded';
}

/** What can still be refunded: refunds under way count as if they had succeeded. */
export function refundable(payment: { captured: number; refunded: number; refundPending: number }): number {
  return Math.max(0, payment.captured - payment.refunded - payment.refundPending);
}

/**
 * What a settlement to zero has yet to refund. Its refunds that `failed` are not made a second time beside the first: each has a
 * saga, which asks an operator.
 */
export function toSettle(
  payment: { captured: number; refunded: number; refundPending: number },
  failed: readonly { amount: number }[],
): number {
  return Math.max(0, refundable(payment) - failed.reduce((sum, { amount }) => sum + amount, 0));
}

/**
 * The amount of a new refund: what was asked for, or all that is left.
 * @returns the refusal instead, when there is nothing to refund, too little, or the currency is another
 */
export function refundAmount(
  payment: { currency: string; captured: number; refunded: number; refundPending: number },
  asked: Money | null,
): number | 'invalid_state' | 'refund_exceeds_payment' | 'validation_failed' {
  if (payment.captured === 0) return 'invalid_state';
  if (asked && asked.currency !== payment.currency) return 'validation_failed';
  const left = refundable(payment);
  const amount = asked?.amount ?? left;
  return amount === 0 || amount > left ? 'refund_exceeds_payment' : amount;
}

/**
 * The state a payment goes to when Stripe says this of its PaymentIntent; null: nothing new, or nothing that may follow.
 * Stripe is asked by several at once, so an older answer can arrive after a newer one: the table leaves it out.
 */
export function nextStatus(
  payment: { status: PaymentStatus; captured: number; declineCode: string | null },
  intent: { status: string; declineCode: string | null },
): PaymentStatus | null {
  // Once the money is taken, only refunds move a payment: its intent stays `succeeded` whatever is given back.
  if (payment.captured > 0) return null;
  const next = statusOfIntent(payment, intent);
  return next && canGo(PAYMENT_TRANSITIONS, payment.status, next) ? next : null;
}

function statusOfIntent(
  payment: { status: PaymentStatus; declineCode: string | null },
  intent: { status: string; declineCode: string | null },
): PaymentStatus | null {
  switch (intent.status) {
    case 'requires_action':
      return 'requires_action';
    case 'requires_capture':
      return 'authorized';
    case 'succeeded':
      return 'captured';
    case 'canceled': {
      const declined = intent.declineCode ?? payment.declineCode;
      return declined && payment.status !== 'authorized' ? 'failed' : 'voided';
    }
    default:
      return null;
  }
}

/** Whether an intent was declined and still lies open: somebody with its client secret could pay it later after all. */
export function isOpenDecline(intent: { status: string; declineCode: string | null }): boolean {
  return intent.status === 'requires_payment_method' && intent.declineCode !== null;
}

/** Whether Stripe has made up its mind about an intent: one seen in the middle of its confirmation is neither paid nor declined. */
export function isDecided(intent: { status: string; declineCode: string | null }): boolean {
  const isOpen = intent.status === 'requires_confirmation' || intent.status === 'requires_payment_method';
  return !isOpen || isOpenDecline(intent);
}

/** Whether cancelling is still possible and gives back everything the intent holds. */
export function isCancellable(intent: { status: string }): boolean {
  return intent.status !== 'succeeded' && intent.status !== 'canceled';
}

/** The workflow that owns a payment. */
export function ownerOf(payment: { id: string; bookingId: string | null }): string {
  return payment.bookingId ? `booking:${payment.bookingId}` : `payment:${payment.id}`;
}

/** Who may see a payment: those between whom it is, and admins. */
export function maySee(payment: { payerId: string; payeeId: string }, user: { id: string; role: string }): boolean {
  return user.role === 'admin' || user.id === payment.payerId || user.id === payment.payeeId;
}

/** Who may give it back: the one who received it, and admins. */
export function mayRefund(payment: { payeeId: string }, user: { id: string; role: string }): boolean {
  return user.role === 'admin' || user.id === payment.payeeId;
}

interface PaymentFacts {
  id: string;
  bookingId: string | null;
  payerId: string;
  payeeId: string;
  status: PaymentStatus;
  currency: string;
  amount: number;
  captured: number;
  refunded: number;
  refundPending: number;
  description: string | null;
  clientSecret: string | null;
  captureBefore: Date | null;
  declineCode: string | null;
  version: number;
  createdAt: Date;
}

/** A payment as sagas see it. */
export function stateOf(payment: PaymentFacts): PaymentState {
  const { currency } = payment;
  return {
    paymentId: payment.id,
    bookingId: payment.bookingId,
    version: payment.version,
    status: payment.status,
    amount: { amount: payment.amount, currency },
    captured: { amount: payment.captured, currency },
    refunded: { amount: payment.refunded, currency },
    clientSecret: payment.status === 'requires_action' ? payment.clientSecret : null,
    captureBefore: payment.status === 'authorized' ? (payment.captureBefore?.toISOString() ?? null) : null,
    declineCode: payment.declineCode,
  };
}

export function detailsOf(payment: PaymentFacts): PaymentDetails {
  return { ...stateOf(payment), payerId: payment.payerId, payeeId: payment.payeeId };
}

/** A payment as `viewerId` sees it: the client secret is the payer's alone. */
export function paymentFor(payment: PaymentFacts, viewerId: string): Payment {
  const { currency, declineCode } = payment;
  const { clientSecret } = stateOf(payment);
  return {
    id: payment.id,
    status: payment.status,
    bookingId: payment.bookingId,
    payerId: payment.payerId,
    payeeId: payment.payeeId,
    amount: { amount: payment.amount, currency },
    captured: { amount: payment.captured, currency },
    refunded: { amount: payment.refunded, currency },
    refundPending: { amount: payment.refundPending, currency },
    description: payment.description,
    ...(clientSecret && viewerId === payment.payerId && { clientSecret }),
    ...(declineCode && { declineCode }),
    workflowId: ownerOf(payment),
    createdAt: payment.createdAt.toISOString(),
  };
}

interface RefundFacts {
  id: string;
  paymentId: string;
  status: RefundStatus;
  currency: string;
  amount: number;
  reason: string;
  tries: number;
  createdAt: Date;
}

/** A refund as sagas see it. */
export function refundStateOf(refund: RefundFacts, payment: PaymentFacts): RefundState {
  return {
    refundId: refund.id,
    paymentId: refund.paymentId,
    bookingId: payment.bookingId,
    status: refund.status,
    tries: refund.tries,
    amount: { amount: refund.amount, currency: refund.currency },
    payment: stateOf(payment),
  };
}

/** The workflow that drives a refund. */
export function refundOwner(refundId: string): string {
  return `refund:${refundId}`;
}

export function refundFor(refund: RefundFacts): Refund {
  return {
    id: refund.id,
    paymentId: refund.paymentId,
    status: refund.status,
    amount: { amount: refund.amount, currency: refund.currency },
    reason: refund.reason,
    workflowId: refundOwner(refund.id),
    createdAt: refund.createdAt.toISOString(),
  };
}
