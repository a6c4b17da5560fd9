import { z } from 'zod';
import { DISPUTE_STATUSES } from '../../../kernel/statuses';
import { ActReason } from '../../../platform/audit';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, Money, PageQuery, pageOf, text, Uuid } from '../../../platform/schemas';

// What people are promised of payments that a card's holder disputes.

export const DisputeStatus = z.enum(DISPUTE_STATUSES).meta({
  id: 'DisputeStatus',
  description:
    "As Stripe names it. `warning_…`: the bank only asks, and no money has moved; `prevented`: it came to nothing before that. Every other has taken the money: `needs_response` and `under_review` until the bank decides, `won`: it came back, `lost`: the card's holder keeps it",
});

/** A dispute as the payee of its payment sees it, and administrators. */
export const Dispute = z
  .strictObject({
    id: Uuid,
    paymentId: Uuid,
    bookingId: Uuid.nullable(),
    payeeId: Uuid,
    status: DisputeStatus,
    reason: z.string().meta({ description: "What the card's holder claims, in Stripe's word" }),
    amount: Money.meta({ description: 'What is claimed; below or above what was paid' }),
    withdrawn: Money.meta({ description: 'What the bank has taken of it, less what it has given back' }),
    respondBy: InstantOut.nullable().meta({ description: 'Until when the bank takes evidence; null: it takes none' }),
    editableUntil: InstantOut.nullable().meta({
      description: 'Until when you can say something; what there is then is sent to the bank. null: no more',
    }),
    statement: z.string().nullable().meta({ description: 'What the payee says against it' }),
    submittedAt: InstantOut.nullable().meta({
      description: 'When evidence was sent to the bank, which can be done once',
    }),
    accepted: z.boolean().meta({ description: 'It was given up by an administrator' }),
    openedAt: InstantOut,
    decidedAt: InstantOut.nullable(),
    workflowId: z.string(),
  })
  .meta({ id: 'Dispute' });
export type Dispute = z.output<typeof Dispute>;

/** The latest dispute of a payment, as its two people see it. */
export const PaymentDispute = z
  .strictObject({ id: Uuid, status: DisputeStatus, amount: Money, respondBy: InstantOut.nullable() })
  .meta({ id: 'PaymentDispute' });
export type PaymentDispute = z.output<typeof PaymentDispute>;

const DisputesQuery = PageQuery.extend({
  open: z.enum(['true', 'false']).optional().meta({ description: 'Left out: all' }),
});

/** Stripe takes 20,000 characters of a field (docs.stripe.com/api/disputes/evidence_object). */
const Statement = z.strictObject({ text: text(1, 20_000) });

/** Why an administrator does something about it. */
const DisputeAct = z.strictObject({ reason: ActReason }).meta({ id: 'DisputeAct' });

/** The public operations of disputes. */
export const disputeOperations = {
  listDisputes: endpoint({
    method: 'get',
    path: '/api/disputes',
    operationId: 'listDisputes',
    summary: 'Disputes of payments to you, the newest first; all, for administrators',
    access: 'user',
    query: DisputesQuery,
    replies: { 200: pageOf(Dispute).meta({ id: 'DisputePage' }) },
  }),
  getDispute: endpoint({
    method: 'get',
    path: '/api/disputes/{id}',
    operationId: 'getDispute',
    summary: 'A dispute of a payment to you',
    access: 'user',
    params: IdParams,
    replies: { 200: Dispute },
  }),
  stateDispute: endpoint({
    method: 'put',
    path: '/api/disputes/{id}/evidence',
    operationId: 'stateDispute',
    summary: 'Say what speaks against a dispute of a payment to you',
    description:
      'What you say replaces what you said before. It is sent to the bank, with what the platform knows of the session, a day before the bank’s deadline.',
    access: 'user',
    params: IdParams,
    body: Statement,
    replies: { 200: Dispute },
    errors: ['edit_window_closed'],
  }),
  submitDispute: endpoint({
    method: 'post',
    path: '/api/disputes/{id}/submit',
    operationId: 'submitDispute',
    summary: 'Send what speaks against a dispute to the bank now, which can be done once',
    access: ['admin'],
    reaches: ['stripe'],
    params: IdParams,
    body: DisputeAct,
    replies: { 200: Dispute },
    errors: ['invalid_state'],
  }),
  acceptDispute: endpoint({
    method: 'post',
    path: '/api/disputes/{id}/accept',
    operationId: 'acceptDispute',
    summary: 'Give a dispute up: its card’s holder keeps the money, for good',
    access: ['admin'],
    reaches: ['stripe'],
    params: IdParams,
    body: DisputeAct,
    replies: { 200: Dispute },
    errors: ['invalid_state'],
  }),
} as const;
