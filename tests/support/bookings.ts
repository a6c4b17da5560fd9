import { MINUTE } from '../../kernel/time';
import { uuidv7 } from '../../platform/ids';
import type { PaymentProjection } from '../../services/booking/contract';

const QUARTER = 15 * MINUTE;

/** The quarter hour at or after `hours` from now, as ISO 8601 in UTC. A negative number is in the past. */
export const inHours = (hours: number) =>
  new Date(Math.ceil((Date.now() + hours * 4 * QUARTER) / QUARTER) * QUARTER).toISOString();

/** @param amount in cents */
export const eur = (amount: number) => ({ amount, currency: 'EUR' });

/** A party of a booking, as identity describes one. */
export const person = (name: string, locale = 'en') => ({
  name,
  timeZone: 'Europe/Berlin',
  locale,
});

/** A payment of 45 € that was captured, but for what `change` says. */
export const payment = (change: Partial<PaymentProjection> = {}): PaymentProjection => ({
  id: uuidv7(),
  version: 1,
  status: 'captured',
  amount: eur(4500),
  captured: eur(4500),
  refunded: eur(0),
  clientSecret: null,
  ...change,
});
