import { z } from 'zod';
import { Email } from '../../../platform/email';
import { endpoint } from '../../../platform/endpoint';
import { foldOperations } from '../../../platform/fold-operations';
import { KnownName } from '../../../platform/names';
import { IdParams, InstantOut, Money, PaymentMethodId, Swept, text, Uuid } from '../../../platform/schemas';
import { debtOperations } from './debts';
import { disputeStepOperations } from './dispute-steps';
import { earningsOperations } from './earnings';
import { ChargeAmount, PaymentStatus, RefundAmount, RefundStatus } from './money';
import { payoutStepOperations } from './payout-steps';
import { receiptStepOperations } from './receipts';
import { SettledByHand } from './settled';

// What the sagas are promised.

/** A payment as sagas see it: ids, states and money. A reader that holds a higher `version` ignores this one. */
export const PaymentState = z
  .object({
    paymentId: Uuid,
    bookingId: Uuid.nullable(),
    version: z.int().min(1),
    status: PaymentStatus,
    amount: Money,
    captured: Money,
    refunded: Money,
    /** For the payer's client to finish 3-D Secure with; only while `requires_action`. Never log it. */
    clientSecret: z.string().nullable(),
    /** Until when an authorisation can be captured; the bank lets it lapse then. */
    captureBefore: InstantOut.nullable(),
    /** Stripe's decline code, or the code with which it refused the card. */
    declineCode: z.string().nullable(),
  })
  .meta({ id: 'PaymentState' });
export type PaymentState = z.output<typeof PaymentState>;

/** A payment with its two people, for activities that write to them. */
export const PaymentDetails = PaymentState.extend({ payerId: Uuid, payeeId: Uuid }).meta({ id: 'PaymentDetails' });
export type PaymentDetails = z.output<typeof PaymentDetails>;

/** A refund as sagas see it, with its payment. */
export const RefundState = z
  .object({
    refundId: Uuid,
    paymentId: Uuid,
    bookingId: Uuid.nullable(),
    status: RefundStatus,
    /** How often it was made at Stripe: a failed refund is made again as a new one there. */
    tries: z.int().min(1),
    /** Whether the payer is still to get it; left out by replies of before, each of which was a new refund's. */
    owed: z.boolean().default(true),
    /** It failed after its payer had been told that it was made. */
    returned: z.boolean().default(false),
    /** The bank has the money of its payment, and it waits for what the bank decides. */
    disputed: z.boolean().default(false),
    amount: Money,
    payment: PaymentState,
  })
  .meta({ id: 'RefundState' });
export type RefundState = z.output<typeof RefundState>;

/**
 * What a share of a payment came to: its refund, null when there is nothing to give back, and what the payee and the platform keep. The
 * payer is owed `amount` from then on, whatever becomes of the refund.
 */
export const RefundedShare = z
  .object({ refundId: Uuid.nullable(), amount: Money, retained: Money })
  .meta({ id: 'RefundedShare' });
export type RefundedShare = z.output<typeof RefundedShare>;

const BookingParams = z.strictObject({ bookingId: Uuid });
const UserParams = z.strictObject({ userId: Uuid });

const NewCharge = z.strictObject({
  payerId: Uuid,
  payeeId: Uuid,
  amount: ChargeAmount,
  paymentMethodId: PaymentMethodId,
  /** `manual` only reserves the amount on the card until it is captured; `automatic` takes it at once. */
  capture: z.enum(['manual', 'automatic']),
});
export type NewCharge = z.output<typeof NewCharge>;

const CreateAccount = z.strictObject({
  userId: Uuid,
  /** By what it is removed, where its user has another account already; left out: by the user's id. */
  accountId: Uuid.optional(),
  role: z.enum(['student', 'tutor']),
  email: Email,
  name: KnownName,
});
export type CreateAccount = z.output<typeof CreateAccount>;

const CreateRefund = z.strictObject({
  amount: z.union([RefundAmount, z.null()]).meta({ description: 'null: all that is left' }),
  reason: text(1, 500),
  requestedBy: Uuid.nullable(),
});
export type CreateRefund = z.output<typeof CreateRefund>;

