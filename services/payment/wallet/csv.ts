import { inUnits } from '../../../kernel/money';
import type { WalletEntry } from '../contract';

const COLUMNS = [
  ...['at', 'kind', 'currency', 'amount', 'balance_after'],
  ...['payment_id', 'booking_id', 'payout_id', 'dispute_id', 'id'],
];

/** Movements as a table (RFC 4180). No value of it needs quotes: ids, times, words of ours and numbers. */
export function csvOf(entries: readonly WalletEntry[]): string {
  const rows = entries.map((entry) => [
    ...[entry.at, entry.kind, entry.currency],
    ...[inUnits(entry), inUnits({ ...entry, amount: entry.balanceAfter })],
    ...[entry.paymentId, entry.bookingId, entry.payoutId, entry.disputeId, entry.id],
  ]);
  return [COLUMNS, ...rows].map((row) => `${row.map((value) => value ?? '').join(',')}\r\n`).join('');
}
