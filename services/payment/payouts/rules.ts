import { digitsOf, leastOf, stepOf } from '../../../kernel/currencies';
import type { Money } from '../../../kernel/money';
import type { PayoutReason, PayoutStatus, PayoutWait } from '../../../kernel/statuses';
import { canGo, type TransitionTable } from '../../../kernel/transitions';
import type { AccountFacts } from '../accounts/rules';
import type { Payout, PayoutState } from '../contract';

/**
 * The life of a payout. A bank can send money back that Stripe had called paid
 * (docs.stripe.com/api/payouts/object#payout_object-status), so that a completed one can fail.
 */
export const PAYOUT_TRANSITIONS: TransitionTable<PayoutStatus> = {
  pending: ['processing', 'completed', 'cancelled', 'failed'],
  processing: ['completed', 'failed', 'cancelled'],
  completed: ['failed'],
  failed: [],
  cancelled: [],
};

/** The state of a payout after the bank said `said`. An older answer can arrive after a newer one, and failed is the last word. */
export function payoutStatusAfter(now: PayoutStatus, said: PayoutStatus): PayoutStatus {
  return canGo(PAYOUT_TRANSITIONS, now, said) ? said : now;
}

/** What is paid out at once at least, in whole units of the currencies in which that is not ten. */
const LEAST: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{ CZK: 250, DKK: 75, HKD: 80, HUF: 4_000, INR: 1_000, MXN: 200, NOK: 100, PHP: 600, PLN: 40, RON: 50 },
    ...{ SEK: 100, THB: 400, TWD: 350, UAH: 500, ZAR: 200 },
    ...{
      CLP: 10_000,
      ISK: 1_500,
      JPY: 1_500,
      KRW: 15_000,
      PYG: 80_000,
      UGX: 40_000,
      VND: 300_000,
      XAF: 6_500,
      XOF: 6_500,
    },
    ...{ BHD: 4, JOD: 7, KWD: 3, OMR: 4 },
  }),
);
const LEAST_OF_OTHERS = 10;

/**
 * What has to be payable in a currency before it is paid out, in minor units: `configured` (PAYOUT_MINIMUMS) or about ten euros, of which a
 * bank's charges leave something; never less than Stripe moves.
 */
export function payoutMinimum(currency: string, configured: ReadonlyMap<string, number>): number {
  const unit = 10 ** digitsOf(currency);
  const least = configured.get(currency) ?? (LEAST.get(currency) ?? LEAST_OF_OTHERS) * unit;
  return Math.max(least, leastOf(currency));
}

/** An amount as Stripe can move it: without what is less than a step of its currency. */
export function wholeSteps(amount: number, currency: string): number {
  const step = stepOf(currency);
  return Math.floor(Math.max(0, amount) / step) * step;
}

/** The workflow that drives a payout. */
export function payoutOwner(payoutId: string): string {
  return `payout:${payoutId}`;
}

/** A bank account of a connected account, as far as we need it. */
export interface BankAccount {
  id: string;
  currency: string;
  /** Where payouts of its currency go. */
  isDefault: boolean;
  isUsable: boolean;
}

/** What is between a payout and its payee's account, as Stripe says now; null: nothing. */
export function waitOf(
  { amount, currency }: Money,
  account: AccountFacts | null,
  banks: readonly BankAccount[],
  available: number,
): PayoutWait | null {
  if (!account?.isPaid) return 'awaiting_onboarding';
  if (!bankFor(currency, banks)?.isUsable) return 'awaiting_bank_account';
  return available < amount ? 'awaiting_funds' : null;
}

/** Where payouts of a currency go. */
export function bankFor(currency: string, banks: readonly BankAccount[]): BankAccount | undefined {
  const ofCurrency = banks.filter((bank) => bank.currency === currency);
  return ofCurrency.find(({ isDefault }) => isDefault) ?? ofCurrency[0];
}

/** What a refused transfer waits for; null: for nothing that its payee or time could bring. */
export function waitAfterRefusal(code: string): PayoutWait | null {
  if (code === 'balance_insufficient') return 'awaiting_funds';
  return WAITS_FOR_THE_ACCOUNT.has(code) ? 'awaiting_onboarding' : null;
}
const WAITS_FOR_THE_ACCOUNT = new Set([
  'insufficient_capabilities_for_transfer',
  'resource_missing',
  'account_invalid',
]);

/** Why Stripe did not send a payout to the bank. Without a code it says that there is no account in the currency. */
export function reasonOfRefusal(code: string): PayoutReason {
  if (code === 'invalid_request_error' || code === 'bank_account_unusable') return 'no_bank_account';
  return code === 'payouts_not_allowed' ? 'not_onboarded' : 'refused_by_stripe';
}

