import { z } from 'zod';
import { PAYMENT_STATUSES, REFUND_STATUSES } from '../../../kernel/statuses';
import { amountOf } from '../../../platform/amounts';
import { Currency, Money } from '../../../platform/schemas';

// What people and sagas are promised alike: states of money and amounts.

export const PaymentStatus = z.enum(PAYMENT_STATUSES).meta({
  id: 'PaymentStatus',
  description: '`failed`: declined, or refused by a fault of ours. `voided`: given up before any money was taken',
});

export const RefundStatus = z.enum(REFUND_STATUSES).meta({ id: 'RefundStatus' });

/** What is least and most, and in which steps, each currency has of its own (`kernel/currencies.ts`). */
export const ChargeAmount = amountOf('charge', 1).meta({
  id: 'ChargeAmount',
  description: 'Integer minor units of an ISO 4217 currency, at least what can be charged in it',
});

export const RefundAmount = z
  .strictObject({ amount: Money.shape.amount.min(1), currency: Currency })
  .meta({ id: 'RefundAmount', description: 'Integer minor units, at least 1, of an ISO 4217 currency' });
