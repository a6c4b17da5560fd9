import { SETTLEMENTS } from './saga-type';

// What the ledger and those who are told of it name alike.

/** What a movement of money is. */
export const MOVEMENT_KINDS = [
  'capture',
  'stripe_fee',
  'refund_owed',
  'refund',
  'refund_reversal',
  // What an operator has given up is posted by the name that they gave it.
  ...SETTLEMENTS,
  'release',
  'stray_capture',
  'stray_refund',
  'payout_open',
  'payout_cancel',
  'transfer',
  'transfer_reversal',
  'dispute_withdrawn',
  'dispute_reinstated',
  'dispute_frozen',
  'dispute_released',
  'dispute_lost',
] as const;
export type MovementKind = (typeof MOVEMENT_KINDS)[number];

/** Accounts of which there is one. */
const PLATFORM_ACCOUNTS = [
  'stripe_balance',
  'platform_revenue',
  'stripe_fees',
  'disputed',
  'dispute_losses',
  'dispute_fees',
] as const;
/** Accounts of which each payee, payment or payout has one: `tutor_payable:<id>`. */
const OWNED_ACCOUNTS = ['tutor_pending', 'tutor_payable', 'tutor_frozen', 'payer_owed', 'payout_in_transit'] as const;
/** What an account is, whoever has it. */
export const ACCOUNT_KINDS = [...PLATFORM_ACCOUNTS, ...OWNED_ACCOUNTS] as const;
export type AccountKind = (typeof ACCOUNT_KINDS)[number];
