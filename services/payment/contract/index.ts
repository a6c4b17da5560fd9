import { actsOperation } from '../../../platform/audit';
import { peopleOperations } from './people';
import { sagaOperations } from './saga';

export type { DebtState, DebtsOpened, OpenDebts, SettleDebt } from './debts';
export type { DisputeState, DisputesFound, FindDisputes, GatheredEvidence } from './dispute-steps';
export type { Dispute, PaymentDispute } from './disputes';
export type { EarningsReleased, EarningsSwept } from './earnings';
export { EXPIRED_PAGE, ONBOARDED_PAGE, type PayoutAccount } from './payout-account';
export type { OpenWeek, PayoutDetails, PayoutState, PayoutsSwept, WeekOpened } from './payout-steps';
export { type InitiatePayout, Payout } from './payouts';
export { type CreatePayment, Payment, Refund, type RequestRefund } from './people';
export type { IssueReceipt, NamedPerson } from './receipts';
export {
  type CreateAccount,
  type CreateRefund,
  type NewCharge,
  PaymentDetails,
  PaymentState,
  RefundedShare,
  type RefundShare,
  RefundState,
  type SettledStep,
} from './saga';

export type { SettledByHand } from './settled';
export type { EntriesQuery, WalletBalance, WalletEntry } from './wallet';
export type { StripeWebhook } from './webhook-log';

/**
 * What the payment service promises. Money only ever moves by these operations; each that calls Stripe is safe to repeat
 * under its key, whatever crashed the time before.
 */
export const paymentContract = {
  ...peopleOperations,
  listActs: actsOperation('/api/payment-acts', 'listPaymentActs'),
  ...sagaOperations,
};
