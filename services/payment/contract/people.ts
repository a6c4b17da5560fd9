import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, Money, PageQuery, PaymentMethodId, pageOf, text, Uuid } from '../../../platform/schemas';
import { cardOperations } from './cards';
import { disputeOperations, PaymentDispute } from './disputes';
import { ChargeAmount, PaymentStatus, RefundAmount, RefundStatus } from './money';
import { payoutAccountOperations } from './payout-account';
import { payoutOperations } from './payouts';
import { receiptOperations } from './receipts';
import { walletOperations } from './wallet';
import { webhookLogOperations } from './webhook-log';

// What people are promised. Stripe, which tells of changes, is promised its webhook.

/** A payment as people see it. */
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
    refundPending: Money.meta({
      description: 'Promised and not yet through, a failed refund that is still owed too; not part of `refunded`',
    }),
    description: z.string().nullable(),
    clientSecret: z.string().optional().meta({ description: 'To finish 3-D Secure with; shown to the payer alone' }),
    declineCode: z.string().optional(),
    dispute: PaymentDispute.nullable().default(null).meta({ description: 'The latest dispute of it' }),
    workflowId: z.string(),
    createdAt: InstantOut,
  })
  .meta({ id: 'Payment' });
export type Payment = z.output<typeof Payment>;

/** A refund as people see it. */
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
export type Refund = z.output<typeof Refund>;

const RefundList = z.object({ items: z.array(Refund), nextCursor: z.string().nullable() });

const CreatePayment = z.strictObject({
  payeeId: Uuid,
  amount: ChargeAmount,
  paymentMethodId: PaymentMethodId,
  description: text(1, 500),
});
export type CreatePayment = z.output<typeof CreatePayment>;

const RequestRefund = z.strictObject({
  amount: RefundAmount.optional().meta({ description: 'Left out: all that is left' }),
  reason: text(1, 500),
});
export type RequestRefund = z.output<typeof RequestRefund>;

const PaymentsQuery = PageQuery.extend({
  role: z.enum(['payer', 'payee']).optional().meta({ description: 'As what you meet them; left out: both' }),
  bookingId: Uuid.optional(),
});

/** The public operations. */
export const peopleOperations = {
  ...cardOperations,
  ...walletOperations,
  ...payoutAccountOperations,
  ...payoutOperations,
  ...disputeOperations,
  ...receiptOperations,
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
    errors: ['payment_declined', 'payment_expired', 'request_expired', 'payment_rejected'],
  }),
  listPayments: endpoint({
    method: 'get',
    path: '/api/payments',
    operationId: 'listPayments',
    summary: 'Payments by you and to you, the newest first; all, for administrators who name no role',
    access: 'user',
    query: PaymentsQuery,
    replies: { 200: pageOf(Payment).meta({ id: 'PaymentPage' }) },
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
    description: 'For the payee, at most twenty times, and for admins.',
    access: 'user',
    idempotency: 'required',
    params: IdParams,
    body: RequestRefund,
    replies: { 201: Refund },
    errors: [
      'forbidden',
      'invalid_state',
      'payment_disputed',
      'refund_exceeds_payment',
      'refund_failed',
      'too_many_refunds',
    ],
  }),
  stripeWebhook: endpoint({
    method: 'post',
    path: '/api/stripe/webhooks',
    operationId: 'stripeWebhook',
    summary: 'Where Stripe tells of changes',
    description:
      'Signed by Stripe (`Stripe-Signature`), events of connected accounts with a secret of their own. Answers 200 once the event has been acted on.',
    access: 'signed',
    reaches: ['stripe'],
    replies: { 200: z.object({ received: z.literal(true) }) },
    errors: ['invalid_signature', 'malformed_body', 'payload_too_large', 'unsupported_media_type'],
  }),
  ...webhookLogOperations,
} as const;
