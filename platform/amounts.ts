import { z } from 'zod';
import { leastOf, mostOf, stepOf } from '../kernel/currencies';
import { LEAST_PRICE, SHORTEST_MINUTES } from '../kernel/session';
import { Currency, Money } from './schemas';

// Amounts whose least, most and step each currency has of its own. A schema refuses what no currency allows; which currencies settle is a
// setting, so their limits are asked where an amount is taken, and stand in the document of a running service.

interface Limits {
  minimum: number;
  maximum: number;
  multipleOf: number;
}

const charge = (currency: string): Limits => ({
  minimum: leastOf(currency),
  maximum: mostOf(currency),
  multipleOf: stepOf(currency),
});
const price = (currency: string, least: number): Limits => {
  const { multipleOf, ...limits } = charge(currency);
  const minimum = Math.max(least, LEAST_PRICE, limits.minimum);
  return { ...limits, minimum: Math.ceil(minimum / multipleOf) * multipleOf, multipleOf };
};

const AMOUNT_KINDS = ['charge', 'packagePrice', 'hourlyPrice'] as const;
export type AmountKind = (typeof AMOUNT_KINDS)[number];

const LIMITS: Record<AmountKind, (currency: string) => Limits> = {
  charge,
  packagePrice: (currency) => price(currency, 0),
  // A session's price is rounded to the currency's step, a half up: so much of the shortest one need not be there.
  hourlyPrice: (currency) => price(currency, ((leastOf(currency) - stepOf(currency) / 2) * 60) / SHORTEST_MINUTES),
};

const MARK = 'x-amount';

/** Money that can be charged or asked, at least `least` minor units in any currency. */
export function amountOf(kind: AmountKind, least: number) {
  return z.strictObject({ amount: Money.shape.amount.min(least), currency: Currency }).meta({ [MARK]: kind });
}

/** A document with one alternative for each of the `settling` currencies, wherever such an amount stands in it. */
export function withLimits<Document extends object>(document: Document, settling: readonly string[]): Document {
  return JSON.parse(JSON.stringify(document), (_, value: unknown) => {
    const marked = Marked.safeParse(value);
    if (!marked.success) return value;
    const { [MARK]: kind, type, properties: _all, required, additionalProperties, ...about } = marked.data;
    const alternatives = settling.map((currency) => ({
      type,
      properties: {
        amount: { type: 'integer', ...LIMITS[kind](currency) },
        currency: { type: 'string', enum: [currency] },
      },
      required,
      additionalProperties,
    }));
    return { ...about, oneOf: alternatives };
  });
}

const Marked = z.looseObject({
  [MARK]: z.enum(AMOUNT_KINDS),
  type: z.literal('object'),
  properties: z.unknown(),
  required: z.unknown(),
  additionalProperties: z.unknown(),
});
