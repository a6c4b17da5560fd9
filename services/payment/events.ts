import { z } from 'zod';
import { ACCOUNT_KINDS, MOVEMENT_KINDS } from '../../kernel/ledger';
import { SUBJECT_KINDS } from '../../kernel/payment-subject';
import { SETTLEMENTS } from '../../kernel/saga-type';
import {
  CAPTURES,
  DEBT_STATUSES,
  DISPUTE_STATUSES,
  PAYMENT_REFUSALS,
  PAYMENT_STATUSES,
  PAYOUT_ORIGINS,
  PAYOUT_REASONS,
  PAYOUT_STATUSES,
  REFUND_ENDS,
  REFUND_ORIGINS,
  REFUND_STATUSES,
} from '../../kernel/statuses';
import { Amount, At, Code, Currency, event, type Happened, Id, ParticipantIds } from '../../platform/event-schema';

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

/** What else a payment, refund or payout is, with each of its events. Events of before do not say it. */
const PaymentState = z.strictObject({
  subjectKind: z.enum(SUBJECT_KINDS),
  subjectId: Id.describe('What is paid for; of a direct payment its own id'),
  capture: z.enum(CAPTURES),
  fee: Amount.describe("The platform's share of the amount"),
  refundPending: Amount.describe('Promised to the payer and not yet through'),
  disputed: Amount.describe('What banks have taken of it for disputes that are not decided'),
  chargedBack: Amount.describe('What its payer has got back by disputes that were lost'),
  captureBefore: At.nullable().describe('Until when the bank promises the money'),
  declineCode: Code.nullable(),
  refusal: z.enum(PAYMENT_REFUSALS).nullable().describe('Why it has failed that no bank declined'),
  settledAt: At.nullable().describe('Since when no money is taken for it any more'),
  earningsDueAt: At.nullable().describe("When the payee's share can become payable at the earliest"),
});
const RefundState = z.strictObject({
  origin: z.enum(REFUND_ORIGINS),
  requestedBy: Id.nullable().describe('The payee or an administrator; null: no person'),
  tries: z.int(),
  closedAs: z.enum(REFUND_ENDS).nullable().describe('The state that somebody has seen to'),
});
const PayoutState = z.strictObject({
  origin: z.enum(PAYOUT_ORIGINS),
  periodFrom: At.nullable(),
  periodTo: At,
  transferredAt: At.nullable(),
  reversedAt: At.nullable(),
  expectedAt: At.nullable(),
  arrivedAt: At.nullable(),
  stoppedAt: At.nullable(),
  returnedAt: At.nullable(),
  closedAs: z.enum(SETTLEMENTS).nullable(),
  version: z.int().describe('A higher one is newer'),
});

const paymentAtAll = { ...paid, status: z.enum(PAYMENT_STATUSES), amount: Amount };
const ofPayment = { ...paymentAtAll, state: PaymentState.optional() };

const refundAtAll = {
  ...paid,
  refundId: Id,
  status: z.enum(REFUND_STATUSES),
  amount: Amount.describe('What is given back'),
  paymentStatus: z.enum(PAYMENT_STATUSES),
  paymentAmount: Amount,
  failureCode: Code.optional().describe('Why Stripe refused it or the bank sent it back'),
};
const ofRefund = { ...refundAtAll, state: RefundState.optional() };

const ofPromise = { refundId: Id, paymentId: Id, participantIds: payerAndPayee };

const payoutAtAll = {
  payoutId: Id,
  payeeId: Id,
  participantIds: justPayee,
  status: z.enum(PAYOUT_STATUSES),
  statusReason: z.enum(PAYOUT_REASONS).nullable(),
  amount: Amount,
  failureCode: Code.optional().describe('Why Stripe or the bank refused it'),
};
const ofPayout = { ...payoutAtAll, state: PayoutState.optional() };

const ofDebt = {
  debtId: Id,
  payeeId: Id,
  participantIds: justPayee,
  status: z.enum(DEBT_STATUSES),
  amount: Amount.describe('What it was when this happened'),
  since: At.describe('When the payee came below zero'),
  closedAs: z.enum(SETTLEMENTS).optional().describe('How an operator settled it'),
};

const belongs = Id.nullable().describe('What it belongs to, which is one of these');

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

  PaymentChanged: event('Something of a payment is different of which no other event tells.', ofPayment),
  PaymentBaseline: event('What a payment is like at this moment, whatever its earlier events say.', {
    ...paymentAtAll,
    state: PaymentState,
    releasedAt: At.nullable(),
    createdAt: At,
  }),

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

  RefundChanged: event('Something of a refund is different of which no other event tells.', ofRefund),
  RefundBaseline: event('What a refund is like at this moment, whatever its earlier events say.', {
    ...refundAtAll,
    state: RefundState,
    createdAt: At,
  }),

  PayoutInitiated: event("A payee's earnings are to be paid out.", ofPayout),
  PayoutTransferred: event("The money is on its way to the payee's bank.", ofPayout),
  PayoutCompleted: event('The bank has the money.', ofPayout),
  PayoutFailed: event('The bank refused the money or sent it back, or Stripe refused it.', ofPayout),
  PayoutCancelled: event('The payout was called off before the money left.', ofPayout),

  PayoutChanged: event('Something of a payout is different of which no other event tells.', ofPayout),
  PayoutBaseline: event('What a payout is like at this moment, whatever its earlier events say.', {
    ...payoutAtAll,
    state: PayoutState,
    createdAt: At,
  }),

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

  LedgerTransactionPosted: event('Money has moved from account to account.', {
    transactionId: Id,
    paymentId: belongs,
    payoutId: belongs,
    disputeId: belongs,
    debtId: belongs,
    kind: z.enum(MOVEMENT_KINDS),
    currency: Currency,
    postedAt: At,
    entries: z
      .array(
        z.strictObject({
          account: z.enum(ACCOUNT_KINDS),
          ownerId: Id.nullable().describe(
            'The payee, payment or payout whose account it is; null: the platform has one',
          ),
          amount: z.int().describe('In minor units; positive: a debit, negative: a credit'),
        }),
      )
      .min(1)
      .describe('They come to zero'),
    participantIds: ParticipantIds.describe('Payer and payee, or the payee, of what it belongs to'),
  }),
};

/** An event of payment's that has happened. */
export type PaymentEvent = Happened<typeof paymentEvents>;
