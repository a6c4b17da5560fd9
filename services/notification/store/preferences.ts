import { eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { notificationPreferences } from '../../../db/schema/notification';
import type { NotificationPreferences } from '../contract';
import { DEFAULT_PREFERENCES } from '../rules';

/** The user's choice, or the defaults for one who made none. */
export async function readPreferences(db: Database | Transaction, userId: string): Promise<NotificationPreferences> {
  const [row] = await db.select().from(notificationPreferences).where(eq(notificationPreferences.userId, userId));
  if (!row) return DEFAULT_PREFERENCES;
  return {
    reminders: { email: row.remindersEmail, inApp: row.remindersInApp },
    reviewRequests: { email: row.reviewRequestsEmail, inApp: row.reviewRequestsInApp },
  };
}

/** Replaces the user's choice as a whole. When two choices arrive at once, the later one stays. */
export async function writePreferences(
  db: Database,
  userId: string,
  preferences: NotificationPreferences,
): Promise<NotificationPreferences> {
  const columns = toColumns(preferences);
  await db
    .insert(notificationPreferences)
    .values({ userId, ...columns })
    .onConflictDoUpdate({ target: notificationPreferences.userId, set: { ...columns, updatedAt: sql`now()` } });
  return preferences;
}

/** A choice as its row has it. */
export function toColumns({ reminders, reviewRequests }: NotificationPreferences) {
  return {
    remindersEmail: reminders.email,
    remindersInApp: reminders.inApp,
    reviewRequestsEmail: reviewRequests.email,
    reviewRequestsInApp: reviewRequests.inApp,
  };
}
