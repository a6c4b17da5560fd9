import { digitsOf } from '../../../kernel/currencies';
import type { WalletEntry } from '../contract';

const COLUMNS = ['at', 'kind', 'currency', 'amount', 'balance_after', 'payment_id', 'booking_id', 'payout_id', 'id'];

/** Movements as a table (RFC 4180). No value of it needs quotes: ids, times, words of ours and numbers. */
export function csvOf(entries: readonly WalletEntry[]): string {
  const rows = entries.map((entry) => [
    ...[entry.at, entry.kind, entry.currency],
    ...[inUnits(entry.amount, entry.currency), inUnits(entry.balanceAfter, entry.currency)],
    ...[entry.paymentId, entry.bookingId, entry.payoutId, entry.id],
  ]);
  return [COLUMNS, ...rows].map((row) => `${row.map((value) => value ?? '').join(',')}\r\n`).join('');
}

/** Minor units in whole ones, with all decimals of the currency: spreadsheets and people add them up. */
function inUnits(amount: number, currency: string): string {
  const digits = digitsOf(currency);
  const text = String(Math.abs(amount)).padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const sign = amount < 0 ? '-' : '';
  return digits === 0 ? `${sign}${whole}` : `${sign}${whole}.${text.slice(-digits)}`;
}
