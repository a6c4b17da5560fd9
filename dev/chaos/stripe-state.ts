import { z } from 'zod';

const intentSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  amount: z.number(),
  metadata: z.record(z.string(), z.string()),
});
const chargeSchema = z.looseObject({
  id: z.string(),
  payment_intent: z.string().nullish(),
  status: z.string(),
  amount_captured: z.number(),
});
// Of one that was deleted Stripe keeps the id alone.
const customerSchema = z.looseObject({ id: z.string(), metadata: z.record(z.string(), z.string()).default({}) });
const bankSchema = z.looseObject({ currency: z.string(), status: z.string(), default_for_currency: z.boolean() });
const accountSchema = customerSchema.extend({
  details_submitted: z.boolean().default(false),
  payouts_enabled: z.boolean().default(false),
  external_accounts: z.looseObject({ data: z.array(bankSchema) }).default({ data: [] }),
});
const refundSchema = z.looseObject({
  id: z.string(),
  payment_intent: z.string().nullish(),
  status: z.string(),
  amount: z.number(),
  balance_transaction: z.unknown(),
  metadata: z.record(z.string(), z.string()).nullish(),
});
const movedSchema = z.looseObject({ id: z.string(), amount: z.number(), currency: z.string() });
const transferSchema = movedSchema.extend({ destination: z.string(), transfer_group: z.string().nullable() });
const reversalSchema = movedSchema.extend({ transfer: z.string() });
const payoutSchema = movedSchema.extend({
  status: z.string(),
  metadata: z.record(z.string(), z.string()).nullable(),
  /** What a bank gives to one that it has taken. */
  trace_id: z.looseObject({ status: z.string() }).nullable(),
});
const disputeSchema = movedSchema.extend({
  charge: z.string(),
  payment_intent: z.string().nullish(),
  status: z.string(),
  /** What the bank took, below zero, and what it gave back; Stripe's fee is beside the amount. */
  balance_transactions: z.array(z.looseObject({ amount: z.number(), fee: z.number() })),
  evidence: z.looseObject({ uncategorized_text: z.string().nullable() }),
  evidence_details: z.looseObject({ submission_count: z.number() }),
});
const fundsSchema = z.array(z.looseObject({ amount: z.number(), currency: z.string() }));
const stateSchema = z.looseObject({
  payment_intents: z.array(intentSchema),
  charges: z.array(chargeSchema),
  refunds: z.array(refundSchema),
  disputes: z.array(disputeSchema),
  customers: z.array(customerSchema),
  accounts: z.array(accountSchema),
  transfers: z.array(transferSchema),
  transfer_reversals: z.array(reversalSchema),
  /** By the id of the connected account. */
  connected_payouts: z.record(z.string(), z.array(payoutSchema)),
  balance: z.looseObject({ available: fundsSchema, pending: fundsSchema }),
  totals: z.record(
    z.string(),
    z.object({
      captured: z.number(),
      fees: z.number(),
      refunded: z.number(),
      transferred: z.number(),
      disputed: z.number(),
      reinstated: z.number(),
      disputeFees: z.number(),
      balance: z.number(),
    }),
  ),
  pending_webhooks: z.number(),
});
export type SandboxState = z.output<typeof stateSchema>;

/** Everything at the Stripe sandbox in one consistent picture. */
export async function sandboxState({
  sandbox,
}: {
  sandbox(method: string, path: string): Promise<{ body: unknown }>;
}): Promise<SandboxState> {
  return stateSchema.parse((await sandbox('GET', '/sandbox/state')).body);
}

/** Whether a payout has failed that its bank had taken: until the product looks, only a webhook tells of it. */
export function cameBack({ status, trace_id: trace }: SandboxState['connected_payouts'][string][number]): boolean {
  return status === 'failed' && trace?.status === 'supported';
}

/** The disputes of a payment. */
export function disputesAtStripe({ payment_intents: intents, disputes }: SandboxState, paymentId: string) {
  const ids = new Set(intents.filter(({ metadata }) => metadata.paymentId === paymentId).map(({ id }) => id));
  return disputes.filter(({ payment_intent: intent }) => ids.has(intent ?? ''));
}

/** A booking's or a payment's money at Stripe, in cents. */
export interface MoneyAtStripe {
  /** Statuses of its PaymentIntents; there is to be one at most. */
  intents: string[];
  /** Charges that took or reserved money. */
  charges: number;
  captured: number;
  refunded: number;
  /** Reserved on the card and not taken. */
  reserved: number;
}

export function moneyAtStripe(
  state: SandboxState,
  id: string,
  of: 'bookingId' | 'paymentId' = 'bookingId',
): MoneyAtStripe {
  // Inert PaymentIntents only occupy a key, so that a request that was given up cannot take effect late.
  const intents = state.payment_intents.filter(({ metadata }) => metadata[of] === id && metadata.inert === undefined);
  const ids = new Set(intents.map(({ id }) => id));
  const ours = <T extends { payment_intent?: string | null | undefined; status: string }>(objects: T[]) =>
    objects.filter((one) => one.status === 'succeeded' && ids.has(one.payment_intent ?? ''));
  const charges = ours(state.charges);
  // A release of an authorisation looks like a refund, but no balance moved.
  const refunds = ours(state.refunds).filter((refund) => refund.balance_transaction !== null);
  return {
    intents: intents.map(({ status }) => status),
    charges: charges.length,
    captured: charges.reduce((sum, charge) => sum + charge.amount_captured, 0),
    refunded: refunds.reduce((sum, refund) => sum + refund.amount, 0),
    reserved: intents.reduce((sum, { status, amount }) => sum + (status === 'requires_capture' ? amount : 0), 0),
  };
}
