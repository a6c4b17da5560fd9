import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { InstantOut, PageQuery, pageOf } from '../../../platform/schemas';

// What administrators are promised of what Stripe has told.

/** An event of Stripe's, as it was noted. Its content is not kept: what is true is asked of Stripe. */
export const StripeWebhook = z
  .strictObject({
    eventId: z.string().meta({ description: 'As Stripe names it: `evt_…`' }),
    type: z.string(),
    objectId: z.string().nullable().meta({ description: 'What it is about, as Stripe names it' }),
    account: z.string().nullable().meta({ description: 'The connected account that it comes from; null: our own' }),
    createdAt: InstantOut.meta({ description: 'When it happened, as Stripe says' }),
    receivedAt: InstantOut.meta({ description: 'When it came first' }),
    processedAt: InstantOut.nullable().meta({ description: 'When it had been acted on; null: it has not' }),
    deliveries: z.int().min(1).meta({ description: 'How often it came' }),
  })
  .meta({ id: 'StripeWebhook' });
export type StripeWebhook = z.output<typeof StripeWebhook>;

const WebhooksQuery = PageQuery.extend({
  processed: z.enum(['true', 'false']).optional().meta({ description: 'Left out: all' }),
});

const EventParams = z.object({ eventId: z.string().regex(/^[\x21-\x7e]{1,255}$/) });

/** The operations of the log of what Stripe has told. */
export const webhookLogOperations = {
  listStripeWebhooks: endpoint({
    method: 'get',
    path: '/api/stripe/webhooks',
    operationId: 'listStripeWebhooks',
    summary: 'What Stripe has told, the latest first',
    access: ['admin'],
    query: WebhooksQuery,
    replies: { 200: pageOf(StripeWebhook).meta({ id: 'StripeWebhookPage' }) },
  }),
  replayStripeWebhook: endpoint({
    method: 'post',
    path: '/api/stripe/webhooks/{eventId}/replay',
    operationId: 'replayStripeWebhook',
    summary: 'Act on an event once more',
    description:
      'Stripe is asked what is true of its object now, which is recorded and told to who waits for it. Nothing that the event said counts, so that repeating it does no harm.',
    access: ['admin'],
    reaches: ['stripe'],
    params: EventParams,
    replies: { 200: StripeWebhook },
    errors: ['invalid_state'],
  }),
} as const;
