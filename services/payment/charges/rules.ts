import { type Money, scaleHalfUp } from '../../../kernel/money';
import type { Subject, SubjectKind } from '../../../kernel/payment-subject';
import type { PaymentStatus } from '../../../kernel/statuses';
import { canGo, type TransitionTable } from '../../../kernel/transitions';
import type { Payment, PaymentDetails, PaymentDispute, PaymentState } from '../contract';

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

/** The platform's share of a payment, rounded half up. `percent` has at most two decimals (PLATFORM_FEE_PERCENT). */
export function platformFee(paid: Money, percent: number): number {
  return scaleHalfUp(paid, Math.round(percent * 100), 10_000);
}

/** The platform's fee on what was captured, which is less than asked for only if somebody captured a part in Stripe's dashboard. */
export function feeOf({
  captured,
  currency,
  fee,
  amount,
}: Pick<PaymentFacts, 'captured' | 'currency' | 'amount'> & { fee: number }): number {
  return scaleHalfUp({ amount: captured, currency }, fee, amount);
}

/** The state of a payment whose money was taken, by what came back of it. */
export function statusOfCaptured(captured: number, refunded: number): PaymentStatus {
  if (refunded === 0) return 'captured';
  return refunded === captured ? 'refunded' : 'partially_refunded';
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

/** What a subject of each kind has of its own: the kind of the saga that pays for it, and what Stripe shows to be paid for. */
const KINDS = {
  booking: { saga: 'booking', description: 'Tutoring session' },
  direct: { saga: 'payment', description: 'Direct payment' },
} as const satisfies Record<SubjectKind, { saga: string; description: string }>;

/** What a payment is for. */
export function subjectOf({
  subjectKind: kind,
  subjectId: id,
}: Pick<PaymentFacts, 'subjectKind' | 'subjectId'>): Subject {
  return { kind, id };
}

/** The booking that a payment is for; null when it is for something else. */
export function bookingIdOf(payment: Pick<PaymentFacts, 'subjectKind' | 'subjectId'>): string | null {
  return payment.subjectKind === 'booking' ? payment.subjectId : null;
}

/** The workflow that pays for a subject. */
export function ownerOf({ kind, id }: Subject): string {
  return `${KINDS[kind].saga}:${id}`;
}

/** What Stripe shows of a payment in its dashboard. The same for all time: a request that is repeated must say the same. */
export function shownAtStripe(paymentId: string, { kind, id }: Subject) {
  return {
    description: KINDS[kind].description,
    metadata: { paymentId, ...(kind !== 'direct' && { [`${kind}Id`]: id }) },
  };
}

/** Who may see a payment: those between whom it is, and admins. */
export function maySee(payment: { payerId: string; payeeId: string }, user: { id: string; role: string }): boolean {
  return user.role === 'admin' || user.id === payment.payerId || user.id === payment.payeeId;
}

/**
 * What is shown of a payment. A row of the store fits, and is not named here: rules are pure, so they may not see the store,
 * not even its types.
 */
export interface PaymentFacts {
  id: string;
  subjectKind: SubjectKind;
  subjectId: string;
  payerId: string;
  payeeId: string;
  status: PaymentStatus;
  currency: string;
  amount: number;
  captured: number;
  refunded: number;
  refundPending: number;
  disputed: number;
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
    bookingId: bookingIdOf(payment),
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

/** A payment as sagas see it, with its two people. */
export function detailsOf(payment: PaymentFacts): PaymentDetails {
  return { ...stateOf(payment), payerId: payment.payerId, payeeId: payment.payeeId };
}

/** A payment as `viewerId` sees it: the client secret is the payer's alone. `dispute`: its latest. */
export function shownPayment(payment: PaymentFacts, viewerId: string, dispute: PaymentDispute | null): Payment {
  const { currency, declineCode } = payment;
  const { clientSecret } = stateOf(payment);
  return {
    id: payment.id,
    status: payment.status,
    bookingId: bookingIdOf(payment),
    payerId: payment.payerId,
    payeeId: payment.payeeId,
    amount: { amount: payment.amount, currency },
    captured: { amount: payment.captured, currency },
    refunded: { amount: payment.refunded, currency },
    refundPending: { amount: payment.refundPending, currency },
    description: payment.description,
    ...(clientSecret && viewerId === payment.payerId && { clientSecret }),
    ...(declineCode && { declineCode }),
    dispute,
    workflowId: ownerOf(subjectOf(payment)),
    createdAt: payment.createdAt.toISOString(),
  };
}