const RefundShare = z.strictObject({
  percent: z.int().min(0).max(100),
  reason: text(1, 500),
  requestedBy: Uuid.nullable(),
});
export type RefundShare = z.output<typeof RefundShare>;

const RetryRefund = z.strictObject({ number: z.int().min(2) });
const CloseRefund = z.strictObject({ as: z.enum(['succeeded', 'failed']) });

/** `percent`: of the payment the share that the step was to give back. Where the step has not recorded it, it was settled all the same. */
const SettledStep = SettledByHand.extend({ percent: z.int().min(0).max(100).optional() });
export type SettledStep = z.output<typeof SettledStep>;

/** The internal operations: accounts at Stripe, the payment of a booking, any payment, refunds, earnings, payouts, receipts. */
export const sagaOperations = {
  ...earningsOperations,
  ...payoutStepOperations,
  ...debtOperations,
  ...disputeStepOperations,
  ...foldOperations('Payment'),
  ...receiptStepOperations,
  createAccount: endpoint({
    method: 'post',
    path: '/internal/accounts',
    operationId: 'createAccount',
    summary: 'A Stripe customer for a student, a connected account for a tutor',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    // Name and address are looked up for it, and may be others when the step is repeated.
    fingerprint: ['userId', 'role', 'accountId'],
    body: CreateAccount,
    replies: { 201: z.object({ userId: Uuid }) },
    errors: ['undone', 'conflict'],
  }),
  removeAccount: endpoint({
    method: 'post',
    path: '/internal/accounts/{userId}/remove',
    operationId: 'removeAccount',
    summary: 'Undo of createAccount, by the id that the account was made under',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'undo',
    params: UserParams,
    replies: { 200: z.object({ userId: Uuid }) },
  }),

  chargeBooking: endpoint({
    method: 'post',
    path: '/internal/bookings/{bookingId}/payment',
    operationId: 'chargeBooking',
    summary: "Authorise or take a booking's money; one payment per booking",
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: BookingParams,
    body: NewCharge,
    replies: { 200: PaymentState },
    errors: ['payment_declined', 'payment_rejected', 'undone', 'conflict'],
  }),
  settleBooking: endpoint({
    method: 'post',
    path: '/internal/bookings/{bookingId}/payment/settle',
    operationId: 'settleBooking',
    summary: 'Undo of every money step of a booking: void, refund or nothing, whatever Stripe says is true',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'undo',
    params: BookingParams,
    description: 'What Stripe has not refunded at once is pursued by a refund saga.',
    replies: { 200: z.object({ payment: z.union([PaymentState, z.null()]) }) },
    errors: ['refund_failed'],
  }),
  settleBookingByHand: endpoint({
    method: 'post',
    path: '/internal/bookings/{bookingId}/payment/settle-by-hand',
    operationId: 'settleBookingByHand',
    summary: 'An operator has settled what the saga could not: its refunds that Stripe has not got are given up',
    description: 'The key is `<workflowId>/<step>/undo`: a step of that key that arrives late is refused.',
    access: 'service',
    idempotency: 'undo',
    params: BookingParams,
    body: SettledStep,
    replies: { 204: null },
  }),

  getPaymentState: endpoint({
    method: 'get',
    path: '/internal/payments/{id}',
    operationId: 'getPaymentState',
    summary: 'A payment as it is recorded here',
    access: 'service',
    params: IdParams,
    replies: { 200: PaymentDetails },
  }),
  chargePayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/charge',
    operationId: 'chargePayment',
    summary: 'Take the money of a direct payment',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: IdParams,
    replies: { 200: PaymentState },
    errors: ['payment_declined', 'payment_rejected', 'undone'],
  }),
  capturePayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/capture',
    operationId: 'capturePayment',
    summary: 'Take the money that was authorised',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: IdParams,
    replies: { 200: PaymentState },
    errors: ['payment_failed', 'payment_rejected', 'invalid_state', 'undone'],
  }),
  refreshPayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/refresh',
    operationId: 'refreshPayment',
    summary: 'Ask Stripe for the truth and record it',
    access: 'service',
    reaches: ['stripe'],
    params: IdParams,
    replies: { 200: PaymentState },
  }),
  abandonPayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/abandon',
    operationId: 'abandonPayment',
    summary: 'The payment timer fired: void it, unless it was authorised or paid meanwhile',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: IdParams,
    replies: { 200: PaymentState },
  }),
  settlePayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/settle',
    operationId: 'settlePayment',
    summary: 'Undo of every money step of a direct payment',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'undo',
    params: IdParams,
    replies: { 200: z.object({ payment: z.union([PaymentState, z.null()]) }) },
    errors: ['refund_failed'],
  }),
  settlePaymentByHand: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/settle-by-hand',
    operationId: 'settlePaymentByHand',
    summary: 'As settleBookingByHand, for a direct payment',
    access: 'service',
    idempotency: 'undo',
    params: IdParams,
    body: SettledStep,
    replies: { 204: null },
  }),

  sweepPayments: endpoint({
    method: 'post',
    path: '/internal/payments/sweep',
    operationId: 'sweepPayments',
    summary: 'Start the sagas of refunds that have none; refuse direct payments that never began and were given up',
    access: 'service',
    replies: { 200: Swept },
  }),

  createRefund: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/refunds',
    operationId: 'createRefund',
    summary: 'Record a refund and reserve its amount; nothing is asked of Stripe yet',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    body: CreateRefund,
    replies: { 201: RefundState },
    errors: ['refund_exceeds_payment', 'invalid_state'],
  }),
  refundShare: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/refund-share',
    operationId: 'refundShare',
    summary: 'Record the refund of a share of what is left of a payment; nothing left is a fine answer',
    description:
      'Stripe is asked first what was refunded there. The amount is decided here, rounded up to the minor unit.',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: IdParams,
    body: RefundShare,
    replies: { 200: RefundedShare },
  }),
  getRefundState: endpoint({
    method: 'get',
    path: '/internal/refunds/{id}',
    operationId: 'getRefundState',
    summary: 'A refund as it is recorded here',
    access: 'service',
    params: IdParams,
    replies: { 200: RefundState },
  }),
  submitRefund: endpoint({
    method: 'post',
    path: '/internal/refunds/{id}/submit',
    operationId: 'submitRefund',
    summary: 'Hand a refund to Stripe; a refusal is a refund with status failed',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: IdParams,
    replies: { 200: RefundState },
  }),
  retryRefund: endpoint({
    method: 'post',
    path: '/internal/refunds/{id}/retry',
    operationId: 'retryRefund',
    summary: 'Make a failed refund again, as a new one at Stripe',
    description:
      '`number` is the try that is asked for, one above `tries`; repeating it makes no further one. Stripe is asked first what was refunded meanwhile.',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: IdParams,
    body: RetryRefund,
    replies: { 200: RefundState },
    errors: ['refund_exceeds_payment'],
  }),
  closeRefund: endpoint({
    method: 'post',
    path: '/internal/refunds/{id}/close',
    operationId: 'closeRefund',
    summary: 'Note that a refund’s end has been seen to; left out when it has changed meanwhile',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    body: CloseRefund,
    replies: { 200: RefundState },
  }),
  giveUpRefund: endpoint({
    method: 'post',
    path: '/internal/refunds/{id}/give-up',
    operationId: 'giveUpRefund',
    summary: 'An operator has settled a refund by hand: what was reserved for it is free again',
    description: 'One that Stripe turns out to have made, or is making, stays as Stripe says.',
    access: 'service',
    reaches: ['stripe'],
    idempotency: 'required',
    params: IdParams,
    body: SettledByHand,
    replies: { 200: RefundState },
  }),
  refreshRefund: endpoint({
    method: 'post',
    path: '/internal/refunds/{id}/refresh',
    operationId: 'refreshRefund',
    summary: 'Ask Stripe what became of a refund and record it',
    access: 'service',
    reaches: ['stripe'],
    params: IdParams,
    replies: { 200: RefundState },
  }),
} as const;
