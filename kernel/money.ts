/** An amount in minor units (cents for EUR) of an ISO 4217 currency. Never a float. */
export interface Money {
  amount: number;
  currency: string;
}

/** The largest amount of one price, charge or refund, in minor units: Stripe's eight digits (docs.stripe.com/currencies). */
export const MOST_MINOR_UNITS = 99_999_999;

/** Adds two amounts of one currency. @throws RangeError when the currencies differ. */
export function add(a: Money, b: Money): Money {
  sameCurrency(a, b);
  return { amount: a.amount + b.amount, currency: a.currency };
}

/** `a − b`, of one currency. @throws RangeError when the currencies differ. */
export function subtract(a: Money, b: Money): Money {
  sameCurrency(a, b);
  return { amount: a.amount - b.amount, currency: a.currency };
}

/**
 * `amount × numerator / denominator`, a half rounded up (away from zero for the positive amounts used here).
 * Integers throughout: BigInt keeps products above 2^53 exact.
 * @throws RangeError when one of them is no integer, or the denominator is 0
 */
export function scaleHalfUp(amount: number, numerator: number, denominator: number): number {
  const product = BigInt(amount) * BigInt(numerator) * 2n + BigInt(denominator);
  return Number(product / (BigInt(denominator) * 2n));
}

/**
 * `amount × numerator / denominator` of positive amounts, any fraction rounded up, so that a refund never falls short of
 * its share. @throws RangeError when one of them is no integer, or the denominator is 0
 */
export function scaleUp(amount: number, numerator: number, denominator: number): number {
  return Number((BigInt(amount) * BigInt(numerator) + BigInt(denominator) - 1n) / BigInt(denominator));
}

function sameCurrency(a: Money, b: Money): void {
  if (a.currency !== b.currency) throw new RangeError(`cannot combine ${a.currency} with ${b.currency}`);
}
