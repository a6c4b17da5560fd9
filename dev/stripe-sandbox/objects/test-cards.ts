/** The test cards the sandbox knows and what each does. See https://docs.stripe.com/testing */
import { createHash } from 'node:crypto';

export interface Decline {
  code: string;
  declineCode: string;
  message: string;
}

export interface TestCard {
  brand: string;
  /** Stripe's number for it, which people type. */
  number: string;
  funding: 'credit' | 'debit';
  /** How every charge is declined. */
  declines?: Decline;
  /** Declined cards cannot be attached to a customer either, but for the one made for that. */
  attachable?: true;
  /**
   * When a payment must be authenticated with 3-D Secure: always, always but off session once the card was set up for that, or on
   * session alone, since it counts as set up.
   */
  authenticates?: 'always' | 'unless_set_up' | 'on_session';
  /** What a refund does some time after it was made; others succeed at once and stay so. */
  refunds?: 'fail_later' | 'succeed_later';
  /** Its money can be transferred at once, whatever the settings. */
  bypassesPending?: true;
  /** What its holder says of every charge, some time after the money was taken. See https://docs.stripe.com/testing#disputes */
  disputes?: { reason: 'fraudulent' | 'product_not_received'; inquiry?: true };
}

function declined(declineCode: string, message = 'Your card was declined.', code = 'card_declined'): Decline {
  return { code, declineCode, message };
}

const visa = { brand: 'visa', funding: 'credit' } as const;
const generic = declined('generic_decline');
const noFunds = declined('insufficient_funds', 'Your card has insufficient funds.');
const expired = declined('expired_card', 'Your card has expired.', 'expired_card');
const badCvc = declined('incorrect_cvc', "Your card's security code is incorrect.", 'incorrect_cvc');
const busy = declined(
  'processing_error',
  'An error occurred while processing your card. Try again in a little bit.',
  'processing_error',
);

export const TEST_CARDS = new Map<string, TestCard>([
  ['pm_card_visa', { ...visa, number: '4242424242424242' }],
  ['pm_card_visa_debit', { ...visa, funding: 'debit', number: '4000056655665556' }],
  ['pm_card_mastercard', { brand: 'mastercard', funding: 'credit', number: '5555555555554444' }],
  ['pm_card_amex', { brand: 'amex', funding: 'credit', number: '371449635398431' }],
  ['pm_card_bypassPending', { ...visa, number: '4000000000000077', bypassesPending: true }],
  ['pm_card_visa_chargeDeclined', { ...visa, number: '4000000000000002', declines: generic }],
  ['pm_card_visa_chargeDeclinedInsufficientFunds', { ...visa, number: '4000000000009995', declines: noFunds }],
  ['pm_card_visa_chargeDeclinedLostCard', { ...visa, number: '4000000000009987', declines: declined('lost_card') }],
  ['pm_card_visa_chargeDeclinedStolenCard', { ...visa, number: '4000000000009979', declines: declined('stolen_card') }],
  ['pm_card_chargeDeclinedExpiredCard', { ...visa, number: '4000000000000069', declines: expired }],
  ['pm_card_chargeDeclinedIncorrectCvc', { ...visa, number: '4000000000000127', declines: badCvc }],
  ['pm_card_chargeDeclinedProcessingError', { ...visa, number: '4000000000000119', declines: busy }],
  ['pm_card_chargeCustomerFail', { ...visa, number: '4000000000000341', declines: generic, attachable: true }],
  ['pm_card_threeDSecure2Required', { ...visa, number: '4000000000003220', authenticates: 'always' }],
  ['pm_card_authenticationRequired', { ...visa, number: '4000002760003184', authenticates: 'always' }],
  ['pm_card_authenticationRequiredOnSetup', { ...visa, number: '4000002500003155', authenticates: 'unless_set_up' }],
  [
    'pm_card_authenticationRequiredSetupForOffSession',
    { ...visa, number: '4000003800000446', authenticates: 'on_session' },
  ],
  [
    'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds',
    { ...visa, number: '4000008260003178', authenticates: 'unless_set_up', declines: noFunds, attachable: true },
  ],
  [
    'pm_card_threeDSecureRequiredChargeDeclined',
    { ...visa, number: '4000008400001629', authenticates: 'always', declines: generic },
  ],
  ['pm_card_refundFail', { ...visa, number: '4000000000005126', refunds: 'fail_later' }],
  ['pm_card_pendingRefund', { ...visa, number: '4000000000007726', refunds: 'succeed_later' }],
  ['pm_card_createDispute', { ...visa, number: '4000000000000259', disputes: { reason: 'fraudulent' } }],
  [
    'pm_card_createDisputeProductNotReceived',
    { ...visa, number: '4000000000002685', disputes: { reason: 'product_not_received' } },
  ],
  [
    'pm_card_createDisputeInquiry',
    { ...visa, number: '4000000000001976', disputes: { reason: 'fraudulent', inquiry: true } },
  ],
]);

const byNumber = new Map([...TEST_CARDS].map(([token, card]) => [card.number, { token, card }]));

/** The test card that has a number, digits alone. */
export function cardWithNumber(number: string): { token: string; card: TestCard } | undefined {
  return byNumber.get(number);
}

/** Stripe gives one card number one fingerprint; here it leads back from a payment method or charge to its test card. */
export function fingerprintOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, 16);
}

const byFingerprint = new Map([...TEST_CARDS].map(([token, card]) => [fingerprintOf(token), card]));

/** @throws Error if the fingerprint is none of ours, which no stored object has */
export function cardWith(fingerprint: string | null | undefined): TestCard {
  const card = byFingerprint.get(fingerprint ?? '');
  if (card === undefined) throw new Error(`no test card has the fingerprint ${fingerprint}`);
  return card;
}
