import type { PayoutReason } from '../../kernel/statuses';
import type { UndoKey } from '../../kernel/step-key';
import type { ServiceClient } from '../../platform/http-client';
import type { CheckFolds } from '../../platform/schemas';
import {
  type CreateAccount,
  type CreateRefund,
  paymentContract as contract,
  type FindDisputes,
  type GatheredEvidence,
  type IssueReceipt,
  type NewCharge,
  type OpenDebts,
  type OpenWeek,
  type RefundShare,
  type SettleDebt,
  type SettledByHand,
  type SettledStep,
} from './contract';

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
  const timeoutMs = STRIPE_OPERATION_MS;
  const of = <Key extends string>(id: string, idempotencyKey: Key) => ({ params: { id }, idempotencyKey });
  return {
    createAccount: (body: CreateAccount, idempotencyKey: string) =>
      http.call(contract.createAccount, { body, idempotencyKey, timeoutMs }),
    removeAccount: (userId: string, idempotencyKey: UndoKey) =>
      http.call(contract.removeAccount, { params: { userId }, idempotencyKey, timeoutMs }),

    /** Harmless for who has earned nothing yet. */
    freezePayouts: (userId: string, suspensionId: string, idempotencyKey: string) =>
      http.call(contract.freezePayouts, { params: { userId }, body: { suspensionId }, idempotencyKey }),
    thawPayouts: (userId: string, suspensionId: string, idempotencyKey: string) =>
      http.call(contract.thawPayouts, { params: { userId }, body: { suspensionId }, idempotencyKey }),

    chargeBooking: (bookingId: string, body: NewCharge, idempotencyKey: string) =>
      http.call(contract.chargeBooking, { params: { bookingId }, body, idempotencyKey, timeoutMs }),
    settleBooking: (bookingId: string, idempotencyKey: UndoKey) =>
      http.call(contract.settleBooking, { params: { bookingId }, idempotencyKey, timeoutMs }),
    settleBookingByHand: (bookingId: string, body: SettledStep, idempotencyKey: UndoKey) =>
      http.call(contract.settleBookingByHand, { params: { bookingId }, body, idempotencyKey }),

    getPayment: (id: string) => http.call(contract.getPaymentState, { params: { id } }),
    chargePayment: (id: string, key: string) => http.call(contract.chargePayment, { ...of(id, key), timeoutMs }),
    capturePayment: (id: string, key: string) => http.call(contract.capturePayment, { ...of(id, key), timeoutMs }),
    refreshPayment: (id: string) => http.call(contract.refreshPayment, { params: { id }, timeoutMs }),
    abandonPayment: (id: string, key: string) => http.call(contract.abandonPayment, { ...of(id, key), timeoutMs }),
    settlePayment: (id: string, key: UndoKey) => http.call(contract.settlePayment, { ...of(id, key), timeoutMs }),
    settlePaymentByHand: (id: string, body: SettledStep, key: UndoKey) =>
      http.call(contract.settlePaymentByHand, { ...of(id, key), body }),
    /** `notBefore`: ISO; null: payment counts by itself. Without: as a saga of before asked. */
    releaseEarnings: (id: string, notBefore: string | null | undefined, key: string) =>
      http.call(contract.releaseEarnings, {
        ...of(id, key),
        body: notBefore === undefined ? undefined : { notBefore },
      }),
    /** Makes payable what is due. */
    sweepEarnings: () => http.call(contract.sweepEarnings, { timeoutMs }),

    /** Starts refunds that have no saga, and refuses direct payments that never began. @throws ProblemError upstream_unavailable */
    sweepPayments: () => http.call(contract.sweepPayments, { timeoutMs }),

    createRefund: (paymentId: string, body: CreateRefund, key: string) =>
      http.call(contract.createRefund, { ...of(paymentId, key), body }),
    /** @returns what the share came to; null as its refund when nothing is left */
    refundShare: (paymentId: string, body: RefundShare, key: string) =>
      http.call(contract.refundShare, { ...of(paymentId, key), body, timeoutMs }),
    getRefund: (id: string) => http.call(contract.getRefundState, { params: { id } }),
    submitRefund: (id: string, key: string) => http.call(contract.submitRefund, { ...of(id, key), timeoutMs }),
    retryRefund: (id: string, number: number, key: string) =>
      http.call(contract.retryRefund, { ...of(id, key), body: { number }, timeoutMs }),
    closeRefund: (id: string, as: 'succeeded' | 'failed', key: string) =>
      http.call(contract.closeRefund, { ...of(id, key), body: { as } }),
    giveUpRefund: (id: string, body: SettledByHand, key: string) =>
      http.call(contract.giveUpRefund, { ...of(id, key), body, timeoutMs }),
    /** Opens the payouts of a week for a page of payees. */
    openWeeklyPayouts: (body: OpenWeek) => http.call(contract.openWeeklyPayouts, { body, timeoutMs }),
    /** Asks Stripe about payouts that no saga watches any more. */
    sweepPayouts: () => http.call(contract.sweepPayouts, { timeoutMs }),
    /** Payments that are to get a receipt. */
    dueReceipts: () => http.call(contract.dueReceipts, {}),
    issueReceipt: (id: string, body: IssueReceipt) => http.call(contract.issueReceipt, { params: { id }, body }),
    /** Issues the credit notes of refunds that are made. */
    issueCreditNotes: () => http.call(contract.issueCreditNotes, { timeoutMs }),
    getPayoutDetails: (id: string) => http.call(contract.getPayoutDetails, { params: { id } }),
    startPayout: (id: string, key: string) => http.call(contract.startPayout, of(id, key)),
    cancelPayout: (id: string, body: { reason: PayoutReason | null }, key: UndoKey) =>
      http.call(contract.cancelPayout, { ...of(id, key), body }),
    checkPayout: (id: string) => http.call(contract.checkPayout, { params: { id }, timeoutMs }),
    transferPayout: (id: string, key: string) => http.call(contract.transferPayout, { ...of(id, key), timeoutMs }),
    reverseTransfer: (id: string, key: UndoKey) => http.call(contract.reverseTransfer, { ...of(id, key), timeoutMs }),
    sendPayout: (id: string, key: string) => http.call(contract.sendPayout, { ...of(id, key), timeoutMs }),
    refreshPayout: (id: string) => http.call(contract.refreshPayout, { params: { id }, timeoutMs }),
    returnPayout: (id: string, key: string) => http.call(contract.returnPayout, { ...of(id, key), timeoutMs }),
    settlePayoutByHand: (id: string, body: SettledByHand, key: string) =>
      http.call(contract.settlePayoutByHand, { ...of(id, key), body, timeoutMs }),

    /** Opens the debts of a page of payees that an operator is to see. */
    openDebts: (body: OpenDebts) => http.call(contract.openDebts, { body, timeoutMs }),
    lookAtDebt: (payeeId: string, currency: string) =>
      http.call(contract.lookAtDebt, { params: { payeeId, currency } }),
    settleDebt: (payeeId: string, currency: string, body: SettleDebt, key: string) =>
      http.call(contract.settleDebt, { params: { payeeId, currency }, body, idempotencyKey: key }),

    /** Asks Stripe which disputes there are, a page at a time. */
    findDisputes: (body: FindDisputes) => http.call(contract.findDisputes, { body, timeoutMs }),
    lookAtDispute: (id: string) => http.call(contract.lookAtDispute, { params: { id }, timeoutMs }),
    gatherEvidence: (id: string, body: GatheredEvidence, key: string) =>
      http.call(contract.gatherEvidence, { ...of(id, key), body }),
    submitEvidence: (id: string, key: string) => http.call(contract.submitEvidence, { ...of(id, key), timeoutMs }),
    closeDispute: (id: string, version: number, key: string) =>
      http.call(contract.closeDispute, { ...of(id, key), body: { version } }),

    /** Holds random payments, refunds, payouts and movements of money to their events. */
    checkFolds: (body: CheckFolds) => http.call(contract.checkFolds, { body }),

    refreshRefund: (id: string) => http.call(contract.refreshRefund, { params: { id }, timeoutMs }),
  };
}

export type PaymentClient = ReturnType<typeof createPaymentClient>;
