import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  check,
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
 * (one stream per aggregate), so that a consumer can ignore what is older than what it holds. What `data` may be the room `events` of the
 * context says, and nobody but `appendEvent` writes it.
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

/** How far a consumer of this context has read its topic: moved in the transaction of what it did of the events. */
export const consumerCursors = pgTable('consumer_cursors', {
  consumer: text().primaryKey(),
  topic: text().notNull(),
  /** As the bus gave it; null before the first event. */
  cursor: text(),
  /** How many events a reactor left out because they were too old to act on. */
  leftOut: bigint('left_out', { mode: 'number' }).notNull().default(0),
  movedAt: timestamp('moved_at', { withTimezone: true }).notNull().defaultNow(),
});

/**
 * Events that a consumer could not apply, and those of the same stream that came behind: they are applied in this order. One is dead once it was
 * tried often enough; it holds its stream until somebody has it tried again, or skips it and says why.
 */
export const parkedEvents = pgTable(
  'parked_events',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    consumer: text().notNull(),
    /** Where its topic has it. What it says is not copied. */
    cursor: text().notNull(),
    eventId: uuid('event_id').notNull(),
    streamId: text('stream_id').notNull(),
    version: integer().notNull(),
    type: text().notNull(),
    tries: integer().notNull().default(0),
    /** Of the last try: the name of the error and its code, and nothing of what it was about. */
    error: text(),
    nextTryAt: timestamp('next_try_at', { withTimezone: true }).notNull().defaultNow(),
    deadAt: timestamp('dead_at', { withTimezone: true }),
    skippedAt: timestamp('skipped_at', { withTimezone: true }),
    skipReason: text('skip_reason'),
    parkedAt: timestamp('parked_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [
    unique('parked_events_once').on(t.consumer, t.cursor),
    index('parked_events_stream').on(t.consumer, t.streamId, t.id).where(sql`skipped_at is null`),
    check('parked_events_skipped', sql`(${t.skippedAt} is null) = (${t.skipReason} is null)`),
  ],
);

/** What an act of an administrator can be done to. */
export const ACT_SUBJECTS = ['user', 'booking', 'payment', 'dispute'] as const;

/**
 * What administrators did, one row an act, written in the transaction that begins it. Only `recordAct` writes it, and a trigger keeps every
 * row as it is. An act that a saga carries out may still be refused: `after` says what was asked for then.
 */
export const adminActs = pgTable(
  'admin_acts',
  {
    /** In the order of time. */
    id: uuid().primaryKey(),
    /** Null: an operator who holds the database. */
    adminId: uuid('admin_id'),
    act: text().notNull(),
    /** What it was done to, and its id. */
    subjectType: text('subject_type', { enum: ACT_SUBJECTS }).notNull(),
    subjectId: uuid('subject_id').notNull(),
    reason: text().notNull(),
    before: jsonb().$type<ActFacts>().notNull(),
    after: jsonb().$type<ActFacts>().notNull(),
    occurredAt: timestamp('occurred_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [
    index('admin_acts_subject').on(t.subjectId, t.id),
    index('admin_acts_admin').on(t.adminId, t.id),
    check('admin_acts_reason', sql`char_length(${t.reason}) >= 10`),
  ],
);

/** States and amounts: nothing that a person typed, and nobody's name or address. */
export type ActFacts = Record<string, string | number | boolean | null>;

/** An amount in minor units. bigint in Postgres; every amount fits a JavaScript integer. */
export const minorUnits = (name: string) => bigint(name, { mode: 'number' });

/** An instant, `timestamptz`, as a Date. */
export const instant = (name: string) => timestamp(name, { withTimezone: true });
