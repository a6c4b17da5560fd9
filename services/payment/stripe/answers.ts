import type { ProblemError } from '../../../kernel/errors';
import type { Money } from '../../../kernel/money';
import type { Subject } from '../../../kernel/payment-subject';
import type { DisputeStatus } from '../../../kernel/statuses';

/** What passes through the door to Stripe (`door/`), in our words. */

/** A line of Stripe's own books: what entered or left the balance, and what Stripe kept of it. */
export interface Movement {
  id: string;
  fee: number;
  currency: string;
}

/** A PaymentIntent, as far as we need it. */
export interface Intent {
  id: string;
  /** Ours, from the metadata. */
  paymentId: string | null;
  /** As in docs.stripe.com/payments/paymentintents/lifecycle. */
  status: string;
  /** Minor units that were taken. */
  received: number;
  currency: string;
  clientSecret: string | null;
  captureBefore: Date | null;
  declineCode: string | null;
  /** The charge's line in Stripe's books; null until Stripe has written it. */
  movement: Movement | null;
  /** From when on its money can be paid out, as that line says (docs.stripe.com/payouts#payout-speed). */
  availableOn: Date | null;
}

/** A card that a customer keeps at Stripe, as far as it is shown. */
export interface SavedCard {
  /** `pm_…`. */
  id: string;
  brand: string;
  last4: string;
  expMonth: number;
  expYear: number;
  createdAt: Date;
}

/** A refund, as far as we need it. */
export interface StripeRefund {
  id: string;
  /** Ours, from the metadata; null for one made in Stripe's dashboard. */
  refundId: string | null;
  status: 'pending' | 'succeeded' | 'failed';
  amount: number;
  failureCode: string | null;
  /** The money leaving; null for a release of an authorisation, where none ever moved. */
  movement: Movement | null;
  /** The money coming back after a failure; known to lists only. */
  reversal: Movement | null;
}

/** What an intent is made from. */
export interface IntentParams {
  paymentId: string;
  subject: Subject;
  amount: Money;
  paymentMethodId: string;
  customerId: string | null;
  capture: 'manual' | 'automatic';
}

/**
 * What a request that has an effect came to.
 * - `declined`, `refused`: Stripe's last word under this key, and nothing was taken
 * - `rejected`: the same, because the request was invalid: a fault of ours, logged already
 * - `key_used`: the key stands for another request, which has been answered
 * - `not_executed`: Stripe did not look at it; the same request under the same key is right
 * - `in_use`: the same request is being executed right now
 * - `doubtful`: it may have taken effect. `final`: Stripe would only repeat this answer under this key; `replayed`: it has
 *   just done so, hence the key is taken for certain
 */
export type Answer<T> =
  | { kind: 'ok'; value: T }
  | { kind: 'declined'; code: string; intent: Intent | null }
  | { kind: 'refused'; code: string }
  | { kind: 'rejected'; code: string }
  | { kind: 'key_used' }
  | { kind: 'in_use' }
  | { kind: 'not_executed'; problem: ProblemError }
  | { kind: 'doubtful'; final: boolean; replayed: boolean };

/** An event as it concerns us; what is true is asked of Stripe afterwards, whatever the event says. */
export interface StripeEvent {
  id: string;
  type: string;
  createdAt: Date;
  /** Set for events of connected accounts. */
  account: string | null;
  objectId: string | null;
  intentId: string | null;
}

/** A payout of a connected account to its bank, as far as we need it. */
export interface StripePayout {
  id: string;
  status: 'processing' | 'completed' | 'failed';
  /** `ba_…`. */
  bankAccount: string | null;
  expectedAt: Date;
  failureCode: string | null;
}

/** A dispute, as far as we need it. */
export interface StripeDispute {
  /** `du_…`. */
  id: string;
  intentId: string | null;
  status: DisputeStatus;
  reason: string;
  amount: number;
  currency: string;
  /** Until when the bank takes evidence; null where it takes none. */
  respondBy: Date | null;
  openedAt: Date;
  /** What the bank took, below zero, and what it gave back. */
  movements: DisputeMovement[];
}

/** A line of Stripe's books about a dispute. */
export type DisputeMovement = Movement & { amount: number };

/** What is said against a dispute, by the names that Stripe has for it (docs.stripe.com/api/disputes/evidence_object). */
export type StripeEvidence = Partial<
  Record<
    | 'access_activity_log'
    | 'cancellation_policy_disclosure'
    | 'product_description'
    | 'service_date'
    | 'uncategorized_text',
    string
  >
>;
