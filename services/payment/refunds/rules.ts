import { stepOf } from '../../../kernel/currencies';
import type { FieldError } from '../../../kernel/errors';
import { type Money, scaleUp } from '../../../kernel/money';
import type { RefundStatus } from '../../../kernel/statuses';
import { canGo, type TransitionTable } from '../../../kernel/transitions';
import { bookingIdOf, type PaymentFacts, stateOf } from '../charges/rules';
import type { Refund, RefundState } from '../contract';

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

/** The failure code of a refund whose place another one has taken, such as one made in Stripe's dashboard: nobody is owed it any more. */
export const REFUNDED_OTHERWISE = 'refunded_otherwise';

/**
 * Whether the payer is still to get a refund: it is under way, or has failed and nobody has given it up. `isOwed` of the store says the
 * same of rows.
 */
export function isPromised(refund: {
  status: RefundStatus;
  closedAs: string | null;
  failureCode: string | null;
}): boolean {
  if (refund.status !== 'failed') return refund.status === 'pending';
  return refund.closedAs !== 'failed' && refund.failureCode !== REFUNDED_OTHERWISE;
}

/** What of a payment was taken and what came back of it, in minor units. `chargedBack`: by its payer's bank. */
interface Returned {
  captured: number;
  refunded: number;
  refundPending: number;
  chargedBack: number;
}

/** What can still be refunded: what is promised counts as if it had succeeded. */
export function refundable({ captured, refunded, refundPending, chargedBack }: Returned): number {
  return Math.max(0, captured - refunded - refundPending - chargedBack);
}

/** What a settlement to zero has yet to refund. Its refunds that an operator has given up, `givenUp`, are not made a second time. */
export function toSettle(payment: Returned, givenUp: readonly { amount: number }[]): number {
  return Math.max(0, refundable(payment) - givenUp.reduce((sum, { amount }) => sum + amount, 0));
}

/**
 * The amount of a new refund: what was asked for, or all that is left.
 * @returns the refusal instead, when there is nothing to refund or too little, or the field that is wrong: another currency, or an amount
 * that Stripe does not take
 */
export function refundAmount(
  payment: Returned & { currency: string },
  asked: Money | null,
): number | 'invalid_state' | 'refund_exceeds_payment' | FieldError {
  if (payment.captured === 0) return 'invalid_state';
  const { currency } = payment;
  if (asked && asked.currency !== currency)
    return { path: 'amount.currency', message: `must be ${currency}, the currency of the payment` };
  const left = refundable(payment);
  const amount = asked?.amount ?? left;
  const step = stepOf(currency);
  if (amount !== left && amount % step !== 0)
    return { path: 'amount.amount', message: `must be a multiple of ${step} minor units` };
  return amount === 0 || amount > left ? 'refund_exceeds_payment' : amount;
}

/** What a share of what is left of a payment comes to, in its minor units: rounded up, so that it never falls short (decision 8). */
export function shareOf(payment: Returned & { currency: string }, percent: number): number {
  const left = refundable(payment);
  // What a hand in Stripe's dashboard has left may be no multiple of the currency's step.
  return Math.min(left, scaleUp({ amount: left, currency: payment.currency }, percent, 100));
}

/** Who may give a payment back: the one who received it, and admins. */
export function mayRefund(payment: { payeeId: string }, user: { id: string; role: string }): boolean {
  return user.role === 'admin' || user.id === payment.payeeId;
}

/**
 * So many refunds of one payment its payee may ask for: each sends a mail to the payer and costs a request to Stripe. An admin may give
 * back what is left after that.
 */
export const MOST_REFUNDS = 20;

/** What is shown of a refund; as with `PaymentFacts`, a row of the store fits. */
interface RefundFacts {
  id: string;
  paymentId: string;
  status: RefundStatus;
  currency: string;
  amount: number;
  reason: string;
  tries: number;
  toldTry: number | null;
  closedAs: 'succeeded' | 'failed' | null;
  failureCode: string | null;
  createdAt: Date;
}

/** A refund as sagas see it. */
export function refundStateOf(refund: RefundFacts, payment: PaymentFacts): RefundState {
  return {
    refundId: refund.id,
    paymentId: refund.paymentId,
    bookingId: bookingIdOf(payment),
    status: refund.status,
    tries: refund.tries,
    owed: isPromised(refund),
    returned: refund.status === 'failed' && refund.toldTry === refund.tries,
    disputed: payment.disputed > 0,
    amount: { amount: refund.amount, currency: refund.currency },
    payment: stateOf(payment),
  };
}

/** The workflow that drives a refund. */
export function refundOwner(refundId: string): string {
  return `refund:${refundId}`;
}

/** A refund as people see it. */
export function shownRefund(refund: RefundFacts): Refund {
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
