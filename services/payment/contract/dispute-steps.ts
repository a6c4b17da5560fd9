import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, Money, text, Uuid } from '../../../platform/schemas';
import { DisputeStatus } from './disputes';

// What the sagas of disputes, and the Schedule that looks for them, are promised.

/** A dispute as its saga sees it. A reader that holds a higher `version` ignores this one. */
export const DisputeState = z
  .object({
    disputeId: Uuid,
    paymentId: Uuid,
    bookingId: Uuid.nullable(),
    payeeId: Uuid,
    version: z.int().min(1),
    status: DisputeStatus,
    amount: Money,
    withdrawn: Money.meta({ description: 'What the bank has taken of it, less what it has given back' }),
    respondBy: InstantOut.nullable(),
    /** Evidence is sent by then: a day before `respondBy`. null: none can be sent any more. */
    submitBy: InstantOut.nullable(),
    /** The payee has said something. */
    stated: z.boolean(),
    submitted: z.boolean(),
    /** The bank has spoken, for now: one that was lost can be won late. */
    decided: z.boolean(),
  })
  .meta({ id: 'DisputeState' });
export type DisputeState = z.output<typeof DisputeState>;

/** What the platform knows that speaks against a dispute; what is left out is not known. */
const GatheredEvidence = z.strictObject({
  product_description: text(1, 20_000).optional(),
  service_date: text(1, 5_000).optional(),
  access_activity_log: text(1, 20_000).optional(),
  cancellation_policy_disclosure: text(1, 20_000).optional(),
});
export type GatheredEvidence = z.output<typeof GatheredEvidence>;

/** `after`: the dispute with which the page before ended, as Stripe names it. */
const FindDisputes = z.strictObject({ after: z.string().min(1).max(255).nullable() });
export type FindDisputes = z.output<typeof FindDisputes>;

/** What a page came to. `found`: those that were news; `failed`: those that could not be recorded; `next` null after the last. */
const DisputesFound = z
  .object({ seen: z.int().min(0), found: z.int().min(0), failed: z.int().min(0), next: z.string().nullable() })
  .meta({ id: 'DisputesFound' });
export type DisputesFound = z.output<typeof DisputesFound>;

const ofDispute = {
  method: 'post',
  access: 'service',
  params: IdParams,
  replies: { 200: DisputeState },
} as const;

/** The internal operations of disputes. */
export const disputeStepOperations = {
  findDisputes: endpoint({
    method: 'post',
    path: '/internal/disputes/find',
    operationId: 'findDisputes',
    summary: 'Ask Stripe which disputes there are, a page at a time, and see that each that has changed has its saga',
    description: 'Harmless twice. One that cannot be recorded holds up none of the others.',
    access: 'service',
    reaches: ['stripe'],
    body: FindDisputes,
    replies: { 200: DisputesFound },
  }),
  lookAtDispute: endpoint({
    ...ofDispute,
    path: '/internal/disputes/{id}/look',
    operationId: 'lookAtDispute',
    summary: 'Ask Stripe what has become of a dispute and record it',
    reaches: ['stripe'],
  }),
  gatherEvidence: endpoint({
    ...ofDispute,
    path: '/internal/disputes/{id}/gathered',
    operationId: 'gatherEvidence',
    summary: 'Note what the platform knows that speaks against a dispute; it replaces what was noted before',
    idempotency: 'required',
    // What is known may be more when the step is repeated.
    fingerprint: [],
    body: GatheredEvidence,
  }),
  submitEvidence: endpoint({
    ...ofDispute,
    path: '/internal/disputes/{id}/submit',
    operationId: 'submitEvidence',
    summary: 'Send what speaks against a dispute to the bank; done already, or with nothing to say, it stays as it is',
    reaches: ['stripe'],
    idempotency: 'required',
  }),
  closeDispute: endpoint({
    ...ofDispute,
    path: '/internal/disputes/{id}/close',
    operationId: 'closeDispute',
    summary: 'Note that the end of a dispute has been seen to; left out when it has changed meanwhile',
    idempotency: 'required',
    body: z.strictObject({ version: z.int().min(1) }),
  }),
} as const;
