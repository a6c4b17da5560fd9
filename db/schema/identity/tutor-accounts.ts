import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../platform';
import { users } from './accounts';

export type TutorAccountStatus = 'pending' | 'opened' | 'refused';

/**
 * Requests of people to become tutors, until a saga has made what a tutor has. One at a time of each: what an earlier one leaves is gone before the
 * next makes it anew.
 */
export const tutorAccounts = pgTable(
  'tutor_accounts',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    status: text().$type<TutorAccountStatus>().notNull().default('pending'),
    createdAt: instant('created_at').notNull().defaultNow(),
    sagaStartedAt: instant('saga_started_at'),
  },
  (t) => [
    uniqueIndex('tutor_accounts_pending').on(t.userId).where(sql`status = 'pending'`),
    // What the sweep looks through.
    index('tutor_accounts_unstarted').on(t.createdAt).where(sql`saga_started_at is null and status = 'pending'`),
    check('tutor_accounts_status', sql`${t.status} in ('pending', 'opened', 'refused')`),
  ],
);
