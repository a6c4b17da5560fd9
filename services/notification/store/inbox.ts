import { and, asc, count, desc, eq, isNull, lt, sql } from 'drizzle-orm';
import { type Database, theOnly } from '../../../db/client';
import { notifications } from '../../../db/schema/notification';
import { ProblemError } from '../../../kernel/errors';
import type { Notice, Notification } from '../contract';

type Row = typeof notifications.$inferSelect;

export interface NotificationPage {
  items: Notification[];
  /** The id to go on after, when there is more. */
  nextId: string | null;
  unreadCount: number;
}

/** What a user was told, newest first, `limit` at most, older than notification `before`. */
export async function listNotifications(
  db: Database,
  userId: string,
  page: { before: string | undefined; limit: number; unreadOnly: boolean },
): Promise<NotificationPage> {
  const unread = and(listedFor(userId), isNull(notifications.readAt));
  const [rows, totals] = await Promise.all([
    db
      .select()
      .from(notifications)
      .where(
        and(page.unreadOnly ? unread : listedFor(userId), page.before ? lt(notifications.id, page.before) : undefined),
      )
      .orderBy(desc(notifications.id))
      .limit(page.limit + 1),
    db.select({ unread: count() }).from(notifications).where(unread),
  ]);
  const items = rows.slice(0, page.limit);
  const last = rows.length > page.limit ? items.at(-1) : undefined;
  return { items: items.map(toWire), nextId: last?.id ?? null, unreadCount: theOnly(totals).unread };
}

const listedFor = (userId: string) => and(eq(notifications.recipientId, userId), eq(notifications.inApp, true));

/** Marks one of the user's own as read; the first time stays. @throws ProblemError not_found, also for a stranger's */
export async function markRead(db: Database, userId: string, id: string): Promise<Notification> {
  const [row] = await db
    .update(notifications)
    .set({ readAt: sql`coalesce(${notifications.readAt}, now())` })
    .where(and(eq(notifications.id, id), listedFor(userId)))
    .returning();
  if (!row) throw new ProblemError('not_found');
  return toWire(row);
}

/** Marks all of the user's own as read and returns how many were not. */
export async function markAllRead(db: Database, userId: string): Promise<number> {
  const marked = await db
    .update(notifications)
    .set({ readAt: sql`now()` })
    .where(and(listedFor(userId), isNull(notifications.readAt)))
    .returning({ id: notifications.id });
  return marked.length;
}

/** What was told of a booking, oldest first. */
export async function noticesOfBooking(db: Database, bookingId: string): Promise<Notice[]> {
  const { template, recipientId, status, createdAt, sentAt, id } = notifications;
  const rows = await db
    .select({ template, recipientId, status, createdAt, sentAt })
    .from(notifications)
    .where(eq(notifications.bookingId, bookingId))
    .orderBy(asc(id));
  return rows.map(({ createdAt: recorded, sentAt: sent, ...row }) => ({
    ...row,
    recordedAt: recorded.toISOString(),
    sentAt: sent?.toISOString() ?? null,
  }));
}

function toWire(row: Row): Notification {
  return {
    id: row.id,
    type: row.template,
    title: row.title,
    message: row.message,
    bookingId: row.bookingId,
    paymentId: row.paymentId,
    status: row.status,
    sentAt: row.sentAt?.toISOString() ?? null,
    readAt: row.readAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
