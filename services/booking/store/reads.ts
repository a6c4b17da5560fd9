import { and, asc, desc, eq, gt, gte, inArray, lt, ne, sql } from 'drizzle-orm';
import { z } from 'zod';
import { builtOnce, type Database, type Transaction } from '../../../db/client';
import {
  bookingNotes,
  bookingRequests,
  bookingSnapshots,
  bookings,
  events,
  payments,
  people,
} from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import { listCursor } from '../../../platform/cursor';
import { Uuid } from '../../../platform/schemas';
import { bookingWorkflowId } from '../../../workflows/booking.api';
import type { InternalBooking, ListQuery, RequestedBooking, StoredRequest, TimelineItem } from '../contract';
import { type Progress, reasonAfter } from '../rules/request';
import type { Session } from '../rules/session';

// What people and activities read.

type Handle = Database | Transaction;

// Only what a reply is made of: a page of a list spends most of its time on columns.
const columns = {
  booking: {
    id: bookings.id,
    studentId: bookings.studentId,
    tutorId: bookings.tutorId,
    status: bookings.status,
    statusReason: bookings.statusReason,
    waitingUntil: bookings.waitingUntil,
    subject: bookings.subject,
    startsAt: bookings.startsAt,
    durationMinutes: bookings.durationMinutes,
    meetingUrl: bookings.meetingUrl,
    cancelledBy: bookings.cancelledBy,
    createdAt: bookings.createdAt,
    updatedAt: bookings.updatedAt,
  },
  snapshot: {
    // As identity has them now; as they were when booked until that is known.
    studentName: sql<string>`coalesce(${people.displayName}, ${bookingSnapshots.studentName})`,
    studentTimeZone: bookingSnapshots.studentTimeZone,
    studentLocale: bookingSnapshots.studentLocale,
    tutorName: bookingSnapshots.tutorName,
    tutorTimeZone: bookingSnapshots.tutorTimeZone,
    tutorLocale: bookingSnapshots.tutorLocale,
    price: bookingSnapshots.price,
    currency: bookingSnapshots.currency,
  },
  payment: {
    id: payments.id,
    status: payments.status,
    amount: payments.amount,
    captured: payments.captured,
    refunded: payments.refunded,
    currency: payments.currency,
    clientSecret: payments.clientSecret,
    declineCode: payments.declineCode,
  },
  note: bookingNotes.text,
};

function selectBookings(db: Handle) {
  return db
    .select(columns)
    .from(bookings)
    .innerJoin(bookingSnapshots, eq(bookingSnapshots.bookingId, bookings.id))
    .leftJoin(payments, eq(payments.bookingId, bookings.id))
    .leftJoin(bookingNotes, eq(bookingNotes.id, bookings.noteId))
    .leftJoin(people, eq(people.userId, bookings.studentId))
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
    studentTimeZone: snapshot.studentTimeZone,
    studentLocale: snapshot.studentLocale,
    tutorTimeZone: snapshot.tutorTimeZone,
    tutorLocale: snapshot.tutorLocale,
  };
}

