import { eq, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { stripeWebhooksLog } from '../../../db/schema/payment';
import type { StripeEvent } from '../stripe/answers';

// The log of what Stripe has told us.

/**
 * Notes an event before anything is done about it, and as processed where nothing `isToDo`. @returns whether it is new,
 * or came before and was not processed then (a crash, or a part that was away), or was processed
 */
export async function noteEvent(
  db: Database,
  event: StripeEvent,
  isToDo: boolean,
): Promise<'new' | 'again' | 'processed'> {
  const { id: eventId, type, objectId, createdAt } = event;
  const [row] = await db
    .insert(stripeWebhooksLog)
    .values({ eventId, type, objectId, createdAt, processedAt: isToDo ? null : sql`now()` })
    .onConflictDoUpdate({
      target: stripeWebhooksLog.eventId,
      set: { deliveries: sql`${stripeWebhooksLog.deliveries} + 1` },
    })
    .returning({ processedAt: stripeWebhooksLog.processedAt, deliveries: stripeWebhooksLog.deliveries });
  if (row?.processedAt) return 'processed';
  return row?.deliveries === 1 ? 'new' : 'again';
}

/** Notes that an event has been acted on. The first time stays. */
export async function markEventProcessed(db: Database, eventId: string): Promise<void> {
  await db
    .update(stripeWebhooksLog)
    .set({ processedAt: sql`coalesce(${stripeWebhooksLog.processedAt}, now())` })
    .where(eq(stripeWebhooksLog.eventId, eventId));
}
