import { eq, sql } from 'drizzle-orm';
import type { Database } from '../../db/client';
import { stripeWebhooksLog } from '../../db/schema/payment';
import type { StripeEvent } from './stripe.types';

/** The log of what Stripe has told us. */
export function createWebhookStore(db: Database) {
  return {
    /** Notes an event before anything is done about it. @returns whether it still has to be processed: a copy of a processed one has not */
    async receive(event: StripeEvent): Promise<boolean> {
      const { id: eventId, type, objectId, createdAt } = event;
      const [row] = await db
        .insert(stripeWebhooksLog)
        .values({ eventId, type, objectId, createdAt })
        .onConflictDoUpdate({
          target: stripeWebhooksLog.eventId,
          set: { deliveries: sql`${stripeWebhooksLog.deliveries} + 1` },
        })
        .returning({ processedAt: stripeWebhooksLog.processedAt });
      return !row?.processedAt;
    },

    async processed(eventId: string): Promise<void> {
      await db
        .update(stripeWebhooksLog)
        .set({ processedAt: sql`coalesce(${stripeWebhooksLog.processedAt}, now())` })
        .where(eq(stripeWebhooksLog.eventId, eventId));
    },
  };
}
