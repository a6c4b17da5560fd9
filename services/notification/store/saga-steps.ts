import { and, eq, inArray, ne, or, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { notificationPreferences, notifications, type SealedFacts } from '../../../db/schema/notification';
import { ProblemError } from '../../../kernel/errors';
import { announcing } from '../../../platform/changes';
import { type KeyedRequest, once, type StoredReply, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import type { Contact, NotificationPreferences, RecordedNotification, TemplateName } from '../contract';
import { channelsFor, DEFAULT_PREFERENCES, isOptional, overtakenBy, replacedBy } from '../rules';
import { keepContacts, removeContact } from './contacts';
import { MAILS_DUE } from './deliveries';
import { readPreferences, toColumns } from './preferences';

/** A message to be recorded. */
export interface Announcement {
  businessKey: string;
  recipientId: string;
  template: TemplateName;
  title: string;
  message: string;
  bookingId: string | null;
  paymentId: string | null;
  usefulUntil: Date | null;
  facts: SealedFacts;
}

/**
 * Records the message, so that its mail is delivered, and puts unsent ones aside whose place it takes. Once per business key: a
 * repetition, however late, changes nothing. The exception is a row that the code of before made, which waits for a message that it
 * does not hold: the first repetition brings it.
 * @throws ProblemError idempotency_key_reused when the key stands for another template or recipient; idempotency_in_progress
 * while the code of before is sending
 */
export async function recordNotification(
  db: Database | Transaction,
  announcement: Announcement,
): Promise<RecordedNotification> {
  return db.transaction(async (tx) => {
    const { businessKey, recipientId, template, bookingId, paymentId, ...substance } = announcement;
    const { ending, older } = await standing(tx, announcement);
    const preferences = isOptional(template) ? await readPreferences(tx, recipientId) : DEFAULT_PREFERENCES;
    const { email, inApp } = channelsFor(template, preferences);
    const row = {
      ...substance,
      status: ending ? ('replaced' as const) : email ? unlessPast(substance.usefulUntil) : ('suppressed' as const),
      // Newest first, as the list is, it would say that what has ended goes on.
      inApp: inApp && !ending,
      replacedBy: ending ?? null,
      dueAt: sql`now()`,
      leasedUntil: null,
    };
    const recorded = { id: notifications.id, status: notifications.status, ...announcing(MAILS_DUE) };
    const [inserted] = await tx
      .insert(notifications)
      .values({ id: uuidv7(), businessKey, recipientId, template, bookingId, paymentId, attempts: 0, ...row })
      .onConflictDoNothing()
      .returning(recorded);
    if (!inserted) {
      const found = await lockByKey(tx, announcement);
      if (found.status !== 'pending' || found.facts) return { id: found.id, status: found.status };
      if (found.leased) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
    }
    const { id, status } =
      inserted ??
      theOnly(
        await tx.update(notifications).set(row).where(eq(notifications.businessKey, businessKey)).returning(recorded),
      );
    if (older.length > 0) await replace(tx, older, id);
    return { id, status };
  });
}

/** Sealed facts come along in every case: the database keeps them for pending rows alone. */
function unlessPast(usefulUntil: Date | null) {
  if (!usefulUntil) return 'pending' as const;
  return sql`case when ${usefulUntil.toISOString()}::timestamptz <= now() then 'expired' else 'pending' end`;
}

/**
 * How a message stands to others of its booking and recipient: `ending` is one after which it comes too late, `older` are those
 * whose place it takes. From here to the commit nobody else records one of these: of any two, one is the newer.
 */
async function standing(
  tx: Transaction,
  { businessKey, bookingId, recipientId, template }: Announcement,
): Promise<{ ending?: string; older: string[] }> {
  const [replaced, endings] = [replacedBy(template), overtakenBy(template)];
  if (bookingId === null || replaced.length === 0) return { older: [] };
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`${bookingId}:${recipientId}`}, 0))`);
  const others = await tx
    .select({ id: notifications.id, template: notifications.template })
    .from(notifications)
    .where(
      and(
        eq(notifications.bookingId, bookingId),
        eq(notifications.recipientId, recipientId),
        ne(notifications.businessKey, businessKey),
        or(
          inArray(notifications.template, [...endings]),
          and(eq(notifications.status, 'pending'), inArray(notifications.template, replaced)),
        ),
      ),
    );
  const ending = others.find((other) => endings.some((end) => end === other.template));
  return ending ? { ending: ending.id, older: [] } : { older: others.map(({ id }) => id) };
}

/** Has `newer` take the place of unsent ones. One that is being sent right now keeps its attempt; see `recordOutcome`. */
async function replace(tx: Transaction, older: string[], newer: string): Promise<void> {
  await tx
    .update(notifications)
    .set({
      replacedBy: newer,
      status: sql`case when ${notifications.leasedUntil} > now() then 'pending' else 'replaced' end`,
      leasedUntil: sql`case when ${notifications.leasedUntil} > now() then ${notifications.leasedUntil} end`,
    })
    .where(and(inArray(notifications.id, older), eq(notifications.status, 'pending')));
}

/** The row of the key, locked; the insert that met it has waited for whoever was writing it. */
async function lockByKey(tx: Transaction, wanted: Announcement) {
  const [row] = await tx
    .select({
      id: notifications.id,
      status: notifications.status,
      template: notifications.template,
      recipientId: notifications.recipientId,
      facts: notifications.facts,
      leased: sql<boolean>`coalesce(${notifications.leasedUntil} > now(), false)`,
    })
    .from(notifications)
    .where(eq(notifications.businessKey, wanted.businessKey))
    .for('update');
  if (row?.template !== wanted.template || row.recipientId !== wanted.recipientId)
    throw new ProblemError('idempotency_key_reused');
  return row;
}

/** Gives a new user the defaults and keeps their contact, once per key. What a user has chosen already stays. @throws ProblemError undone */
export async function createPreferences(
  db: Database,
  request: KeyedRequest,
  userId: string,
  contact: Contact | undefined,
): Promise<StoredReply<NotificationPreferences>> {
  return once(db, request, async (tx) => {
    if (contact) await keepContacts(tx, [contact]);
    await tx
      .insert(notificationPreferences)
      .values({ userId, ...toColumns(DEFAULT_PREFERENCES) })
      .onConflictDoNothing();
    return { status: 201, body: await readPreferences(tx, userId) };
  });
}

/** Undo of createPreferences: no preferences and no contact remain. Harmless when there are none. */
export async function removePreferences(db: Database, request: UndoRequest, userId: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    await tx.delete(notificationPreferences).where(eq(notificationPreferences.userId, userId));
    await removeContact(tx, userId);
    return { status: 204, body: null };
  });
}
