import { digitsOf, leastOf, mostOf, stepOf } from './currencies';

/** An amount in minor units (cents for EUR) of an ISO 4217 currency. Never a float. */
export interface Money {
  amount: number;
  currency: string;
}

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
 * `money × numerator / denominator` in minor units, a multiple of the currency's step, a half rounded up (away from zero for the
 * positive amounts used here). Integers throughout: BigInt keeps products above 2^53 exact.
 * @throws RangeError when one of them is no integer, or the denominator is 0
 */
export function scaleHalfUp(money: Money, numerator: number, denominator: number): number {
  return inSteps(money, numerator, denominator, (product, unit) => (product * 2n + unit) / (unit * 2n));
}

/**
 * `money × numerator / denominator` of positive amounts in minor units, a multiple of the currency's step, any fraction rounded up, so
 * that a refund never falls short of its share. @throws RangeError when one of them is no integer, or the denominator is 0
 */
export function scaleUp(money: Money, numerator: number, denominator: number): number {
  return inSteps(money, numerator, denominator, (product, unit) => (product + unit - 1n) / unit);
}

function inSteps(
  { amount, currency }: Money,
  numerator: number,
  denominator: number,
  round: (product: bigint, unit: bigint) => bigint,
): number {
  const step = BigInt(stepOf(currency));
  return Number(round(BigInt(amount) * BigInt(numerator), BigInt(denominator) * step) * step);
}

/** An amount in whole units, `-12.30`, with all decimals of the currency: spreadsheets and people add them up. */
export function inUnits({ amount, currency }: Money): string {
  const digits = digitsOf(currency);
  const text = String(Math.abs(amount)).padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const sign = amount < 0 ? '-' : '';
  return digits === 0 ? `${sign}${whole}` : `${sign}${whole}.${text.slice(-digits)}`;
}

/**
 * Why an amount cannot be charged, by the field of it that is wrong; undefined where nothing speaks against it. `settling` are the
 * currencies that our account at Stripe settles in (SETTLEMENT_CURRENCIES).
 */
export function chargeFault(
  { amount, currency }: Money,
  settling: readonly string[],
): { field: keyof Money; message: string } | undefined {
  if (!settling.includes(currency)) return { field: 'currency', message: `must be one of ${settling.join(', ')}` };
  const [step, least, most] = [stepOf(currency), leastOf(currency), mostOf(currency)];
  if (amount % step !== 0) return { field: 'amount', message: `must be a multiple of ${step} minor units` };
  if (amount < least) return { field: 'amount', message: `must be at least ${least} minor units` };
  if (amount > most) return { field: 'amount', message: `must be at most ${most} minor units` };
  return undefined;
}

function sameCurrency(a: Money, b: Money): void {
  if (a.currency !== b.currency) throw new RangeError(`cannot combine ${a.currency} with ${b.currency}`);
}
