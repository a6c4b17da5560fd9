import { sql } from 'drizzle-orm';
import { boolean, check, index, integer, jsonb, pgTable, smallint, text, unique, uuid } from 'drizzle-orm/pg-core';
import type { ErrorCode, FieldError } from '../../kernel/errors';
import type { Party } from '../../kernel/session';
import type { BookingStatus, PaymentStatus, StatusReason } from '../../kernel/statuses';
import { instant, minorUnits } from './platform';

export { adminActs, consumerCursors, events, idempotencyKeys, parkedEvents } from './platform';

/**
 * What a student asked for, stored with the idempotency key before the saga starts; its id is the booking's. `settled_at`
 * is set once the booking is made or refused.
 */
export const bookingRequests = pgTable(
  'booking_requests',
  {
    id: uuid().primaryKey(),
    studentId: uuid('student_id').notNull(),
    tutorId: uuid('tutor_id').notNull(),
    subject: text().notNull(),
    scheduledAt: instant('scheduled_at').notNull(),
    durationMinutes: integer('duration_minutes').notNull(),
    pricingOptionId: uuid('pricing_option_id'),
    /** Set by the saga's first step: until then it may never have started, and whoever locks the row may refuse the request. */
    sagaStartedAt: instant('saga_started_at'),
    refusal: jsonb().$type<{ code: ErrorCode; detail: string; errors?: FieldError[] }>(),
    /** Who cancelled it before a booking was made of it, and what they wrote. */
    cancelledBy: text('cancelled_by').$type<Party>(),
    noteId: uuid('note_id'),
    settledAt: instant('settled_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (t) => [
    // What the sweep looks through: a few rows, of which each leaves it with the first step of its saga.
    index('booking_requests_unstarted').on(t.createdAt).where(sql`saga_started_at is null and settled_at is null`),
  ],
);

/**
 * A second migration adds `bookings_one_at_a_time`: no student has two live bookings at overlapping times. Every list of
 * a person's bookings, filtered by status or not, is a range of one of the indexes below, in either direction.
 */
export const bookings = pgTable(
  'bookings',
  {
    id: uuid()
      .primaryKey()
      .references(() => bookingRequests.id),
    studentId: uuid('student_id').notNull(),
    tutorId: uuid('tutor_id').notNull(),
    status: text().$type<BookingStatus>().notNull(),
    statusReason: text('status_reason').$type<StatusReason>(),
    /** Until when a pending booking waits for what `status_reason` names. */
    waitingUntil: instant('waiting_until'),
    subject: text().notNull(),
    startsAt: instant('starts_at').notNull(),
    endsAt: instant('ends_at').notNull(),
    durationMinutes: integer('duration_minutes').notNull(),
    meetingUrl: text('meeting_url'),
    instantBooking: boolean('instant_booking').notNull(),
    cancelledBy: text('cancelled_by').$type<Party>(),
    noteId: uuid('note_id'),
    /** When the tutor moved the session to its time; null when it is the time that the student chose. */
    movedByTutorAt: instant('moved_by_tutor_at'),
    /** How much of the money a cancel of a confirmed booking gives back. Payment says what it came to. */
    refundPercent: smallint('refund_percent'),
    /** The same as amounts, of cancels of before. */
    refundDue: minorUnits('refund_due'),
    retained: minorUnits('retained'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [
    index('bookings_student').on(t.studentId, t.startsAt, t.id),
    index('bookings_student_status').on(t.studentId, t.status, t.startsAt, t.id),
    index('bookings_tutor').on(t.tutorId, t.startsAt, t.id),
    index('bookings_tutor_status').on(t.tutorId, t.status, t.startsAt, t.id),
    index('bookings_start').on(t.startsAt, t.id),
    index('bookings_status').on(t.status, t.startsAt, t.id),
    check('bookings_status', sql`${t.status} in ('pending', 'confirmed', 'completed', 'cancelled', 'refunded')`),
    check('bookings_times', sql`${t.endsAt} > ${t.startsAt}`),
    check('bookings_refund_percent', sql`${t.refundPercent} between 0 and 100`),
    check('bookings_refund_due', sql`(${t.refundDue} is null) = (${t.retained} is null)`),
  ],
);

/** People and price as they were when the booking was made. */
export const bookingSnapshots = pgTable(
  'booking_snapshots',
  {
    bookingId: uuid('booking_id')
      .primaryKey()
      .references(() => bookings.id),
    studentName: text('student_name').notNull(),
    /** Empty since notification knows where people are reached; a process of before still writes and reads it. */
    studentEmail: text('student_email').notNull().default(''),
    studentTimeZone: text('student_time_zone').notNull(),
    studentLocale: text('student_locale').notNull(),
    tutorName: text('tutor_name').notNull(),
    tutorEmail: text('tutor_email').notNull().default(''),
    tutorTimeZone: text('tutor_time_zone').notNull(),
    tutorLocale: text('tutor_locale').notNull(),
    price: minorUnits('price').notNull(),
    currency: text().notNull(),
  },
  (t) => [check('booking_snapshots_price', sql`${t.price} > 0`)],
);

/** What identity says of people: a projection of the topic `identity.people`. */
export const people = pgTable('people', {
  userId: uuid('user_id').primaryKey(),
  /** Of what identity said: an older one changes nothing. */
  version: integer().notNull(),
  displayName: text('display_name').notNull(),
});

/** payment's newest known state of the booking's payment. */
export const payments = pgTable(
  'payments',
  {
    id: uuid().primaryKey(),
    bookingId: uuid('booking_id')
      .notNull()
      .unique()
      .references(() => bookings.id),
    version: integer().notNull(),
    status: text().$type<PaymentStatus>().notNull(),
    amount: minorUnits('amount').notNull(),
    captured: minorUnits('captured').notNull(),
    refunded: minorUnits('refunded').notNull(),
    currency: text().notNull(),
    clientSecret: text('client_secret'),
    declineCode: text('decline_code'),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (t) => [check('payments_refunded', sql`${t.refunded} between 0 and ${t.captured}`)],
);

/** Each change of what was given back, from one version of the payment to the next; negative when a refund failed after all. */
export const refunds = pgTable(
  'refunds',
  {
    id: uuid().primaryKey(),
    bookingId: uuid('booking_id')
      .notNull()
      .references(() => bookings.id),
    paymentId: uuid('payment_id')
      .notNull()
      .references(() => payments.id),
    version: integer().notNull(),
    amount: minorUnits('amount').notNull(),
    currency: text().notNull(),
    recordedAt: instant('recorded_at').notNull().defaultNow(),
  },
  (t) => [
    unique('refunds_payment_version').on(t.paymentId, t.version),
    index('refunds_booking').on(t.bookingId),
    check('refunds_amount', sql`${t.amount} <> 0`),
  ],
);

/** Free text about a booking. Workflows carry its id only. */
export const bookingNotes = pgTable(
  'booking_notes',
  {
    id: uuid().primaryKey(),
    bookingId: uuid('booking_id')
      .notNull()
      .references(() => bookingRequests.id),
    kind: text().$type<'cancel' | 'decline' | 'resolve'>().notNull(),
    authorId: uuid('author_id').notNull(),
    text: text().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (t) => [index('booking_notes_booking').on(t.bookingId)],
);
