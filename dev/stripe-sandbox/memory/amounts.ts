import { stripeEntry } from '../../../kernel/currencies';
import { badParameter } from './errors';

// How Stripe counts amounts: a few currencies otherwise than ISO 4217 does. See https://docs.stripe.com/currencies

/** How amounts of a currency, in lower case as in objects, are counted. */
export function countingOf(code: string) {
  return stripeEntry(code.toUpperCase()) ?? { digits: 2, step: 1, least: 1 };
}

/**
 * Refuses an amount with a part that the currency does not have: of a króna or a shilling of Uganda, and the last of three digits.
 * @throws StripeProblem (400, not stored under an idempotency key)
 */
export function requireWholeSteps(amount: number, code: string): void {
  const { step } = countingOf(code);
  if (amount % step === 0) return;
  throw badParameter(`Invalid amount: amounts in ${code} must be evenly divisible by ${step}.`, 'amount');
}

/** A major-unit rendering such as `€12.50`, as Stripe writes amounts into its messages. */
export function money(amount: number, currency: string): string {
  const { digits } = countingOf(currency);
  const shown = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat('en', { style: 'currency', currency, ...shown }).format(amount / 10 ** digits);
}
