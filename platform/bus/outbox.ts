import { asc, isNull, sql } from 'drizzle-orm';
import type { Database } from '../../db/client';
import { events } from '../../db/schema/platform';
import type { DatabaseContext } from '../../kernel/modules';
import type { BusEvent } from './transport';

/** What a relay publishes: rows that tell what is not on the bus yet. */
export interface Outbox {
  topic: string;
  /** Whether of each stream only the newest is kept. */
  keyed: boolean;
  /** The oldest of what is unpublished, those of one stream in the order of their versions; at most `limit`. */
  unpublished(limit: number): Promise<BusEvent[]>;
  /** Marks them as published. Harmless twice. */
  published(events: readonly BusEvent[]): Promise<void>;
}

/**
 * The outbox of every context: its table `events`. Its positions are no cursor, since they are handed out before the commit: what is unpublished
 * is found by its mark, whatever its position.
 */
export function outboxOf(context: DatabaseContext, db: Database): Outbox {
  return {
    topic: `${context}.events`,
    keyed: false,
    async unpublished(limit) {
      // A later version is written under the lock of the earlier one's row: in one stream positions and versions have one order.
      const rows = await db
        .select()
        .from(events)
        .where(isNull(events.publishedAt))
        .orderBy(asc(events.position))
        .limit(limit);
      return rows.map((row) => ({
        specversion: '1.0',
        id: row.eventId,
        source: `/${context}`,
        type: row.type,
        subject: row.streamId,
        time: row.occurredAt.toISOString(),
        datacontenttype: 'application/json',
        streamversion: row.version,
        data: row.data,
      }));
    },
    async published(batch) {
      await db
        .update(events)
        .set({ publishedAt: sql`now()` })
        .where(sql`${events.eventId} = any(${sql.param(batch.map(({ id }) => id))}::uuid[])`);
    },
  };
}
