import { and, count, desc, eq, isNull, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/client';
import { notificationDeliveryLog, notificationPreferences, notifications } from '../../db/schema/notification';
import { ProblemError } from '../../kernel/errors';
import { type KeyedRequest, once, type StoredReply, undoOnce } from '../../platform/idempotency';
import { uuidv7 } from '../../platform/ids';
import { appendEvent } from '../../platform/outbox';
import type { DeliveryStatus, Notification, NotificationPreferences, SentNotification, TemplateName } from './contract';
import { channelsFor, DEFAULT_PREFERENCES, isOptional, type SendOutcome } from './rules';

/** Longer than one attempt can take (`SEND_DEADLINE_MS` of the mailer), so that a lease never ends under a sender that lives. */
export const SENDING_LEASE_SECONDS = 30;

type Row = typeof notifications.$inferSelect;

/** A message to be recorded before it is sent. */
export interface Announcement {
  businessKey: string;
  recipientId: string;
  template: TemplateName;
  title: string;
  message: string;
  bookingId: string | null;
  paymentId: string | null;
}

/** The right to send a message once. */
export interface Sending {
  /** The message's id. */
  id: string;
  /** Which attempt this is, from 1; names it when the outcome is recorded. */
  attempt: number;
  /** When the message was first recorded. */
  createdAt: Date;
}

export type SendClaim = { kind: 'send'; sending: Sending } | { kind: 'settled'; notification: SentNotification };

/**
 * Records the message and claims the right to send it, in one transaction. Requests with one business key, however many
 * and however late, send one at a time, and none sends once the message is settled. When the process of an attempt died,
 * another attempt may be made after the lease.
 * @throws ProblemError idempotency_key_reused when the key stands for another template or recipient;
 * idempotency_in_progress while another attempt holds the lease
 */
export async function claimSend(db: Database, announcement: Announcement): Promise<SendClaim> {
  return db.transaction(async (tx) => {
    const { template, recipientId } = announcement;
    const preferences = isOptional(template) ? await readPreferences(tx, recipientId) : DEFAULT_PREFERENCES;
    const { email, inApp } = channelsFor(template, preferences);
    const status = email ? ('pending' as const) : ('suppressed' as const);
    const leasedUntil = email ? sql`now() + make_interval(secs => ${SENDING_LEASE_SECONDS})` : null;

    const [inserted] = await tx
      .insert(notifications)
      .values({ ...announcement, id: uuidv7(), inApp, status, attempts: email ? 1 : 0, leasedUntil })
      .onConflictDoNothing()
      .returning();
    if (inserted) return begin(tx, inserted);

    const found = await lockByKey(tx, announcement);
    if (found.status !== 'pending') return settled(found.id, found.status);
    const { title, message } = announcement;
    const attempts = email ? found.attempts + 1 : found.attempts;
    const [again] = await tx
      .update(notifications)
      .set({ title, message, inApp, status, attempts, leasedUntil })
      .where(eq(notifications.id, found.id))
      .returning();
    return begin(tx, again ?? found);
  });
}

/** The row of the key, locked; the insert that met it has waited for whoever was writing it. */
async function lockByKey(tx: Transaction, wanted: Announcement): Promise<Row> {
  const [row] = await tx
    .select({ row: notifications, leased: sql<boolean>`coalesce(${notifications.leasedUntil} > now(), false)` })
    .from(notifications)
    .where(eq(notifications.businessKey, wanted.businessKey))
    .for('update');
  if (!row || row.leased) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
  if (row.row.template !== wanted.template || row.row.recipientId !== wanted.recipientId)
    throw new ProblemError('idempotency_key_reused');
  return row.row;
}

async function begin(tx: Transaction, row: Row): Promise<SendClaim> {
  if (row.status !== 'pending') return settled(row.id, row.status);
  await tx
    .insert(notificationDeliveryLog)
    .values({ notificationId: row.id, attempt: row.attempts, outcome: 'unknown' });
  return { kind: 'send', sending: { id: row.id, attempt: row.attempts, createdAt: row.createdAt } };
}

function settled(id: string, status: Exclude<DeliveryStatus, 'pending'>): SendClaim {
  return { kind: 'settled', notification: { id, status } };
}

/**
 * Records what became of an attempt: its line in the delivery log and, when that settles the message, status and event.
 * Returns the message as it now stands; `pending` when it is to be tried again. Safe to repeat.
 */
export async function recordOutcome(
  db: Database,
  { id, attempt }: Sending,
  outcome: SendOutcome,
): Promise<{ id: string; status: DeliveryStatus }> {
  return db.transaction(async (tx) => {
    const isOpen = outcome.kind === 'unavailable';
    const status = isOpen ? 'pending' : outcome.kind === 'sent' ? 'sent' : 'failed';
    // A later attempt may have settled the message, or be under way: then this one's failure changes nothing.
    const [row] = await tx
      .update(notifications)
      .set({ status, leasedUntil: null, ...(status === 'sent' && { sentAt: sql`now()` }) })
      .where(
        and(
          eq(notifications.id, id),
          eq(notifications.status, 'pending'),
          isOpen ? eq(notifications.attempts, attempt) : undefined,
        ),
      )
      .returning();
    await tx
      .update(notificationDeliveryLog)
      .set({
        outcome: outcome.kind,
        smtpCode: outcome.smtpCode,
        errorCode: outcome.kind === 'sent' ? null : outcome.errorCode,
        finishedAt: sql`now()`,
      })
      .where(and(eq(notificationDeliveryLog.notificationId, id), eq(notificationDeliveryLog.attempt, attempt)));
    if (row && status !== 'pending') await appendEvent(tx, eventOf(row, status));
    return { id, status: row ? status : await statusOf(tx, id) };
  });
}

async function statusOf(tx: Transaction, id: string): Promise<DeliveryStatus> {
  const [row] = await tx.select({ status: notifications.status }).from(notifications).where(eq(notifications.id, id));
  if (!row) throw new ProblemError('not_found');
  return row.status;
}

function eventOf(row: Row, status: 'sent' | 'failed') {
  return {
    streamId: row.id,
    type: status === 'sent' ? 'NotificationSent' : 'NotificationFailed',
    data: {
      notificationId: row.id,
      recipientId: row.recipientId,
      template: row.template,
      channel: 'email',
      bookingId: row.bookingId,
      paymentId: row.paymentId,
    },
  };
}

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
  const [rows, [total]] = await Promise.all([
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
  return {
    items: items.map(toWire),
    nextId: rows.length > page.limit ? (items.at(-1)?.id ?? null) : null,
    unreadCount: total?.unread ?? 0,
  };
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

/** Gives a new user the defaults, once per key. What a user has chosen already stays. @throws ProblemError undone */
export async function createPreferences(
  db: Database,
  request: KeyedRequest,
  userId: string,
): Promise<StoredReply<NotificationPreferences>> {
  return once(db, request, async (tx) => {
    await tx
      .insert(notificationPreferences)
      .values({ userId, ...toColumns(DEFAULT_PREFERENCES) })
      .onConflictDoNothing();
    return { status: 201, body: await readPreferences(tx, userId) };
  });
}

/** Undo of createPreferences; harmless when there are none. */
export async function removePreferences(db: Database, request: KeyedRequest, userId: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    await tx.delete(notificationPreferences).where(eq(notificationPreferences.userId, userId));
    return { status: 204, body: null };
  });
}

function toColumns({ reminders, reviewRequests }: NotificationPreferences) {
  return {
    remindersEmail: reminders.email,
    remindersInApp: reminders.inApp,
    reviewRequestsEmail: reviewRequests.email,
    reviewRequestsInApp: reviewRequests.inApp,
  };
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
