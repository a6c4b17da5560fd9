import {
  aliasedTable,
  and,
  asc,
  eq,
  gt,
  inArray,
  isNotNull,
  isNull,
  lte,
  not,
  notExists,
  or,
  type Placeholder,
  sql,
} from 'drizzle-orm';
import { builtOnce, type Database, theOnly } from '../../../db/client';
import {
  notificationDeliveryLog,
  notificationPreferences,
  notifications,
  type SealedFacts,
} from '../../../db/schema/notification';
import { appendEvent } from '../../../platform/outbox';
import type { DeliveryStatus } from '../contract';
import { notificationEvents } from '../events';
import { pauseAfter, type SendOutcome, TRIED_FOR_HOURS, templatesOf } from '../rules';

/** What is announced when a mail is to be sent: see `platform/changes.ts`. */
export const MAILS_DUE = 'mails-due';

/** Longer than one attempt can take (`SEND_DEADLINE_MS` of the mailer), so that a lease never ends under a sender that lives. */
export const SENDING_LEASE_SECONDS = 30;

type Row = typeof notifications.$inferSelect;

/** The right to send one mail once. */
export interface Sending {
  id: string;
  /** Which attempt this is, from 1; names it when the outcome is recorded. */
  attempt: number;
  /** When the message was first recorded. */
  createdAt: Date;
  businessKey: string;
  template: string;
  facts: SealedFacts;
}

/** Sealed and not settled: what deliveries are about. Rows of the code of before are not. */
const open = isNotNull(notifications.facts);
const notLeased = or(isNull(notifications.leasedUntil), lte(notifications.leasedUntil, sql`now()`));
const past = lte(notifications.usefulUntil, sql`now()`);
const sealedWith = (keyId: string | Placeholder) => sql`${notifications.facts} ->> 'keyId' = ${keyId}`;
const triedLongEnough = sql`${notifications.createdAt} <= now() - make_interval(hours => ${TRIED_FOR_HOURS})`;

/** Whether the recipient does not want such mails: asked at each attempt, because a mail can wait for long. */
function unwanted(db: Pick<Database, 'select'>) {
  const off = db
    .select({ one: sql`1` })
    .from(notificationPreferences)
    .where(
      and(
        eq(notificationPreferences.userId, notifications.recipientId),
        or(
          and(inArray(notifications.template, templatesOf('reminder')), not(notificationPreferences.remindersEmail)),
          and(
            inArray(notifications.template, templatesOf('review_request')),
            not(notificationPreferences.reviewRequestsEmail),
          ),
        ),
      ),
    );
  return sql<boolean>`exists (${off})`;
}

const { placeholder } = sql;

/** Looked for with every mail and every second: so it is built once. */
const dueMails = builtOnce((db: Database) => {
  const older = aliasedTable(notifications, 'older');
  const underWay = db
    .select({ one: sql`1` })
    .from(older)
    .where(
      and(
        eq(older.bookingId, notifications.bookingId),
        eq(older.recipientId, notifications.recipientId),
        eq(older.replacedBy, notifications.id),
        gt(older.leasedUntil, sql`now()`),
      ),
    );
  const due = db.$with('due').as(
    db
      .select({ id: notifications.id })
      .from(notifications)
      .where(
        and(
          open,
          lte(notifications.dueAt, sql`now()`),
          notLeased,
          isNull(notifications.replacedBy),
          sealedWith(placeholder('keyId')),
          sql`${past} is not true`,
          sql`not ${unwanted(db)}`,
          notExists(underWay),
          sql`${notifications.id} <> all(${placeholder('except')}::uuid[])`,
        ),
      )
      .orderBy(asc(notifications.dueAt))
      .limit(placeholder('most'))
      .for('update', { skipLocked: true }),
  );
  const claimed = db.$with('claimed').as(
    db
      .update(notifications)
      .set({
        attempts: sql`${notifications.attempts} + 1`,
        leasedUntil: sql`now() + make_interval(secs => ${SENDING_LEASE_SECONDS})`,
      })
      .from(due)
      .where(eq(notifications.id, due.id))
      .returning({
        id: notifications.id,
        attempt: notifications.attempts,
        createdAt: notifications.createdAt,
        businessKey: notifications.businessKey,
        template: notifications.template,
        // What is open has them.
        facts: sql<SealedFacts>`${notifications.facts}`.mapWith(notifications.facts).as('facts'),
      }),
  );
  const begun = db
    .$with('begun', {})
    .as(
      sql`insert into ${notificationDeliveryLog} ("notification_id", "attempt", "outcome") select "id", "attempts", 'unknown' from claimed`,
    );
  return db.with(due, claimed, begun).select().from(claimed).prepare('due_mails');
});

