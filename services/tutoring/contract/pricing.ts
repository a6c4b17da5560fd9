import { z } from 'zod';
import { LEAST_PRICE } from '../../../kernel/session';
import { amountOf } from '../../../platform/amounts';
import { Money, text, Uuid } from '../../../platform/schemas';

const OptionBody = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('hourly'),
    price: amountOf('hourlyPrice', LEAST_PRICE),
    label: text(1, 80).optional(),
  }),
  z.strictObject({
    kind: z.literal('package'),
    price: amountOf('packagePrice', LEAST_PRICE),
    sessions: z.int().min(1).max(100),
    label: text(1, 80).optional(),
  }),
]);
export const PricingBody = z.strictObject({ options: z.array(OptionBody).max(20).meta({ uniqueItems: true }) });
export type PricingBody = z.output<typeof PricingBody>;

export const PricingOption = z
  .strictObject({
    id: Uuid,
    kind: z.enum(['hourly', 'package']),
    price: Money,
    sessions: z.int().optional(),
    label: z.string().optional(),
  })
  .meta({ id: 'PricingOption', description: 'An hourly price, or one for a package of `sessions`' });
export type PricingOption = z.output<typeof PricingOption>;
