import type { FieldError } from '../../../kernel/errors';
import { MOST_MINOR_UNITS, type Money, scaleHalfUp } from '../../../kernel/money';
import { LEAST_PRICE } from '../../../kernel/session';
import type { PricingBody, PricingOption } from '../contract';
import { refuse } from './fields';

/**
 * The price of a session: the hourly price × minutes / 60, a half rounded up to the minor unit. The first hourly option
 * counts, unless `optionId` chooses another.
 * @throws ProblemError validation_failed when there is no such hourly option, or a session at it costs too little or too much
 */
export function sessionPrice(options: PricingOption[], minutes: number, optionId?: string): Money {
  const hourly = options.find(({ kind, id }) => kind === 'hourly' && (optionId === undefined || id === optionId));
  if (!hourly) refuse([{ path: 'pricingOptionId', message: 'is not one of the hourly options of the tutor' }]);
  const amount = scaleHalfUp(hourly.price.amount, minutes, 60);
  if (amount < LEAST_PRICE || amount > MOST_MINOR_UNITS)
    refuse([
      {
        path: 'durationMinutes',
        message: `makes a price that is not ${LEAST_PRICE} to ${MOST_MINOR_UNITS} minor units`,
      },
    ]);
  return { amount, currency: hourly.price.currency };
}

/** The lowest hourly price, by which a tutor is found. */
export function lowestHourly(options: PricingBody['options']): number | null {
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

/** Prices in several currencies, and options that are the same. */
export function pricingErrors({ options }: PricingBody): FieldError[] {
  const currency = options[0]?.price.currency;
  const seen = new Set<string>();
  return options.flatMap((option, index) => {
    if (option.price.currency !== currency)
      return [{ path: `options.${index}.price.currency`, message: 'must be that of the first option' }];
    const content = contentOf(option);
    if (seen.has(content)) return [{ path: `options.${index}`, message: 'is listed twice' }];
    seen.add(content);
    return [];
  });
}
