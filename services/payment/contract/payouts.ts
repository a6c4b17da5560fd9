import { z } from 'zod';
import { PAYOUT_REASONS, PAYOUT_STATUSES } from '../../../kernel/statuses';
import { endpoint } from '../../../platform/endpoint';
import { Currency, IdParams, InstantOut, Money, PageQuery, pageOf, Uuid } from '../../../platform/schemas';
import { RefundAmount } from './money';

// What people are promised of what is paid out to them.

export const PayoutStatus = z.enum(PAYOUT_STATUSES).meta({
  id: 'PayoutStatus',
  description:
    '`pending`: set aside, and not sent yet; `processing`: on its way to the bank; `completed`: there; `failed`: the bank refused it or sent it back; `cancelled`: it came to nothing before the bank heard of it',
});

/** A payout as its payee sees it. */
export const Payout = z
  .strictObject({
    id: Uuid,
    status: PayoutStatus,
    statusReason: z
      .enum(PAYOUT_REASONS)
      .nullable()
      .meta({ description: 'What a pending one waits for, or why it came to nothing' }),
    statusText: z.string().meta({ description: 'The same as a sentence for its payee' }),
    amount: Money,
    period: z
      .strictObject({ from: InstantOut.nullable(), to: InstantOut })
      .meta({ description: 'What became payable after `from` and until `to` is in it; null: all of before' }),
    expectedAt: InstantOut.nullable().meta({ description: 'When it should be at the bank, as Stripe says' }),
    arrivedAt: InstantOut.nullable(),
    failure: z
      .strictObject({ code: z.string(), text: z.string() })
      .nullable()
      .meta({ description: "The bank's or Stripe's reason: its word and a sentence" }),
    returnedAt: InstantOut.nullable().meta({ description: 'Since when its amount is payable again' }),
    workflowId: z.string(),
    createdAt: InstantOut,
  })
  .meta({ id: 'Payout' });
export type Payout = z.output<typeof Payout>;

const InitiatePayout = z.strictObject({
  amount: RefundAmount.optional().meta({ description: 'Left out: all that is payable in the currency' }),
  currency: Currency.optional().meta({
    description: 'Which, for who has something payable in several currencies and names no amount',
  }),
});
export type InitiatePayout = z.output<typeof InitiatePayout>;

/** The public operations of payouts. */
export const payoutOperations = {
  initiatePayout: endpoint({
    method: 'post',
    path: '/api/payouts/initiate',
    operationId: 'initiatePayout',
    summary: 'Have what you earned sent to your bank',
    description:
      'Answers as soon as it is set aside: the payout says what becomes of it. One of a currency is under way at a time. Once a week it happens by itself.',
    access: 'user',
    idempotency: 'required',
    body: InitiatePayout,
    replies: { 201: Payout },
    errors: ['nothing_to_pay', 'payout_in_progress', 'payouts_disabled', 'below_minimum'],
  }),
  listPayouts: endpoint({
    method: 'get',
    path: '/api/payouts',
    operationId: 'listPayouts',
    summary: 'Your payouts, the newest first',
    access: 'user',
    query: PageQuery,
    replies: { 200: pageOf(Payout).meta({ id: 'PayoutPage' }) },
  }),
  getPayout: endpoint({
    method: 'get',
    path: '/api/payouts/{id}',
    operationId: 'getPayout',
    summary: 'A payout of yours',
    access: 'user',
    params: IdParams,
    replies: { 200: Payout },
  }),
} as const;
