import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../platform';
import { users } from './accounts';

/**
 * Every address by which somebody has an account, or can have it back, in small letters: nobody else can get one of these. A trigger enters that of
 * each account; it stays beside a newer one for as long as the change can be taken back. Its reference is checked at the end of a transaction.
 */
export const emailAddresses = pgTable(
  'email_addresses',
  {
    address: text().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
  },
  (t) => [index('email_addresses_user').on(t.userId)],
);

/**
 * `asked`: waits for the link that was sent to the new address. `confirmed`: that was used, and the change is being made. `changed`: it is made, and
 * can be taken back. `reverting`: that is being done. All others are final. `kept`: it is made for good. `taken`: somebody else has the address.
 * `withdrawn`: it was given up before it was made. `void`: the password was replaced, or an earlier change was taken back.
 */
export type EmailChangeStatus =
  | ('asked' | 'confirmed' | 'changed' | 'reverting')
  | ('kept' | 'reverted' | 'taken' | 'replaced' | 'expired' | 'withdrawn' | 'void');

/** Changes of an account's address. Tokens as SHA-256 only. Nothing but these rows and the account has the addresses here. */
export const emailChanges = pgTable(
  'email_changes',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    fromEmail: text('from_email').notNull(),
    toEmail: text('to_email').notNull(),
    status: text().$type<EmailChangeStatus>().notNull(),
    /** The session that asked for it, which goes on. */
    sessionId: uuid('session_id').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    sagaStartedAt: instant('saga_started_at'),
    confirmHash: text('confirm_hash').unique(),
    /** Until when it can be confirmed; null until its link is made. */
    confirmUntil: instant('confirm_until'),
    revertHash: text('revert_hash').unique(),
    /** Until when it can be taken back; null while it is not made, and where the address of before had been proven by nobody. */
    revertUntil: instant('revert_until'),
    statusAt: instant('status_at').notNull().defaultNow(),
    /** What its saga knows of it. */
    heardStatus: text('heard_status').$type<EmailChangeStatus>(),
  },
  (t) => [
    // One at a time is on its way.
    uniqueIndex('email_changes_open').on(t.userId).where(sql`status in ('asked', 'confirmed')`),
    index('email_changes_user').on(t.userId),
    // What the sweep looks through.
    index('email_changes_unheard').on(t.statusAt).where(sql`heard_status is distinct from status`),
    check(
      'email_changes_status',
      sql`${t.status} in ('asked', 'confirmed', 'changed', 'reverting', 'kept', 'reverted', 'taken', 'replaced', 'expired', 'withdrawn', 'void')`,
    ),
  ],
);