/** Why a payout came to nothing that had waited for this. */
export function reasonAfterWait(reason: PayoutReason | null): PayoutReason | null {
  switch (reason) {
    case 'awaiting_onboarding':
      return 'not_onboarded';
    case 'awaiting_bank_account':
      return 'no_bank_account';
    case 'awaiting_funds':
      return 'no_funds';
    default:
      return reason;
  }
}

const TEXT_OF_STATUS: Record<PayoutStatus, string> = {
  pending: 'It is set aside and will be sent shortly.',
  processing: 'It is on its way to your bank.',
  completed: 'It is at your bank.',
  failed: 'Your bank did not take it.',
  cancelled: 'It was not sent. The money is payable again.',
};
const TEXT_OF_REASON: Record<PayoutReason, string> = {
  awaiting_onboarding: 'It waits until you have told Stripe what it asks of you.',
  awaiting_bank_account: 'It waits until you have given Stripe a bank account for this currency.',
  awaiting_funds: 'It waits until Stripe has made your money available to us.',
  not_onboarded: 'It was not sent, because Stripe still asks something of you. The money is payable again.',
  no_bank_account:
    'It was not sent, because Stripe has no usable bank account of yours for this currency. The money is payable again.',
  no_funds: 'It was not sent, because Stripe did not make the money available in time. The money is payable again.',
  refused_by_stripe: 'Stripe did not send it. The money is payable again.',
  refused_by_bank: 'Your bank did not take it. Give Stripe another bank account, or correct this one.',
  cancelled_by_operator: 'We called it off. The money is payable again.',
};

/** What a payout waits for or came to, as a sentence for its payee. */
export function payoutText({ status, statusReason }: Pick<PayoutFacts, 'status' | 'statusReason'>): string {
  return statusReason === null ? TEXT_OF_STATUS[status] : TEXT_OF_REASON[statusReason];
}

/** Why banks send payouts back (docs.stripe.com/payouts#payout-failures), as far as their payees can help it. */
const FAILURES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    account_closed: 'The bank account has been closed.',
    account_frozen: 'The bank account is frozen.',
    bank_account_restricted: 'The bank account does not take payments of this kind.',
    bank_account_unusable: 'Stripe does not send money to this bank account any more.',
    could_not_process: 'The bank could not process it.',
    debit_not_authorized: 'The bank account does not take payments of this kind.',
    incorrect_account_holder_name: 'The name of the account holder is not the one that the bank knows.',
    incorrect_account_holder_address: 'The address of the account holder is not the one that the bank knows.',
    incorrect_account_holder_tax_id: 'The tax number of the account holder is not the one that the bank knows.',
    invalid_account_number: 'The account number is not right.',
    invalid_currency: 'The bank account does not take this currency.',
    no_account: 'The bank knows no account of this number.',
  }),
);

/** A failure as its payee reads it. */
export function failureText(code: string): string {
  return FAILURES.get(code) ?? 'The bank or Stripe did not say more than this word.';
}

/** What is shown of a payout; a row of the store fits. */
interface PayoutFacts {
  id: string;
  payeeId: string;
  status: PayoutStatus;
  statusReason: PayoutReason | null;
  currency: string;
  amount: number;
  periodFrom: Date | null;
  periodTo: Date;
  transferredAt: Date | null;
  stripePayoutId: string | null;
  expectedAt: Date | null;
  arrivedAt: Date | null;
  failureCode: string | null;
  closedAs: string | null;
  returnedAt: Date | null;
  version: number;
  createdAt: Date;
}

/** A payout as its payee sees it. */
export function shownPayout(payout: PayoutFacts): Payout {
  const { failureCode: code } = payout;
  return {
    id: payout.id,
    status: payout.status,
    statusReason: payout.statusReason,
    statusText: payoutText(payout),
    amount: { amount: payout.amount, currency: payout.currency },
    period: { from: payout.periodFrom?.toISOString() ?? null, to: payout.periodTo.toISOString() },
    expectedAt: payout.expectedAt?.toISOString() ?? null,
    arrivedAt: payout.arrivedAt?.toISOString() ?? null,
    failure: code === null ? null : { code, text: failureText(code) },
    returnedAt: payout.returnedAt?.toISOString() ?? null,
    workflowId: payoutOwner(payout.id),
    createdAt: payout.createdAt.toISOString(),
  };
}

/** A payout as its saga sees it. */
export function payoutStateOf(payout: PayoutFacts): PayoutState {
  return {
    payoutId: payout.id,
    payeeId: payout.payeeId,
    version: payout.version,
    status: payout.status,
    reason: payout.statusReason,
    amount: { amount: payout.amount, currency: payout.currency },
    transferred: payout.transferredAt !== null,
    sent: payout.stripePayoutId !== null,
    arrivedAt: payout.arrivedAt?.toISOString() ?? null,
    expectedAt: payout.expectedAt?.toISOString() ?? null,
    closed: payout.returnedAt !== null || payout.closedAs !== null,
  };
}
