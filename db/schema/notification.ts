import { sql } from 'drizzle-orm';
import { boolean, check, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { instant } from './platform';

export { consumerCursors, events, idempotencyKeys, parkedEvents } from './platform';

/** A message as it is kept until its mail is settled: AES-256-GCM, all parts base64url. */
export interface SealedFacts {
  /** Which key it was sealed with: says nothing of the key itself. */
  keyId: string;
  iv: string;
  ciphertext: string;
  tag: string;
}

/**
 * One row per business key: the record that a person is to be told, which the delivery of mails works off. It holds the
 * two lines that the in-app list shows and ids to link to. What the mail needs beside them (others' names, one-time link)
 * stands in `facts`, sealed, and only until the mail is settled. The address stands in `contacts`.
 */
export const notifications = pgTable(
  'notifications',
  {
    id: uuid().primaryKey(),
    businessKey: text('business_key').notNull().unique(),
    recipientId: uuid('recipient_id').notNull(),
    template: text().notNull(),
    title: text().notNull(),
    message: text().notNull(),
    bookingId: uuid('booking_id'),
    paymentId: uuid('payment_id'),
    /** Whether the in-app list shows it. */
    inApp: boolean('in_app').notNull(),
    status: text({ enum: ['pending', 'sent', 'suppressed', 'failed', 'replaced', 'expired'] }).notNull(),
    /**
     * The whole message, sealed. A trigger erases it when the mail is settled. Null too in a pending row that the code of before
     * recorded: the caller still has the message then, and brings it.
     */
    facts: jsonb().$type<SealedFacts>(),
    /** When the next attempt may be made. */
    dueAt: instant('due_at'),
    /** After it nobody needs the mail any more. */
    usefulUntil: instant('useful_until'),
    /** The newer notice that took its place; set while it is being sent, it becomes `replaced` unless that attempt sends it. */
    replacedBy: uuid('replaced_by'),
    /** How often sending was begun; the number of the attempt that holds the lease. */
    attempts: integer().notNull(),
    /** Until then the current attempt alone may send. */
    leasedUntil: instant('leased_until'),
    sentAt: instant('sent_at'),
    readAt: instant('read_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (t) => [
    index('notifications_listed').on(t.recipientId, t.id).where(sql`${t.inApp}`),
    index('notifications_unread').on(t.recipientId, t.id).where(sql`${t.inApp} and ${t.readAt} is null`),
    index('notifications_due').on(t.dueAt).where(sql`${t.facts} is not null`),
    index('notifications_of_booking').on(t.bookingId, t.recipientId),
    check(
      'notifications_status',
      sql`${t.status} in ('pending', 'sent', 'suppressed', 'failed', 'replaced', 'expired')`,
    ),
    check('notifications_sent_at', sql`(${t.status} = 'sent') = (${t.sentAt} is not null)`),
    check('notifications_lease_while_pending', sql`${t.leasedUntil} is null or ${t.status} = 'pending'`),
    // Not the other way round as long as the code of before may record: its pending rows have no facts.
    check('notifications_facts_while_pending', sql`${t.facts} is null or ${t.status} = 'pending'`),
    check('notifications_due_with_facts', sql`(${t.facts} is null) = (${t.dueAt} is null)`),
    check('notifications_replaced_by', sql`${t.status} <> 'replaced' or ${t.replacedBy} is not null`),
  ],
);

/**
 * One row per attempt, made when it begins. An outcome that stays `unknown` is the doubtful case: the process died between
 * the mail server's answer and its record.
 */
export const notificationDeliveryLog = pgTable(
  'notification_delivery_log',
  {
    notificationId: uuid('notification_id')
      .notNull()
      .references(() => notifications.id),
    attempt: integer().notNull(),
    outcome: text({ enum: ['unknown', 'sent', 'refused', 'unavailable'] }).notNull(),
    /** The mail server's last reply code (RFC 5321 §4.2), when it gave one. */
    smtpCode: integer('smtp_code'),
    /** What went wrong below SMTP, such as ETIMEDOUT. */
    errorCode: text('error_code'),
    startedAt: instant('started_at').notNull().defaultNow(),
    finishedAt: instant('finished_at'),
  },
  (t) => [
    primaryKey({ columns: [t.notificationId, t.attempt] }),
    check('delivery_log_outcome', sql`${t.outcome} in ('unknown', 'sent', 'refused', 'unavailable')`),
    check('delivery_log_finished', sql`(${t.outcome} = 'unknown') = (${t.finishedAt} is null)`),
  ],
);

/** A user's choice for the optional kinds; without a row the defaults hold. */
export const notificationPreferences = pgTable('notification_preferences', {
  userId: uuid('user_id').primaryKey(),
  remindersEmail: boolean('reminders_email').notNull(),
  remindersInApp: boolean('reminders_in_app').notNull(),
  reviewRequestsEmail: boolean('review_requests_email').notNull(),
  reviewRequestsInApp: boolean('review_requests_in_app').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

/**
 * Where a person is reached: their only address here. Name, language and zone are those of then; `people` has them as they are now. `asOf` is when
 * identity changed the account last, by its clock: what is older takes no row's place.
 */
export const contacts = pgTable('contacts', {
  userId: uuid('user_id').primaryKey(),
  email: text().notNull(),
  emailVerified: boolean('email_verified').notNull(),
  name: text().notNull(),
  locale: text().notNull(),
  timeZone: text('time_zone').notNull(),
  asOf: instant('as_of').notNull(),
  /** The change that made the address what it is, while it can be taken back: nobody but changes replaces the address meanwhile. */
  changedBy: uuid('changed_by'),
  updatedAt: instant('updated_at').notNull().defaultNow(),
});

/** The two addresses of a change of address, for as long as mails about it go to them and it can be taken back. */
export const addressChanges = pgTable(
  'address_changes',
  {
    requestId: uuid('request_id').primaryKey(),
    userId: uuid('user_id').notNull(),
    emailBefore: text('email_before').notNull(),
    /** Whether that was known to be theirs when the other took its place. */
    verifiedBefore: boolean('verified_before').notNull().default(false),
    /** Proposed, and proven once it is in the contact. */
    email: text().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (t) => [index('address_changes_user').on(t.userId)],
);

/** What identity says of people: a projection of the topic `identity.people`. */
export const people = pgTable('people', {
  userId: uuid('user_id').primaryKey(),
  /** Of what identity said: an older one changes nothing. */
  version: integer().notNull(),
  displayName: text('display_name').notNull(),
  locale: text().notNull(),
  timeZone: text('time_zone').notNull(),
});

/** Who has shown that their address is theirs: a projection of `UserEmailVerified`. */
export const verifiedAddresses = pgTable('verified_addresses', {
  userId: uuid('user_id').primaryKey(),
  verifiedAt: instant('verified_at').notNull(),
});
