import { leastOf, mostOf } from '../../../kernel/currencies';
import type { FieldError } from '../../../kernel/errors';
import { chargeFault, type Money, scaleHalfUp } from '../../../kernel/money';
import { SHORTEST_MINUTES } from '../../../kernel/session';
import type { PricingBody, PricingOption } from '../contract';
import { refuse } from './fields';

/**
 * The price of a session: the hourly price × minutes / 60, a half rounded up to the currency's step. The first hourly option
 * counts, unless `optionId` chooses another.
 * @throws ProblemError validation_failed when there is no such hourly option, or a session at it costs too little or too much
 */
export function sessionPrice(options: PricingOption[], minutes: number, optionId?: string): Money {
  const hourly = options.find(({ kind, id }) => kind === 'hourly' && (optionId === undefined || id === optionId));
  if (!hourly) refuse([{ path: 'pricingOptionId', message: 'is not one of the hourly options of the tutor' }]);
  const price = priceOf(hourly.price, minutes);
  const [least, most] = [leastOf(price.currency), mostOf(price.currency)];
  if (price.amount < least || price.amount > most)
    refuse([{ path: 'durationMinutes', message: `makes a price that is not ${least} to ${most} minor units` }]);
  return price;
}

function priceOf(hourly: Money, minutes: number): Money {
  return { amount: scaleHalfUp(hourly, minutes, 60), currency: hourly.currency };
}

/**
 * Why students cannot be charged an option, by the field of its price that is wrong: it can be no charge of Stripe, or the shortest session
 * at it would cost too little. `settling` are the currencies of SETTLEMENT_CURRENCIES.
 */
export function priceFault(
  { kind, price }: Pick<PricingOption, 'kind' | 'price'>,
  settling: readonly string[],
): ReturnType<typeof chargeFault> {
  const fault = chargeFault(price, settling);
  if (fault || kind !== 'hourly' || !chargeFault(priceOf(price, SHORTEST_MINUTES), settling)) return fault;
  const least = leastOf(price.currency);
  return {
    field: 'amount',
    message: `is too low: ${SHORTEST_MINUTES} minutes must cost at least ${least} minor units`,
  };
}

/** Rules that judge otherwise than those of before have the next number, so that stored prices are judged anew. */
const RULES = 1;

/** The name of the rules under which prices are judged: it is another for other currencies. */
export function rulesUnder(settling: readonly string[]): string {
  return `${RULES}:${settling.toSorted().join()}`;
}

/** The lowest hourly price, by which a tutor is found. */
export function lowestHourly(options: readonly Pick<PricingOption, 'kind' | 'price'>[]): number | null {
  const amounts = options.filter(({ kind }) => kind === 'hourly').map(({ price }) => price.amount);
  return amounts.length === 0 ? null : Math.min(...amounts);
}

/** The wanted options with ids: one that was there before keeps its own, so that a chosen option stays valid. */
export function withIds(wanted: PricingBody['options'], before: PricingOption[], newId: () => string): PricingOption[] {
  const ids = new Map(before.map((option) => [contentOf(option), option.id]));
  return wanted.map((option) => ({ id: ids.get(contentOf(option)) ?? newId(), ...option }));
}

function contentOf(option: PricingBody['options'][number] | PricingOption): string {
  const sessions = 'sessions' in option ? option.sessions : undefined;
  return JSON.stringify([option.kind, option.price.amount, option.price.currency, sessions, option.label]);
}

/** Prices that cannot be charged, prices in several currencies, and options that are the same. */
export function pricingErrors({ options }: PricingBody, settling: readonly string[]): FieldError[] {
  const currency = options[0]?.price.currency;
  const seen = new Set<string>();
  return options.flatMap((option, index) => {
    if (option.price.currency !== currency)
      return [{ path: `options.${index}.price.currency`, message: 'must be that of the first option' }];
    const fault = priceFault(option, settling);
    if (fault) return [{ path: `options.${index}.price.${fault.field}`, message: fault.message }];
    const content = contentOf(option);
    if (seen.has(content)) return [{ path: `options.${index}`, message: 'is listed twice' }];
    seen.add(content);
    return [];
  });
}
