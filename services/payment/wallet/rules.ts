import type { WalletBalance, WalletEntry } from '../contract';

/** What the ledger calls a movement, as its owner reads it. */
export function entryKindOf(kind: string): WalletEntry['kind'] {
  switch (kind) {
    case 'capture':
      return 'earned';
    case 'refund_owed':
    case 'refund': // of before there was an account for what is owed
      return 'refunded';
    case 'refund_reversal':
      return 'returned';
    case 'payout_open':
      return 'paid_out';
    case 'payout_cancel':
      return 'payout_returned';
    case 'dispute_frozen':
    case 'dispute_lost':
      return 'disputed';
    case 'dispute_released':
      return 'dispute_returned';
    default:
      return 'corrected';
  }
}

/** What somebody has of a currency. What they were paid and had to give back afterwards is debt, never a payable amount below zero. */
export function shownBalance(
  currency: WalletBalance['currency'],
  {
    pending,
    payable,
    nextAt,
    ...rest
  }: { pending: number; payable: number; nextAt: Date | null } & Pick<
    WalletBalance,
    'frozen' | 'inPayout' | 'paidOut' | 'minimum'
  >,
): WalletBalance {
  return {
    currency,
    pending,
    payable: Math.max(0, payable),
    debt: Math.max(0, 0 - payable),
    nextPayableAt: nextAt?.toISOString() ?? null,
    ...rest,
  };
}
