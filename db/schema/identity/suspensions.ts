import { sql } from 'drizzle-orm';
import { index, pgTable, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { instant } from '../platform';
import { users } from './accounts';

/**
 * When somebody was kept out, and until when: null until an administrator says otherwise. Why stands in `admin_acts`. A person has one at most that
 * has not ended.
 */
export const suspensions = pgTable(
  'suspensions',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    until: instant('until'),
    createdAt: instant('created_at').notNull().defaultNow(),
    endedAt: instant('ended_at'),
    sagaStartedAt: instant('saga_started_at'),
    /** When its saga has heard that it is over. */
    heardEndAt: instant('heard_end_at'),
  },
  (t) => [
    uniqueIndex('suspensions_open').on(t.userId).where(sql`ended_at is null`),
    // What the sweep looks through.
    index('suspensions_unstarted').on(t.createdAt).where(sql`saga_started_at is null`),
    index('suspensions_unheard').on(t.endedAt).where(sql`ended_at is not null and heard_end_at is null`),
  ],
);
