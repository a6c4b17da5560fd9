import { z } from 'zod';
import { PAYMENT_STATUSES, REFUND_STATUSES } from '../../../kernel/statuses';
import { endpoint } from '../../../platform/endpoint';
import { Currency, IdParams, InstantOut, Money, text, Uuid } from '../../../platform/schemas';

/**
 * What the payment service promises. Money only ever moves by these operations; each that calls Stripe is safe to repeat
 * under its key, whatever crashed the time before.
 */

export const PaymentStatus = z
  .enum(PAYMENT_STATUSES)
  .meta({ id: 'PaymentStatus', description: '`failed`: declined. `voided`: given up before any money was taken' });

export const RefundStatus = z.enum(REFUND_STATUSES).meta({ id: 'RefundStatus' });

/** Stripe refuses most charges below 0.50 of the larger currencies; no price of the platform is that low. */
const ChargeAmount = z
  .strictObject({ amount: Money.shape.amount.min(50), currency: Currency })
  .meta({ id: 'ChargeAmount', description: 'Integer minor units, at least 50, of an ISO 4217 currency' });

const RefundAmount = z
  .strictObject({ amount: Money.shape.amount.min(1), currency: Currency })
  .meta({ id: 'RefundAmount', description: 'Integer minor units, at least 1, of an ISO 4217 currency' });

/** The token of a card, made by the client with Stripe's own library: no card number ever reaches the platform. */
const PaymentMethodId = z
  .string()
  .regex(/^pm_[A-Za-z0-9_]{1,200}$/, 'must be the id of a Stripe payment method (pm_…)');

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
    /** Stripe's decline code, or the code of its refusal. */
    declineCode: z.string().nullable(),
  })
  .meta({ id: 'PaymentState' });
export type PaymentState = z.infer<typeof PaymentState>;

/** With the two people, for activities that write to them. */
export const PaymentDetails = PaymentState.extend({ payerId: Uuid, payeeId: Uuid }).meta({ id: 'PaymentDetails' });
export type PaymentDetails = z.infer<typeof PaymentDetails>;

export const RefundState = z
  .object({
    refundId: Uuid,
    paymentId: Uuid,
    bookingId: Uuid.nullable(),
    status: RefundStatus,
    /** How often it was made at Stripe: a failed refund is made again as a new one there. */
    tries: z.int().min(1),
    amount: Money,
    payment: PaymentState,
  })
  .meta({ id: 'RefundState' });
export type RefundState = z.infer<typeof RefundState>;

/** What moved from the tutor's pending to their payable earnings; zero when a refund took all of it. */
export const EarningsReleased = z.object({ paymentId: Uuid, released: Money }).meta({ id: 'EarningsReleased' });
export type EarningsReleased = z.infer<typeof EarningsReleased>;

export const Payment = z
  .object({
    id: Uuid,
    status: PaymentStatus,
    bookingId: Uuid.nullable(),
    payerId: Uuid,
    payeeId: Uuid,
    amount: Money,
    captured: Money,
    refunded: Money,
    refundPending: Money.meta({ description: 'Asked for and not yet through; not part of `refunded`' }),
    description: z.string().nullable(),
    clientSecret: z.string().optional().meta({ description: 'To finish 3-D Secure with; shown to the payer alone' }),
    declineCode: z.string().optional(),
    workflowId: z.string(),
    createdAt: InstantOut,
  })
  .meta({ id: 'Payment' });
export type Payment = z.infer<typeof Payment>;

export const Refund = z
  .object({
    id: Uuid,
    paymentId: Uuid,
    status: RefundStatus,
    amount: Money,
    reason: z.string(),
    workflowId: z.string(),
    createdAt: InstantOut,
  })
  .meta({ id: 'Refund' });
export type Refund = z.infer<typeof Refund>;

const RefundList = z.object({ items: z.array(Refund), nextCursor: z.string().nullable() });

const BookingParams = z.strictObject({ bookingId: Uuid });
const UserParams = z.strictObject({ userId: Uuid });

const ChargeBooking = z.strictObject({
  payerId: Uuid,
  payeeId: Uuid,
  amount: ChargeAmount,
  paymentMethodId: PaymentMethodId,
  /** `manual` only reserves the amount on the card until it is captured; `automatic` takes it at once. */
  capture: z.enum(['manual', 'automatic']),
});
export type ChargeBooking = z.infer<typeof ChargeBooking>;

const CreateAccount = z.strictObject({
  userId: Uuid,
  role: z.enum(['student', 'tutor']),
  email: z.email().max(320),
  name: text(1, 200),
});
export type CreateAccount = z.infer<typeof CreateAccount>;

const CreateRefund = z.strictObject({
  amount: z.union([RefundAmount, z.null()]).meta({ description: 'null: all that is left' }),
  reason: text(1, 500),
  requestedBy: Uuid.nullable(),
});
export type CreateRefund = z.infer<typeof CreateRefund>;

const RetryRefund = z.strictObject({ number: z.int().min(2) });
const CloseRefund = z.strictObject({ as: z.enum(['succeeded', 'failed']) });

const CreatePayment = z.strictObject({
  payeeId: Uuid,
  amount: ChargeAmount,
  paymentMethodId: PaymentMethodId,
  description: text(1, 500),
});
export type CreatePayment = z.infer<typeof CreatePayment>;

const RequestRefund = z.strictObject({
  amount: RefundAmount.optional().meta({ description: 'Left out: all that is left' }),
  reason: text(1, 500),
});
export type RequestRefund = z.infer<typeof RequestRefund>;