/**
 * Claims at most `most` mails that are due, those that wait longest first, each for one attempt; their lines in the delivery log are
 * begun. Whoever asks at the same time gets others. A notice waits while one whose place it took is still being sent, so that an older
 * one never arrives after it. When the process of an attempt died, another one is made after the lease. Left alone are `except`,
 * whose outcome is known and not recorded yet, and what was sealed with another key.
 */
export async function claimDue(
  db: Database,
  wanted: { keyId: string; most: number; except: string[] },
): Promise<Sending[]> {
  return dueMails(db, {}).execute(wanted);
}

/**
 * Records what became of an attempt: its line in the delivery log, and status and event when that settles the notice, or when the
 * next attempt is due. A failed attempt is the last one when a newer notice has taken the place of this one, or after a day. Returns the
 * status as it now stands, undefined when there is no such notice any more. Safe to repeat.
 */
export async function recordOutcome(
  db: Database,
  { id, attempt }: Pick<Sending, 'id' | 'attempt'>,
  outcome: SendOutcome,
): Promise<DeliveryStatus | undefined> {
  return db.transaction(async (tx) => {
    const mayBeTriedAgain = outcome.kind === 'unavailable';
    const fate = mayBeTriedAgain
      ? {
          status: sql`case when ${notifications.replacedBy} is not null then 'replaced' when ${triedLongEnough} then 'failed' else 'pending' end`,
          dueAt: sql`now() + make_interval(secs => ${pauseAfter(attempt)})`,
        }
      : outcome.kind === 'sent'
        ? { status: 'sent' as const, sentAt: sql`now()` }
        : { status: 'failed' as const };
    const logged = tx.$with('logged').as(
      tx
        .update(notificationDeliveryLog)
        .set({
          outcome: outcome.kind,
          smtpCode: outcome.smtpCode,
          errorCode: outcome.kind === 'sent' ? null : outcome.errorCode,
          finishedAt: sql`now()`,
        })
        .where(and(eq(notificationDeliveryLog.notificationId, id), eq(notificationDeliveryLog.attempt, attempt)))
        .returning({ id: notificationDeliveryLog.notificationId }),
    );
    // A later attempt may have settled the notice, or be under way: then this one's failure changes nothing.
    const [row] = await tx
      .with(logged)
      .update(notifications)
      .set({ ...fate, leasedUntil: null })
      .where(
        and(
          eq(notifications.id, id),
          eq(notifications.status, 'pending'),
          mayBeTriedAgain ? eq(notifications.attempts, attempt) : undefined,
        ),
      )
      .returning();
    if (row?.status === 'sent' || row?.status === 'failed') await appendEvent(tx, notificationEvents, eventOf(row));
    if (row) return row.status;
    const [settled] = await tx
      .select({ status: notifications.status })
      .from(notifications)
      .where(eq(notifications.id, id));
    return settled?.status;
  });
}

/**
 * Settles what is not to be sent any more: what is past its use, what its recipient has switched off meanwhile, what a newer notice has
 * replaced while a process sent it that died, and what was sealed with a key that nobody brought for a day.
 */
export async function settleOverdue(db: Database, keyId: string): Promise<void> {
  const nobodyOpens = sql`(not ${sealedWith(keyId)} and ${triedLongEnough})`;
  const isReplaced = isNotNull(notifications.replacedBy);
  await db.transaction(async (tx) => {
    const off = unwanted(tx);
    const settled = await tx
      .update(notifications)
      .set({
        status: sql`case when ${isReplaced} then 'replaced' when ${past} then 'expired' when ${off} then 'suppressed' else 'failed' end`,
        leasedUntil: null,
      })
      .where(and(open, notLeased, or(isReplaced, past, off, nobodyOpens)))
      .returning();
    for (const row of settled) if (row.status === 'failed') await appendEvent(tx, notificationEvents, eventOf(row));
  });
}

/** How many mails wait, by whether the key at hand opens them. */
export async function countWaiting(db: Database, keyId: string): Promise<{ own: number; other: number }> {
  const counted = await db
    .select({
      own: sql<number>`count(*) filter (where ${sealedWith(keyId)})::int`,
      other: sql<number>`count(*) filter (where not ${sealedWith(keyId)})::int`,
    })
    .from(notifications)
    .where(open);
  return theOnly(counted);
}

function eventOf(row: Row) {
  return {
    streamId: row.id,
    type: row.status === 'sent' ? ('NotificationSent' as const) : ('NotificationFailed' as const),
    data: {
      notificationId: row.id,
      recipientId: row.recipientId,
      participantIds: [row.recipientId],
      template: row.template,
      channel: 'email' as const,
      bookingId: row.bookingId,
      paymentId: row.paymentId,
    },
  };
}
