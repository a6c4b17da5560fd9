import { and, desc, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { stripeWebhooksLog } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';
import type { StripeEvent } from '../stripe/answers';

// The log of what Stripe has told us.

export type WebhookRow = typeof stripeWebhooksLog.$inferSelect;

/**
 * Notes an event before anything is done about it, and as processed where nothing `isToDo`. @returns whether it is new,
 * or came before and was not processed then (a crash, or a part that was away), or was processed
 */
export async function noteEvent(
  db: Database,
  event: StripeEvent,
  isToDo: boolean,
): Promise<'new' | 'again' | 'processed'> {
  const { id: eventId, ...told } = event;
  const [row] = await db
    .insert(stripeWebhooksLog)
    .values({ eventId, ...told, processedAt: isToDo ? null : sql`now()` })
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

/** Noted events, the latest first: all, or those that were acted on, or were not. `before`: the event with which the page before ended. */
export async function listEvents(
  db: Database,
  { processed, before, limit }: { processed: 'true' | 'false' | undefined; before: string | undefined; limit: number },
): Promise<WebhookRow[]> {
  const { receivedAt, eventId, processedAt } = stripeWebhooksLog;
  // By the row itself: what JavaScript knows of an instant are milliseconds, and many events can come in one.
  const last =
    before === undefined
      ? undefined
      : db.select({ receivedAt, eventId }).from(stripeWebhooksLog).where(eq(eventId, before));
  const isWanted = processed && { true: isNotNull(processedAt), false: isNull(processedAt) }[processed];
  return db
    .select()
    .from(stripeWebhooksLog)
    .where(and(isWanted, last && sql`(${receivedAt}, ${eventId}) < (${last})`))
    .orderBy(desc(receivedAt), desc(eventId))
    .limit(limit);
}

/** @throws ProblemError not_found */
export async function readEvent(db: Database, eventId: string): Promise<WebhookRow> {
  const [row] = await db.select().from(stripeWebhooksLog).where(eq(stripeWebhooksLog.eventId, eventId));
  if (!row) throw new ProblemError('not_found');
  return row;
}