export const paymentContract = {
  // ── public ──────────────────────────────────────────────────────────────────────────────────────────────────────
  createPayment: endpoint({
    method: 'post',
    path: '/api/payments',
    operationId: 'createPayment',
    summary: 'Pay a person directly',
    description:
      '201 once the money is taken. 202 with `clientSecret` when the bank wants 3-D Secure, or without when it takes longer than ten seconds.',
    access: 'user',
    idempotency: 'required',
    body: CreatePayment,
    replies: { 201: Payment, 202: Payment },
    errors: ['payment_declined', 'payment_expired'],
  }),
  getPayment: endpoint({
    method: 'get',
    path: '/api/payments/{id}',
    operationId: 'getPayment',
    summary: 'A payment of yours',
    access: 'user',
    params: IdParams,
    replies: { 200: Payment },
  }),
  listRefunds: endpoint({
    method: 'get',
    path: '/api/payments/{id}/refunds',
    operationId: 'listRefunds',
    summary: 'The refunds of a payment, the newest first',
    access: 'user',
    params: IdParams,
    replies: { 200: RefundList },
  }),
  requestRefund: endpoint({
    method: 'post',
    path: '/api/payments/{id}/refund',
    operationId: 'requestRefund',
    summary: 'Give a payment back, wholly or in part',
    description: 'For the payee and for admins.',
    access: 'user',
    idempotency: 'required',
    params: IdParams,
    body: RequestRefund,
    replies: { 201: Refund },
    errors: ['forbidden', 'invalid_state', 'refund_exceeds_payment', 'refund_failed'],
  }),
  stripeWebhook: endpoint({
    method: 'post',
    path: '/api/stripe/webhooks',
    operationId: 'stripeWebhook',
    summary: 'Where Stripe tells of changes',
    description: 'Signed by Stripe (`Stripe-Signature`). Answers 200 once the event has been acted on.',
    access: 'signed',
    replies: { 200: z.object({ received: z.literal(true) }) },
    errors: ['invalid_signature', 'malformed_body', 'payload_too_large', 'unsupported_media_type'],
  }),

  // ── internal: accounts at Stripe ────────────────────────────────────────────────────────────────────────────────
  createAccount: endpoint({
    method: 'post',
    path: '/internal/accounts',
    operationId: 'createAccount',
    summary: 'A Stripe customer for a student, a connected account for a tutor',
    access: 'service',
    idempotency: 'required',
    body: CreateAccount,
    replies: { 201: z.object({ userId: Uuid }) },
    errors: ['undone', 'conflict'],
  }),
  removeAccount: endpoint({
    method: 'post',
    path: '/internal/accounts/{userId}/remove',
    operationId: 'removeAccount',
    summary: 'Undo of createAccount',
    access: 'service',
    idempotency: 'required',
    params: UserParams,
    replies: { 200: z.object({ userId: Uuid }) },
  }),

  // ── internal: the payment of a booking ──────────────────────────────────────────────────────────────────────────
  chargeBooking: endpoint({
    method: 'post',
    path: '/internal/bookings/{bookingId}/payment',
    operationId: 'chargeBooking',
    summary: "Authorise or take a booking's money; one payment per booking",
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    body: ChargeBooking,
    replies: { 200: PaymentState },
    errors: ['payment_declined', 'undone', 'conflict'],
  }),
  settleBooking: endpoint({
    method: 'post',
    path: '/internal/bookings/{bookingId}/payment/settle',
    operationId: 'settleBooking',
    summary: 'Undo of every money step of a booking: void, refund or nothing, whatever Stripe says is true',
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    description: 'What Stripe has not refunded at once is pursued by a refund saga.',
    replies: { 200: z.object({ payment: z.union([PaymentState, z.null()]) }) },
    errors: ['refund_failed'],
  }),

  // ── internal: any payment ───────────────────────────────────────────────────────────────────────────────────────
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
    idempotency: 'required',
    params: IdParams,
    replies: { 200: PaymentState },
    errors: ['payment_declined', 'undone'],
  }),
  capturePayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/capture',
    operationId: 'capturePayment',
    summary: 'Take the money that was authorised',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: PaymentState },
    errors: ['payment_failed', 'invalid_state', 'undone'],
  }),
  refreshPayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/refresh',
    operationId: 'refreshPayment',
    summary: 'Ask Stripe for the truth and record it',
    access: 'service',
    params: IdParams,
    replies: { 200: PaymentState },
  }),
  abandonPayment: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/abandon',
    operationId: 'abandonPayment',
    summary: 'The payment timer fired: void it, unless it was authorised or paid meanwhile',
    access: 'service',
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
    idempotency: 'required',
    params: IdParams,
    replies: { 200: z.object({ payment: z.union([PaymentState, z.null()]) }) },
    errors: ['refund_failed'],
  }),
  releaseEarnings: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/earnings/release',
    operationId: 'releaseEarnings',
    summary: "Move what is left of a payment from the tutor's pending to their payable earnings, once",
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    replies: { 200: EarningsReleased },
    errors: ['invalid_state'],
  }),

  // ── internal: refunds ───────────────────────────────────────────────────────────────────────────────────────────
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
  refreshRefund: endpoint({
    method: 'post',
    path: '/internal/refunds/{id}/refresh',
    operationId: 'refreshRefund',
    summary: 'Ask Stripe what became of a refund and record it',
    access: 'service',
    params: IdParams,
    replies: { 200: RefundState },
  }),
} as const;
