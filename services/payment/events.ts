import { z } from 'zod';
import { SETTLEMENTS } from '../../kernel/saga-type';
import {
  DEBT_STATUSES,
  DISPUTE_STATUSES,
  PAYMENT_STATUSES,
  PAYOUT_REASONS,
  PAYOUT_STATUSES,
  REFUND_STATUSES,
} from '../../kernel/statuses';
import { Amount, At, Code, event, Id, ParticipantIds } from '../../platform/event-schema';

// What payment tells others. Money is named by our ids alone: what a thing is called at Stripe, and what people wrote, is asked of payment.

const payerAndPayee = ParticipantIds.describe('Payer and payee');
const justPayee = ParticipantIds.describe('The payee');

const bookingId = Id.nullable().describe('The booking that is paid for; null: something else');

const ofBoth = { payerId: Id, payeeId: Id, participantIds: payerAndPayee };

const paid = {
  paymentId: Id,
  bookingId,
  ...ofBoth,
  paymentVersion: z.int().describe('A higher one is newer'),
  captured: Amount,
  refunded: Amount,
};

const ofPayment = { ...paid, status: z.enum(PAYMENT_STATUSES), amount: Amount };

const ofRefund = {
  ...paid,
  refundId: Id,
  status: z.enum(REFUND_STATUSES),
  amount: Amount.describe('What is given back'),
  paymentStatus: z.enum(PAYMENT_STATUSES),
  paymentAmount: Amount,
  failureCode: Code.optional().describe('Why Stripe refused it or the bank sent it back'),
};

const ofPromise = { refundId: Id, paymentId: Id, participantIds: payerAndPayee };

const ofPayout = {
  payoutId: Id,
  payeeId: Id,
  participantIds: justPayee,
  status: z.enum(PAYOUT_STATUSES),
  statusReason: z.enum(PAYOUT_REASONS).nullable(),
  amount: Amount,
  failureCode: Code.optional().describe('Why Stripe or the bank refused it'),
};

const ofDebt = {
  debtId: Id,
  payeeId: Id,
  participantIds: justPayee,
  status: z.enum(DEBT_STATUSES),
  amount: Amount.describe('What it was when this happened'),
  since: At.describe('When the payee came below zero'),
  closedAs: z.enum(SETTLEMENTS).optional().describe('How an operator settled it'),
};

const ofDispute = {
  disputeId: Id,
  paymentId: Id,
  bookingId,
  ...ofBoth,
  status: z.enum(DISPUTE_STATUSES),
  reason: Code.describe("The category of the card holder's claim, in Stripe's word"),
  amount: Amount.describe('What is claimed'),
  withdrawn: Amount.describe('What the bank has taken, less what it has given back'),
};

const ofAccount = {
  userId: Id,
  participantIds: ParticipantIds.describe('The user'),
  role: z
    .enum(['student', 'tutor'])
    .nullable()
    .describe('A student is a customer at Stripe, a tutor a connected account'),
};

export const paymentEvents = {
  PaymentRequested: event('Somebody is to pay somebody.', ofPayment),
  PaymentActionRequired: event("The payer's bank wants to hear from the payer.", ofPayment),
  PaymentAuthorized: event('The bank has promised the money.', ofPayment),
  PaymentSucceeded: event('The money was taken.', ofPayment),
  PaymentFailed: event('No money was taken: the bank declined, or the request was at fault.', {
    ...ofPayment,
    declineCode: Code.nullable().optional().describe("The bank's reason; null where no bank declined"),
  }),
  PaymentVoided: event('The payment was given up before money was taken.', ofPayment),

  EarningsReleased: event("The payee's share of a payment can be paid out.", {
    paymentId: Id,
    bookingId,
    payeeId: Id,
    participantIds: justPayee,
    released: Amount,
  }),

  RefundRequested: event('Money is to be given back.', ofRefund),
  RefundProcessed: event('Money was given back.', ofRefund),
  RefundFailed: event('Money could not be given back, or came back from the bank.', ofRefund),
  RefundCovered: event('The payer has got a part or all of a promised refund by other means.', {
    ...ofPromise,
    covered: Amount,
  }),
  RefundSettledByHand: event('An operator, whom it does not concern, has settled a refund.', {
    ...ofPromise,
    as: z.enum(SETTLEMENTS),
  }),

  PayoutInitiated: event("A payee's earnings are to be paid out.", ofPayout),
  PayoutTransferred: event("The money is on its way to the payee's bank.", ofPayout),
  PayoutCompleted: event('The bank has the money.', ofPayout),
  PayoutFailed: event('The bank refused the money or sent it back, or Stripe refused it.', ofPayout),
  PayoutCancelled: event('The payout was called off before the money left.', ofPayout),

  DebtOpened: event('A payee is below zero so far or so long that an operator sees to it.', ofDebt),
  DebtRecovered: event('What was earned since has paid a debt.', ofDebt),
  DebtSettled: event('An operator, whom it does not concern, has settled a debt.', ofDebt),

  DisputeOpened: event('The holder of a card wants a payment back from their bank, or asks about it.', ofDispute),
  DisputeEscalated: event('The bank has taken the money of a payment about which it had asked.', ofDispute),
  DisputeStated: event('The payee has said something against a dispute.', {
    disputeId: Id,
    paymentId: Id,
    participantIds: payerAndPayee,
  }),
  DisputeSubmitted: event('What speaks against a dispute is with the bank.', ofDispute),
  DisputeWon: event('The bank leaves the payee the money.', ofDispute),
  DisputeLost: event('The bank gives the payer the money.', ofDispute),
  DisputeClosed: event('A dispute is over, and the bank has decided nothing.', ofDispute),

  StripeAccountOpened: event('A user has an account at Stripe.', ofAccount),
  StripeAccountRemoved: event('A user has no account at Stripe any more.', ofAccount),
};
