import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';

/**
 * Outbox and audit log in one: written in the transaction of the state change it tells of. `version` counts per stream
 * (one stream per aggregate), so that a consumer can ignore what is older than what it holds.
 */
export const events = pgTable(
  'events',
  {
    position: bigserial({ mode: 'number' }).primaryKey(),
    eventId: uuid('event_id').notNull().unique(),
    streamId: text('stream_id').notNull(),
    version: integer().notNull(),
    type: text().notNull(),
    data: jsonb().$type<Record<string, unknown>>().notNull(),
    occurredAt: timestamp('occurred_at', { withTimezone: true }).notNull().defaultNow(),
    publishedAt: timestamp('published_at', { withTimezone: true }),
  },
  (t) => [
    unique('events_stream_version').on(t.streamId, t.version),
    index('events_unpublished').on(t.position).where(sql`published_at is null`),
  ],
);

/**
 * One row per idempotency key and owner (a user's id, or `service` for the platform's own calls). `reply_status` null:
 * still in progress, until `leased_until`; after that a retry takes it over and attaches to `resource_id`.
 */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    owner: text().notNull(),
    key: text().notNull(),
    fingerprint: text().notNull(),
    resourceId: uuid('resource_id').notNull(),
    leasedUntil: timestamp('leased_until', { withTimezone: true }),
    replyStatus: integer('reply_status'),
    // json, not jsonb: it keeps the order of members, so that a repeated reply is the same byte for byte.
    replyBody: json('reply_body').$type<unknown>(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.owner, t.key] }), index('idempotency_keys_created').on(t.createdAt)],
);

/** An amount in minor units. bigint in Postgres; every amount fits a JavaScript integer. */
export const minorUnits = (name: string) => bigint(name, { mode: 'number' });

/** An instant, `timestamptz`, as a Date. */
export const instant = (name: string) => timestamp(name, { withTimezone: true });
