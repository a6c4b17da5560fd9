import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant } from './platform';

// The event bus. Its roles cannot write these tables: a migration adds the functions by which the appender does, and what the reader may see.

/** One row per topic: the lock under which offsets are taken, and the lease of the relay that may take them. */
export const topics = pgTable('topics', {
  name: text().primaryKey(),
  nextOffset: bigint('next_offset', { mode: 'number' }).notNull().default(0),
  /** Counts the leases: who comes with an older one has lost it. */
  epoch: bigint({ mode: 'number' }).notNull().default(0),
  holder: text(),
  leasedUntil: instant('leased_until').notNull().default(sql`'-infinity'`),
});

/**
 * What was appended to the topics. Of a keyed topic only the newest message of each stream is kept, with a new offset each time, and `data`
 * is null once there is nothing more to say of it.
 */
export const messages = pgTable(
  'messages',
  {
    topic: text().notNull(),
    offset: bigint({ mode: 'number' }).notNull(),
    eventId: uuid('event_id').notNull(),
    streamId: text('stream_id').notNull(),
    version: integer().notNull(),
    type: text().notNull(),
    data: jsonb().$type<Record<string, unknown>>(),
    keyed: boolean().notNull(),
    occurredAt: instant('occurred_at').notNull(),
    appendedAt: instant('appended_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.topic, t.offset] }),
    unique('messages_event').on(t.topic, t.eventId),
    uniqueIndex('messages_newest').on(t.topic, t.streamId).where(sql`keyed`),
  ],
);
