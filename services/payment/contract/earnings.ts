import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, Instant, Money, Uuid } from '../../../platform/schemas';

// What sagas and Schedules are promised of what tutors earn.

/** What has moved from the tutor's pending to their payable earnings; zero when a refund took all of it, and while it may not move yet. */
export const EarningsReleased = z.object({ paymentId: Uuid, released: Money }).meta({ id: 'EarningsReleased' });
export type EarningsReleased = z.output<typeof EarningsReleased>;

/** `notBefore`: when what was paid for can no longer be disputed between its parties; null: counted by payment. A worker of before sends nothing. */
const ReleaseEarnings = z.strictObject({ notBefore: Instant.nullable() }).optional();

/** What became payable of what was due: `left` could not be asked about at Stripe, and is asked about next time. */
export const EarningsSwept = z.object({ released: z.int().min(0), left: z.int().min(0) }).meta({ id: 'EarningsSwept' });
export type EarningsSwept = z.output<typeof EarningsSwept>;

/** The internal operations of earnings. */
export const earningsOperations = {
  releaseEarnings: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/earnings/release',
    operationId: 'releaseEarnings',
    summary: "Note when what is left of a payment may move from the tutor's pending to their payable earnings",
    description:
      'It moves once, and not before then; later while Stripe has not got the money yet, or while somebody holds it.',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    body: ReleaseEarnings,
    replies: { 200: EarningsReleased },
    errors: ['invalid_state'],
  }),
  sweepEarnings: endpoint({
    method: 'post',
    path: '/internal/earnings/sweep',
    operationId: 'sweepEarnings',
    summary: 'Make payable what is due',
    access: 'service',
    reaches: ['stripe'],
    replies: { 200: EarningsSwept },
  }),
} as const;
