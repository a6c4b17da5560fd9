import { digitsOf, isChargeable } from '../kernel/currencies';

const NAME = /^PAYOUT_MINIMUM_(?<currency>[A-Z]{3})$/;
const AMOUNT = /^(?<whole>\d{1,8})(?:\.(?<part>\d+))?$/;

/** Whether a setting says what is paid out at least in a currency. */
export function isPayoutMinimum(name: string): boolean {
  return NAME.test(name);
}

/** What is paid out at least, in minor units, by currency. What is wrong is added to `problems`, in sentences for a person. */
export function readPayoutMinimums(
  settings: Readonly<Record<string, string | undefined>>,
  problems: string[],
): ReadonlyMap<string, number> {
  const minimums = new Map<string, number>();
  for (const [name, value] of Object.entries(settings)) {
    const currency = NAME.exec(name)?.groups?.currency;
    if (currency === undefined || value === undefined || value === '') continue;
    if (!isChargeable(currency)) {
      problems.push(`${name} names a currency that Stripe does not charge in`);
      continue;
    }
    const digits = digitsOf(currency);
    const { whole = '', part = '' } = AMOUNT.exec(value)?.groups ?? {};
    const least = Number(whole + part.padEnd(digits, '0'));
    if (whole === '' || part.length > digits || least === 0)
      problems.push(`${name} must be an amount above zero with at most ${digits} decimals, such as 10`);
    else minimums.set(currency, least);
  }
  return minimums;
}
