import { z } from 'zod';

// What the demo reads of the public API's replies. Its own view on purpose: it is a client like any other.

export const moneySchema = z.looseObject({ amount: z.number(), currency: z.string() });

export const bookingSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  statusReason: z.string().nullable(),
  scheduledAt: z.string(),
  price: moneySchema,
  payment: z
    .looseObject({ id: z.string(), status: z.string(), captured: moneySchema, refunded: moneySchema })
    .nullable(),
  workflowId: z.string(),
});
export type DemoBooking = z.output<typeof bookingSchema>;

const userSchema = z.looseObject({ id: z.string(), email: z.string() });
export const registeredSchema = z.looseObject({
  user: userSchema,
  tokens: z.looseObject({ accessToken: z.string() }).optional(),
});
export const loggedInSchema = z.looseObject({ tokens: z.looseObject({ accessToken: z.string() }).optional() });
export const challengedSchema = z.looseObject({ challenge: z.looseObject({ id: z.string() }) });

export const tutorsSchema = z.looseObject({
  items: z.array(z.looseObject({ id: z.string(), displayName: z.string() })),
});
export const slotsSchema = z.looseObject({ items: z.array(z.looseObject({ start: z.string() })) });

export const declinedSchema = z.looseObject({ code: z.string(), bookingId: z.string(), declineCode: z.string() });

export const directPaymentSchema = z.looseObject({ id: z.string(), status: z.string() });

export const linkSchema = z.looseObject({ url: z.string() });
export const payoutAccountSchema = z.looseObject({ status: z.string(), currentlyDue: z.array(z.string()) });

export const balanceSchema = z.looseObject({
  currency: z.string(),
  pending: z.number(),
  payable: z.number(),
  frozen: z.number(),
  inPayout: z.number(),
  paidOut: z.number(),
  debt: z.number(),
  minimum: z.number(),
  nextPayableAt: z.string().nullable(),
});
export type DemoBalance = z.output<typeof balanceSchema>;
export const walletSchema = z.looseObject({ balances: z.array(balanceSchema), nextPayoutAt: z.string() });
export type DemoWallet = z.output<typeof walletSchema>;
export const entriesSchema = z.looseObject({
  items: z.array(z.looseObject({ kind: z.string(), amount: z.number(), paymentId: z.string().nullable() })),
});

export const payoutSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  statusReason: z.string().nullable(),
  statusText: z.string(),
  amount: moneySchema,
  failure: z.looseObject({ code: z.string(), text: z.string() }).nullable(),
  returnedAt: z.string().nullable(),
  workflowId: z.string(),
});
export type DemoPayout = z.output<typeof payoutSchema>;

export const disputeSchema = z.looseObject({
  id: z.string(),
  paymentId: z.string(),
  status: z.string(),
  reason: z.string(),
  amount: moneySchema,
  withdrawn: moneySchema,
  editableUntil: z.string().nullable(),
  statement: z.string().nullable(),
  accepted: z.boolean(),
  workflowId: z.string(),
});
export type DemoDispute = z.output<typeof disputeSchema>;
export const disputesSchema = z.looseObject({ items: z.array(disputeSchema) });

export const refusedSchema = z.looseObject({ code: z.string() });

/** A reply whose content does not matter. */
export const anything = z.unknown();

/** `2026-11-22 19:15 UTC` */
export const when = (instant: string) => `${new Date(instant).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

export const inWords = ({ amount, currency }: z.output<typeof moneySchema>) =>
  `${(amount / 100).toFixed(2)} ${currency.toUpperCase()}`;
