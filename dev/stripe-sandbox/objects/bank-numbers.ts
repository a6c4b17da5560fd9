/** Account numbers that say what becomes of a payout. See https://docs.stripe.com/connect/testing#account-numbers */

/** Why a bank sent a payout back, in Stripe's words. See https://docs.stripe.com/api/payouts/failures */
const FAILURES = {
  account_closed: 'The bank account has been closed.',
  account_frozen: 'The bank account has been frozen.',
  bank_account_restricted:
    'The bank account has restrictions on either the type, or the number, of payouts allowed. This normally indicates that the bank account is a savings or other non-checking account.',
  bank_ownership_changed: 'The destination bank account is no longer valid because its branch has changed ownership.',
  could_not_process: 'The bank could not process this payout.',
  debit_not_authorized:
    'Debit transactions are not approved on the bank account. (Stripe requires bank accounts to be set up for both credit and debit payouts.)',
  declined: 'The bank has declined this transfer. Please contact the bank before retrying.',
  incorrect_account_holder_name: 'Your bank notified us that the bank account holder name on file is incorrect.',
  insufficient_funds: 'Your Stripe account has insufficient funds to cover the payout.',
  invalid_account_number: 'The routing number seems correct, but the account number is invalid.',
  invalid_currency:
    'The bank was unable to process this payout because of its currency. This is probably because the bank account cannot accept payments in that currency.',
  no_account:
    'The bank account details on file are probably incorrect. No bank account could be located with those details.',
} as const;

export type FailureCode = keyof typeof FAILURES;

/** All reasons that the sandbox knows. */
export const FAILURE_CODES = Object.keys(FAILURES).filter((code): code is FailureCode => code in FAILURES);

export function failureMessage(code: FailureCode): string {
  return FAILURES[code];
}

/** Of these the account is not to blame: the next payout may arrive. After any other Stripe pays nothing to it any more. */
const PASSING: ReadonlySet<FailureCode> = new Set(['could_not_process', 'declined', 'insufficient_funds']);

export function disablesTheAccount(code: FailureCode): boolean {
  return !PASSING.has(code);
}

/** What becomes of a payout to an account number. */
interface Fate {
  failure?: FailureCode;
  /** It is paid first and sent back later. Stripe says that this happens, and has no number for it: this one is the sandbox's own. */
  afterPaid?: true;
}

/** By the last four digits, which are all that is shown of a number and tell the test numbers apart. */
const FATES: Readonly<Record<string, Fate>> = {
  '1116': { failure: 'no_account' },
  '1113': { failure: 'account_closed' },
  '2227': { failure: 'insufficient_funds' },
  '3335': { failure: 'debit_not_authorized' },
  '4440': { failure: 'invalid_currency' },
  '9990': { failure: 'account_closed', afterPaid: true },
  '3001': { failure: 'no_account' },
  '3002': { failure: 'account_closed' },
  '3003': { failure: 'insufficient_funds' },
  '3004': { failure: 'debit_not_authorized' },
  '3005': { failure: 'invalid_currency' },
  '3099': { failure: 'account_closed', afterPaid: true },
};

export function fateOf(last4: string): Fate {
  return FATES[last4] ?? {};
}

/** Without their leading zeros, of which countries have different numbers: `000123456789`, in Canada `000123456`, in Britain `00012345`. */
const LOCAL_NUMBERS = /^0*(12345(6(789)?)?|1{7,8}[36]|2{7,8}7|3{7,8}5|4{7,8}0|9{7,8}0)$/;
/** For any country of the EU. The test numbers of Stripe's page have wrong check digits too. */
const IBAN = /^[A-Z]{2}\d{2}37040044053201300([0-5])$|^[A-Z]{2}\d{2}370400440532013099$/;

/** A number as it counts: spaces and the case of letters do not. */
export function bareNumber(number: string): string {
  return number.replaceAll(/\s/g, '').toUpperCase();
}

/** In test mode Stripe takes no other numbers. */
export function isTestNumber(bare: string): boolean {
  return LOCAL_NUMBERS.test(bare) || IBAN.test(bare);
}

interface TestBank {
  country: string;
  currency: string;
  account_number: string;
  routing_number: string;
}

const US = { country: 'US', currency: 'usd', routing_number: '110000000' };
const TEST_TOKENS: Readonly<Record<string, TestBank>> = {
  btok_us_verified: { ...US, account_number: '000123456789' },
  btok_us_verified_noAccount: { ...US, account_number: '000111111116' },
  btok_us_verified_accountClosed: { ...US, account_number: '000111111113' },
  btok_us_verified_insufficientFunds: { ...US, account_number: '000222222227' },
  btok_us_verified_debitNotAuthorized: { ...US, account_number: '000333333335' },
  btok_us_verified_invalidCurrency: { ...US, account_number: '000444444440' },
};

/** The bank account behind one of Stripe's test tokens. */
export function bankOfToken(token: string): TestBank | undefined {
  return Object.hasOwn(TEST_TOKENS, token) ? TEST_TOKENS[token] : undefined;
}
