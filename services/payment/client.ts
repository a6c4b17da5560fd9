import type { ServiceClient } from '../../platform/http-client';
import { type ChargeBooking, type CreateAccount, type CreateRefund, paymentContract as operations } from './contract';

/**
 * How long an operation that talks to Stripe may take: up to three calls of it (the effect, a look-up after a doubtful
 * answer, its consequence), each with a time limit of its own in the service.
 */
const STRIPE_OPERATION_MS = 25_000;

/**
 * The payment service as activities call it. Keys are `<workflowId>/<step>`, those of undos `<workflowId>/<step>/undo`.
 * Every function throws ProblemError: payment_declined, payment_failed, refund_exceeds_payment, undone … are final;
 * rate_limited and upstream_unavailable mean ask again under the same key.
 */
export function createPaymentClient(http: ServiceClient) {
  return {
    createAccount: (idempotencyKey: string, account: CreateAccount) =>
      http.call(operations.createAccount, { idempotencyKey, body: account, timeoutMs: STRIPE_OPERATION_MS }),
    removeAccount: (idempotencyKey: string, userId: string) =>
      http.call(operations.removeAccount, { idempotencyKey, params: { userId }, timeoutMs: STRIPE_OPERATION_MS }),

    chargeBooking: (idempotencyKey: string, bookingId: string, charge: ChargeBooking) =>
      http.call(operations.chargeBooking, {
        idempotencyKey,
        params: { bookingId },
        body: charge,
        timeoutMs: STRIPE_OPERATION_MS,
      }),
    settleBooking: (idempotencyKey: string, bookingId: string) =>
      http.call(operations.settleBooking, { idempotencyKey, params: { bookingId }, timeoutMs: STRIPE_OPERATION_MS }),

    getPayment: (id: string) => http.call(operations.getPaymentState, { params: { id } }),
    chargePayment: (idempotencyKey: string, id: string) =>
      http.call(operations.chargePayment, { idempotencyKey, params: { id }, timeoutMs: STRIPE_OPERATION_MS }),
    capturePayment: (idempotencyKey: string, id: string) =>
      http.call(operations.capturePayment, { idempotencyKey, params: { id }, timeoutMs: STRIPE_OPERATION_MS }),
    refreshPayment: (id: string) =>
      http.call(operations.refreshPayment, { params: { id }, timeoutMs: STRIPE_OPERATION_MS }),
    abandonPayment: (idempotencyKey: string, id: string) =>
      http.call(operations.abandonPayment, { idempotencyKey, params: { id }, timeoutMs: STRIPE_OPERATION_MS }),
    settlePayment: (idempotencyKey: string, id: string) =>
      http.call(operations.settlePayment, { idempotencyKey, params: { id }, timeoutMs: STRIPE_OPERATION_MS }),
    releaseEarnings: (idempotencyKey: string, id: string) =>
      http.call(operations.releaseEarnings, { idempotencyKey, params: { id } }),

    createRefund: (idempotencyKey: string, paymentId: string, refund: CreateRefund) =>
      http.call(operations.createRefund, { idempotencyKey, params: { id: paymentId }, body: refund }),
    getRefund: (id: string) => http.call(operations.getRefundState, { params: { id } }),
    submitRefund: (idempotencyKey: string, id: string) =>
      http.call(operations.submitRefund, { idempotencyKey, params: { id }, timeoutMs: STRIPE_OPERATION_MS }),
    retryRefund: (idempotencyKey: string, id: string, number: number) =>
      http.call(operations.retryRefund, {
        idempotencyKey,
        params: { id },
        body: { number },
        timeoutMs: STRIPE_OPERATION_MS,
      }),
    closeRefund: (idempotencyKey: string, id: string, as: 'succeeded' | 'failed') =>
      http.call(operations.closeRefund, { idempotencyKey, params: { id }, body: { as } }),
    refreshRefund: (id: string) =>
      http.call(operations.refreshRefund, { params: { id }, timeoutMs: STRIPE_OPERATION_MS }),
  };
}

export type PaymentClient = ReturnType<typeof createPaymentClient>;
