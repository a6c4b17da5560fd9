// The states that several contexts, their databases and their sagas name alike. A new one is added here; the compiler then
// asks for it in every table that must know it. What may follow what is the business of each context's rules.

/** A booking's whole life. */
export const BOOKING_STATUSES = ['pending', 'confirmed', 'completed', 'cancelled', 'refunded'] as const;
export type BookingStatus = (typeof BOOKING_STATUSES)[number];

/** What a pending booking waits for. */
export const WAIT_REASONS = ['awaiting_payment', 'awaiting_tutor'] as const;
/** Why a booking came to nothing, or was cancelled. */
export const CANCEL_REASONS = [
  'payment_declined',
  'payment_expired',
  'slot_unavailable',
  'declined',
  'tutor_expired',
  'cancelled_by_student',
  'cancelled_by_tutor',
  'cancelled_by_operator',
  'platform_unavailable',
] as const;
export type CancelReason = (typeof CANCEL_REASONS)[number];
/** Those of them that nobody decided: no person cancelled, declined or did not answer a request. */
export const FAILURE_REASONS = [
  'payment_declined',
  'payment_expired',
  'slot_unavailable',
  'platform_unavailable',
] as const satisfies readonly CancelReason[];
export type FailureReason = (typeof FAILURE_REASONS)[number];
/** By what a booking was completed. */
export const COMPLETION_REASONS = ['completed_by_tutor', 'completed_by_time'] as const;

/** Why a booking is in its status, or what a pending one waits for. */
export const STATUS_REASONS = [...WAIT_REASONS, ...CANCEL_REASONS, ...COMPLETION_REASONS] as const;
export type StatusReason = (typeof STATUS_REASONS)[number];

/** The life of a payment. `failed`: declined, or refused by a fault of ours; `voided`: given up before any money was taken. */
export const PAYMENT_STATUSES = [
  'pending',
  'requires_action',
  'authorized',
  'captured',
  'partially_refunded',
  'refunded',
  'voided',
  'failed',
] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

/** Whether a payment is only authorised at first. */
export const CAPTURES = ['manual', 'automatic'] as const;
/** Why a payment has failed that no bank declined. */
export const PAYMENT_REFUSALS = ['request_expired', 'payment_rejected'] as const;

export const REFUND_STATUSES = ['pending', 'succeeded', 'failed'] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];
/** Who caused a refund: a person or saga asked, a settlement to zero, or somebody in Stripe's own dashboard. */
export const REFUND_ORIGINS = ['request', 'settlement', 'stripe'] as const;
/** The states of a refund that somebody can have seen to. */
export const REFUND_ENDS = ['succeeded', 'failed'] as const satisfies readonly RefundStatus[];

/** A payout from its opening to the bank. `failed`: its bank refused it, or sent it back days after it was paid. */
export const PAYOUT_STATUSES = ['pending', 'processing', 'completed', 'failed', 'cancelled'] as const;
export type PayoutStatus = (typeof PAYOUT_STATUSES)[number];
/** Who asked for a payout: the payee, or the week's Schedule. */
export const PAYOUT_ORIGINS = ['request', 'schedule'] as const;

/** What a pending payout waits for. */
export const PAYOUT_WAITS = ['awaiting_onboarding', 'awaiting_bank_account', 'awaiting_funds'] as const;
export type PayoutWait = (typeof PAYOUT_WAITS)[number];
/** Why a payout is in its status, or what it waits for. */
export const PAYOUT_REASONS = [
  ...PAYOUT_WAITS,
  // The wait was over, and the money is payable again.
  'not_onboarded',
  'no_bank_account',
  'no_funds',
  // Stripe refused the transfer or the payout; the bank refused the money, or sent it back.
  'refused_by_stripe',
  'refused_by_bank',
  'cancelled_by_operator',
] as const;
export type PayoutReason = (typeof PAYOUT_REASONS)[number];

/** What a payee is below zero by: an operator's, paid by what was earned since, or settled by hand. */
export const DEBT_STATUSES = ['open', 'recovered', 'settled'] as const;
export type DebtStatus = (typeof DEBT_STATUSES)[number];

/**
 * What a bank says of a payment that its card's holder disputes, in Stripe's words (docs.stripe.com/disputes/how-disputes-work). An inquiry,
 * `warning_…`, only asks; every other has taken the money until it is decided.
 */
export const DISPUTE_STATUSES = [
  'warning_needs_response',
  'warning_under_review',
  'warning_closed',
  'needs_response',
  'under_review',
  'won',
  'lost',
  'prevented',
] as const;
export type DisputeStatus = (typeof DISPUTE_STATUSES)[number];

/** Whether a bank only asks: no money has moved. */
export function isInquiry(status: DisputeStatus): boolean {
  return status === 'warning_needs_response' || status === 'warning_under_review';
}
