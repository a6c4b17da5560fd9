import { and, asc, desc, eq, gt, gte, inArray, lt, type SQL, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/client';
import { bookingNotes, bookingRequests, bookingSnapshots, bookings, events, payments } from '../../db/schema/booking';
import { ProblemError } from '../../kernel/errors';
import { appendEvent } from '../../platform/outbox';
import { bookingWorkflowId } from '../../workflows/booking.api';
import type { BookingRequest, InternalBooking, ListQuery, StuckBooking, TimelineItem } from './contract';
import { isLive, type Progress, type Session } from './rules';

// What clients and activities read, and the one write that needs no saga. The saga's writes: saga.store.ts.

type Handle = Database | Transaction;

const shape = { booking: bookings, snapshot: bookingSnapshots, payment: payments, note: bookingNotes.text };

function selectBookings(db: Handle) {
  return db
    .select(shape)
    .from(bookings)
    .innerJoin(bookingSnapshots, eq(bookingSnapshots.bookingId, bookings.id))
    .leftJoin(payments, eq(payments.bookingId, bookings.id))
    .leftJoin(bookingNotes, eq(bookingNotes.id, bookings.noteId))
    .$dynamic();
}

type Row = Awaited<ReturnType<typeof selectBookings>>[number];

/** In the contract's order of fields, so that a reply reads the same however it came about. */
function toBooking({ booking, snapshot, payment, note }: Row): InternalBooking {
  return {
    id: booking.id,
    status: booking.status,
    statusReason: booking.statusReason,
    waitingUntil: booking.waitingUntil?.toISOString() ?? null,
    tutorId: booking.tutorId,
    studentId: booking.studentId,
    tutorName: snapshot.tutorName,
    studentName: snapshot.studentName,
    subject: booking.subject,
    scheduledAt: booking.startsAt.toISOString(),
    durationMinutes: booking.durationMinutes,
    price: { amount: snapshot.price, currency: snapshot.currency },
    payment: payment && toPayment(payment),
    meetingUrl: booking.meetingUrl,
    cancelledBy: booking.cancelledBy,
    cancelReason: note,
    workflowId: bookingWorkflowId(booking.id),
    createdAt: booking.createdAt.toISOString(),
    updatedAt: booking.updatedAt.toISOString(),
    studentEmail: snapshot.studentEmail,
    studentTimeZone: snapshot.studentTimeZone,
    studentLocale: snapshot.studentLocale,
    tutorEmail: snapshot.tutorEmail,
    tutorTimeZone: snapshot.tutorTimeZone,
    tutorLocale: snapshot.tutorLocale,
  };
}

function toPayment(payment: typeof payments.$inferSelect): InternalBooking['payment'] {
  const { currency, status, clientSecret, declineCode } = payment;
  return {
    id: payment.id,
    status,
    amount: { amount: payment.amount, currency },
    captured: { amount: payment.captured, currency },
    refunded: { amount: payment.refunded, currency },
    ...(clientSecret !== null && { clientSecret }),
    ...(declineCode !== null && { declineCode }),
  };
}

/** @throws ProblemError not_found */
export async function readBooking(db: Handle, id: string): Promise<InternalBooking> {
  const booking = await findBooking(db, id);
  if (!booking) throw new ProblemError('not_found');
  return booking;
}

export async function findBooking(db: Handle, id: string): Promise<InternalBooking | undefined> {
  const [row] = await selectBookings(db).where(eq(bookings.id, id));
  return row && toBooking(row);
}

/** @throws ProblemError not_found */
export async function readRequest(db: Handle, id: string): Promise<BookingRequest> {
  const [row] = await db.select().from(bookingRequests).where(eq(bookingRequests.id, id));
  if (!row) throw new ProblemError('not_found');
  return {
    bookingId: row.id,
    studentId: row.studentId,
    tutorId: row.tutorId,
    subject: row.subject,
    scheduledAt: row.scheduledAt.toISOString(),
    durationMinutes: row.durationMinutes,
    pricingOptionId: row.pricingOptionId,
  };
}

/** What a request has come to. @throws ProblemError not_found */
export async function readProgress(db: Handle, id: string): Promise<Progress> {
  const [row] = await db
    .select({
      refusal: bookingRequests.refusal,
      status: bookings.status,
      statusReason: bookings.statusReason,
      declineCode: payments.declineCode,
    })
    .from(bookingRequests)
    .leftJoin(bookings, eq(bookings.id, bookingRequests.id))
    .leftJoin(payments, eq(payments.bookingId, bookings.id))
    .where(eq(bookingRequests.id, id));
  if (!row) throw new ProblemError('not_found');
  const { refusal, status, statusReason, declineCode } = row;
  return { refusal, booking: status && { status, statusReason, declineCode } };
}

/** The student's live sessions that share a moment with `session`; no lock, so a hint and not a guarantee. */
export async function liveSessions(db: Handle, studentId: string, session: Session): Promise<Session[]> {
  const rows = await db
    .select({ startsAt: bookings.startsAt, endsAt: bookings.endsAt })
    .from(bookings)
    .where(
      and(
        eq(bookings.studentId, studentId),
        inArray(bookings.status, ['pending', 'confirmed']),
        lt(bookings.startsAt, new Date(session.endsAt)),
        gt(bookings.endsAt, new Date(session.startsAt)),
      ),
    );
  return rows.map((row) => ({ startsAt: row.startsAt.toISOString(), endsAt: row.endsAt.toISOString() }));
}

/** Whose bookings: a student's, a tutor's, or everybody's. */
export type Owner = { studentId: string } | { tutorId: string } | 'all';

/** One page, by the start of the session and then the id; keyset, so that a page costs the same however far in it is. */
export async function listBookings(
  db: Database,
  owner: Owner,
  query: ListQuery,
): Promise<{ items: InternalBooking[]; nextCursor: string | null }> {
  const descending = query.sort === '-scheduledAt';
  const by = descending ? desc : asc;
  const rows = await selectBookings(db)
    .where(
      and(
        owner === 'all'
          ? undefined
          : 'studentId' in owner
            ? eq(bookings.studentId, owner.studentId)
            : eq(bookings.tutorId, owner.tutorId),
        query.status && eq(bookings.status, query.status),
        query.from === undefined ? undefined : gte(bookings.startsAt, new Date(query.from)),
        query.to === undefined ? undefined : lt(bookings.startsAt, new Date(query.to)),
        query.cursor === undefined ? undefined : beyond(query.cursor, descending),
      ),
    )
    .orderBy(by(bookings.startsAt), by(bookings.id))
    .limit(query.limit + 1);
  const page = rows.slice(0, query.limit);
  const last = rows.length > page.length ? page.at(-1)?.booking : undefined;
  return { items: page.map(toBooking), nextCursor: last ? cursorAt(last) : null };
}

function cursorAt(row: { startsAt: Date; id: string }): string {
  return Buffer.from(`${row.startsAt.getTime()} ${row.id}`).toString('base64url');
}

const CURSOR = /^(\d{1,14}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

function beyond(cursor: string, descending: boolean): SQL {
  const match = CURSOR.exec(Buffer.from(cursor, 'base64url').toString());
  if (!match) {
    throw new ProblemError('validation_failed', 'Some fields are not valid', {
      errors: [{ path: 'query.cursor', message: 'is not a cursor of this list' }],
    });
  }
  const key = sql`(${new Date(Number(match[1])).toISOString()}::timestamptz, ${match[2]}::uuid)`;
  const place = sql`(${bookings.startsAt}, ${bookings.id})`;
  return descending ? sql`${place} < ${key}` : sql`${place} > ${key}`;
}

/** What happened to the booking, oldest first. Events of bookings hold no personal data. */
export async function readTimeline(db: Database, id: string): Promise<TimelineItem[]> {
  const rows = await db.select().from(events).where(eq(events.streamId, id)).orderBy(events.version);
  return rows.map(({ occurredAt, type, data: { actor, ...data } }) => ({
    at: occurredAt.toISOString(),
    type,
    actor: actor === 'student' || actor === 'tutor' || actor === 'operator' ? actor : 'system',
    data,
  }));
}

/**
 * Sets or clears where the session takes place. The link opens a room, so the event says only that it changed.
 * @throws ProblemError not_found; invalid_state once the booking is over
 */
export async function setMeetingUrl(db: Database, id: string, meetingUrl: string | null): Promise<void> {
  await db.transaction(async (tx) => {
    const [row] = await tx.select().from(bookings).where(eq(bookings.id, id)).for('update');
    if (!row) throw new ProblemError('not_found');
    if (!isLive(row.status)) throw new ProblemError('invalid_state', `A booking that is ${row.status} takes no link`);
    if (row.meetingUrl === meetingUrl) return;
    await tx.update(bookings).set({ meetingUrl, updatedAt: sql`now()` }).where(eq(bookings.id, id));
    await appendEvent(tx, { streamId: id, type: 'BookingMeetingUrlChanged', data: { bookingId: id, actor: 'tutor' } });
  });
}

/** At most so many stuck things at once: the next sweep finds the others. */
const STUCK_LIMIT = 100;

/** What has made no progress for `minutes` though nothing says it waits: for the sweep. Oldest first. */
export async function listStuck(db: Database, minutes: number): Promise<StuckBooking[]> {
  const before = sql`now() - make_interval(mins => ${minutes})`;
  const unsettled = await db
    .select({ bookingId: bookingRequests.id, since: bookingRequests.createdAt })
    .from(bookingRequests)
    .where(sql`${bookingRequests.settledAt} is null and ${bookingRequests.createdAt} < ${before}`)
    .orderBy(bookingRequests.createdAt)
    .limit(STUCK_LIMIT);
  const pending = await db
    .select({
      bookingId: bookings.id,
      status: bookings.status,
      statusReason: bookings.statusReason,
      since: bookings.updatedAt,
    })
    .from(bookings)
    .where(
      sql`${bookings.status} = 'pending' and ${bookings.updatedAt} < ${before}
        and coalesce(${bookings.waitingUntil}, '-infinity') < ${before}`,
    )
    .orderBy(bookings.updatedAt)
    .limit(STUCK_LIMIT);
  return [...unsettled.map((row) => ({ ...row, status: null, statusReason: null })), ...pending]
    .sort((a, b) => a.since.getTime() - b.since.getTime())
    .slice(0, STUCK_LIMIT)
    .map((row) => ({ ...row, since: row.since.toISOString() }));
}