function toPayment(payment: NonNullable<Row['payment']>): InternalBooking['payment'] {
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

const oneBooking = builtOnce((db: Handle) =>
  selectBookings(db)
    .where(eq(bookings.id, sql.placeholder('id')))
    .prepare('one_booking'),
);

async function findBooking(db: Handle, id: string): Promise<InternalBooking | undefined> {
  const [row] = await oneBooking(db, {}).execute({ id });
  return row && toBooking(row);
}

/** The booking, or the request where there is none (yet). @throws ProblemError not_found */
export async function readBookingOrRequested(db: Handle, id: string): Promise<InternalBooking | RequestedBooking> {
  const booking = await findBooking(db, id);
  if (booking) return booking;
  const { request, note } = await requestRow(db, id);
  // Made between the two looks.
  if (request.settledAt && !request.refusal) return readBooking(db, id);
  return toRequested(request, note);
}

type RequestRow = typeof bookingRequests.$inferSelect;

function toRequested(request: RequestRow, note: string | null): RequestedBooking {
  const { refusal, cancelledBy, createdAt, settledAt } = request;
  return {
    id: request.id,
    status: refusal ? 'cancelled' : 'pending',
    statusReason: cancelledBy ? `cancelled_by_${cancelledBy}` : refusal && reasonAfter(refusal),
    waitingUntil: null,
    tutorId: request.tutorId,
    studentId: request.studentId,
    tutorName: null,
    studentName: null,
    subject: request.subject,
    scheduledAt: request.scheduledAt.toISOString(),
    durationMinutes: request.durationMinutes,
    price: null,
    payment: null,
    meetingUrl: null,
    cancelledBy,
    cancelReason: note,
    workflowId: bookingWorkflowId(request.id),
    createdAt: createdAt.toISOString(),
    updatedAt: (settledAt ?? createdAt).toISOString(),
    refusal: refusal && { code: refusal.code, detail: refusal.detail },
  };
}

async function requestRow(db: Handle, id: string): Promise<{ request: RequestRow; note: string | null }> {
  const [row] = await db
    .select({ request: bookingRequests, note: bookingNotes.text })
    .from(bookingRequests)
    .leftJoin(bookingNotes, eq(bookingNotes.id, bookingRequests.noteId))
    .where(eq(bookingRequests.id, id));
  if (!row) throw new ProblemError('not_found');
  return row;
}

/** @throws ProblemError not_found */
export async function readRequest(db: Handle, id: string): Promise<StoredRequest> {
  return asStored((await requestRow(db, id)).request);
}

/** What the client asked for, as its row says. */
export function asStored(row: RequestRow): StoredRequest {
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

/** What the text of a list's query depends on. */
interface ListShape {
  owner: 'student' | 'tutor' | 'all';
  filters: readonly ('status' | 'from' | 'to' | 'cursor')[];
  descending: boolean;
}

const { placeholder } = sql;
/** Of the year 9999, the last that an instant has here. */
const LAST_START = Date.UTC(9999, 11, 31);

const bookingList = builtOnce((db: Database, { owner, filters, descending }: ListShape) => {
  const by = descending ? desc : asc;
  const here = sql`(${bookings.startsAt}, ${bookings.id})`;
  const last = sql`(${placeholder('lastStart')}::timestamptz, ${placeholder('lastId')}::uuid)`;
  const conditions = {
    status: eq(bookings.status, placeholder('status')),
    from: gte(bookings.startsAt, placeholder('from')),
    to: lt(bookings.startsAt, placeholder('to')),
    cursor: descending ? sql`${here} < ${last}` : sql`${here} > ${last}`,
  };
  const owners = {
    student: eq(bookings.studentId, placeholder('ownerId')),
    tutor: eq(bookings.tutorId, placeholder('ownerId')),
    all: undefined,
  };
  return selectBookings(db)
    .where(and(owners[owner], ...filters.map((filter) => conditions[filter])))
    .orderBy(by(bookings.startsAt), by(bookings.id))
    .limit(placeholder('rows'))
    .prepare('booking_list');
});

/** Where a page ended: the start of its last session, in milliseconds since the epoch, and the booking's id. */
export const placeInList = listCursor(z.tuple([z.int().min(0).max(LAST_START), Uuid]));

/** One page, by the start of the session and then the id; keyset, so that a page costs the same however far in it is. */
export async function listBookings(
  db: Database,
  owner: Owner,
  query: ListQuery,
): Promise<{ items: InternalBooking[]; nextCursor: string | null }> {
  const [lastStart, lastId] = query.cursor === undefined ? [] : placeInList.read(query.cursor);
  const shape: ListShape = {
    owner: owner === 'all' ? 'all' : 'studentId' in owner ? 'student' : 'tutor',
    filters: (['status', 'from', 'to', 'cursor'] as const).filter((filter) => query[filter] !== undefined),
    descending: query.sort === '-scheduledAt',
  };
  const rows = await bookingList(db, shape).execute({
    ownerId: owner === 'all' ? undefined : Object.values(owner)[0],
    status: query.status,
    from: query.from,
    to: query.to,
    rows: query.limit + 1,
    lastStart: lastStart === undefined ? undefined : new Date(lastStart).toISOString(),
    lastId,
  });
  const page = rows.slice(0, query.limit);
  const end = rows.length > page.length ? page.at(-1)?.booking : undefined;
  return { items: page.map(toBooking), nextCursor: end ? placeInList.write([end.startsAt.getTime(), end.id]) : null };
}

const timeline = builtOnce((db: Database) =>
  db
    .select({ type: events.type, data: events.data, occurredAt: events.occurredAt })
    .from(events)
    // A baseline is nothing that happened to the booking.
    .where(and(eq(events.streamId, sql.placeholder('id')), ne(events.type, 'BookingBaseline')))
    .orderBy(events.version)
    .prepare('timeline'),
);

/** What happened to the booking, oldest first. Events of bookings hold no personal data. */
export async function readTimeline(db: Database, id: string): Promise<TimelineItem[]> {
  const rows = await timeline(db, {}).execute({ id });
  // Who is told of it is nothing that happened: whoever reads a timeline is.
  return rows.map(({ occurredAt, type, data: { actor, participantIds: _, ...data } }) => ({
    at: occurredAt.toISOString(),
    type,
    actor: actor === 'student' || actor === 'tutor' || actor === 'operator' ? actor : 'system',
    data,
  }));
}
