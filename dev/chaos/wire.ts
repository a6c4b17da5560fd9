import { z } from 'zod';

// What the clients of a chaos run read of the public API's replies. Their own view on purpose.

const moneySchema = z.looseObject({ amount: z.number(), currency: z.string() });

export const bookingSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  statusReason: z.string().nullable(),
  scheduledAt: z.string(),
  updatedAt: z.string().optional(),
  /** Null while the booking is still to be made. */
  price: moneySchema.nullable(),
  payment: z
    .looseObject({
      id: z.string(),
      status: z.string(),
      captured: moneySchema,
      refunded: moneySchema,
      clientSecret: z.string().optional(),
    })
    .nullable(),
});
export type BookingView = z.output<typeof bookingSchema>;

export const paymentSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  amount: moneySchema,
  captured: moneySchema,
  refunded: moneySchema,
  refundPending: moneySchema,
  clientSecret: z.string().optional(),
});
export type PaymentView = z.output<typeof paymentSchema>;

export const refundSchema = z.looseObject({ id: z.string(), status: z.string(), amount: moneySchema });
export type RefundView = z.output<typeof refundSchema>;
export const refundsSchema = z.looseObject({ items: z.array(refundSchema) });

export const onboardingLinkSchema = z.looseObject({ url: z.url() });

export const payoutSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  statusReason: z.string().nullable(),
  amount: moneySchema,
  returnedAt: z.string().nullable(),
});
export type PayoutView = z.output<typeof payoutSchema>;
export const payoutsSchema = z.looseObject({ items: z.array(payoutSchema) });

export const walletSchema = z.looseObject({
  balances: z.array(
    z.looseObject({
      ...{ currency: z.string(), pending: z.number(), payable: z.number(), debt: z.number() },
      ...{ inPayout: z.number(), paidOut: z.number(), frozen: z.number() },
    }),
  ),
});
export type WalletView = z.output<typeof walletSchema>;

const disputeSchema = z.looseObject({
  id: z.string(),
  paymentId: z.string(),
  status: z.string(),
  statement: z.string().nullable(),
  accepted: z.boolean(),
});
export type DisputeView = z.output<typeof disputeSchema>;
export const disputesSchema = z.looseObject({ items: z.array(disputeSchema), nextCursor: z.string().nullable() });

export const userSchema = z.looseObject({ id: z.string(), status: z.string(), email: z.string() });
export const signedInSchema = z.looseObject({
  user: userSchema,
  tokens: z.looseObject({ accessToken: z.string() }).optional(),
});

export const challengedSchema = z.looseObject({ challenge: z.looseObject({ id: z.string() }) });

/** A refusal that names what it is about. */
export const refusalSchema = z.looseObject({
  bookingId: z.string().optional(),
  paymentId: z.string().optional(),
  payoutId: z.string().optional(),
  /** Why Stripe refused. */
  stripeCode: z.string().optional(),
});
