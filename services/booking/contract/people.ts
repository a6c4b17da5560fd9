import { z } from 'zod';
import { ERROR_CODES, isErrorCode } from '../../../kernel/errors';
import { PARTIES } from '../../../kernel/session';
import { BOOKING_STATUSES, CANCEL_REASONS, PAYMENT_STATUSES, STATUS_REASONS } from '../../../kernel/statuses';
import {
  Instant,
  InstantOut,
  Money,
  PageQuery,
  SessionMinutes,
  SessionStart,
  text,
  Uuid,
} from '../../../platform/schemas';

export const BookingStatus = z.enum(BOOKING_STATUSES);

/** Why a booking is in its status, or what a pending one waits for. Null: nothing in particular. */
export const StatusReason = z.enum(STATUS_REASONS);

/** The reasons a booking can be cancelled for. */
export const CancelReason = z.enum(CANCEL_REASONS);

export const Party = z.enum(PARTIES);

export const PaymentStatus = z.enum(PAYMENT_STATUSES);

export const StartTime = SessionStart.meta({ description: 'Start of the session, on the quarter hour' });

const BookingPayment = z
  .object({
    id: Uuid,
    status: PaymentStatus,
    amount: Money,
    captured: Money,
    refunded: Money,
    clientSecret: z
      .string()
      .optional()
      .meta({ description: 'For the student alone, while the bank wants to be asked (3-D Secure)' }),
    declineCode: z.string().optional().meta({ description: "The card issuer's reason, for the student alone" }),
  })
  .meta({ id: 'BookingPayment' });

export const Booking = z
  .object({
    id: Uuid,
    status: BookingStatus,
    statusReason: StatusReason.nullable(),
    waitingUntil: InstantOut.nullable().meta({ description: 'When the wait that `statusReason` names ends' }),
    tutorId: Uuid,
    studentId: Uuid,
    tutorName: z.string(),
    studentName: z.string(),
    subject: z.string(),
    scheduledAt: InstantOut,
    durationMinutes: z.int(),
    price: Money,
    payment: z.union([BookingPayment, z.null()]),
    meetingUrl: z.string().nullable(),
    cancelledBy: Party.nullable(),
    cancelReason: z.string().nullable().meta({ description: 'What the person who cancelled or declined wrote' }),
    workflowId: z.string(),
    createdAt: InstantOut,
    updatedAt: InstantOut,
  })
  .meta({ id: 'Booking' });
export type Booking = z.output<typeof Booking>;

/**
 * A request to book whose booking is not made: not yet, or not at all (`refusal`). What the terms of the tutor say is unknown
 * then, and so are the names.
 */
export const RequestedBooking = Booking.extend({
  status: z.enum(['pending', 'cancelled']),
  statusReason: z.null(),
  waitingUntil: z.null(),
  tutorName: z.null(),
  studentName: z.null(),
  price: z.null(),
  payment: z.null(),
  meetingUrl: z.null(),
  cancelledBy: z.null(),
  cancelReason: z.null(),
  refusal: z
    .union([z.object({ code: z.string(), detail: z.string() }), z.null()])
    .meta({ description: 'Why nothing was booked, by the code that the request would have been refused with' }),
}).meta({ id: 'RequestedBooking' });
export type RequestedBooking = z.output<typeof RequestedBooking>;

/** What an id that POST answered with leads to: `price` is null while there is no booking behind it. */
export const BookingOrRequested = z.union([Booking, RequestedBooking]);
export type BookingOrRequested = z.output<typeof BookingOrRequested>;

export const TimelineItem = z
  .object({
    at: InstantOut,
    type: z.string(),
    actor: z.enum([...PARTIES, 'system']),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'BookingTimelineItem' });
export type TimelineItem = z.output<typeof TimelineItem>;

export const NewBooking = z
  .strictObject({
    // Lower case, as every id is written: a workflow's search attributes are compared as text.
    tutorId: Uuid.toLowerCase(),
    subject: text(1, 100),
    scheduledAt: StartTime,
    durationMinutes: SessionMinutes,
    // Workflow histories hold it and people read those: a Stripe token, never anything a card number could pass as.
    paymentMethodId: z.string().regex(/^pm_[A-Za-z0-9_]{1,200}$/, 'must be a Stripe payment method (pm_…)'),
    pricingOptionId: Uuid.toLowerCase().optional(),
  })
  .meta({ id: 'NewBooking' });
export type NewBooking = z.output<typeof NewBooking>;

const MeetingUrl = text(1, 2_000).refine(isMeetingUrl, 'must be an https URL without a user name or password');

function isMeetingUrl(value: string): boolean {
  // A URL parser drops or escapes spaces, line breaks, quotes and angle brackets; in a mail or a page they would do harm.
  if (/[\s"<>]/.test(value) || !URL.canParse(value)) return false;
  const url = new URL(value);
  return url.protocol === 'https:' && url.username === '' && url.password === '';
}

export const BookingChange = z
  .strictObject({ scheduledAt: StartTime.optional(), meetingUrl: z.union([MeetingUrl, z.null()]).optional() })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'change at least one field')
  .meta({ id: 'BookingChange' });

export const Reason = z.strictObject({ reason: text(1, 1_000).optional() });

export const ListQuery = PageQuery.extend({
  role: z.enum(['student', 'tutor']).optional(),
  status: BookingStatus.optional(),
  from: Instant.optional(),
  to: Instant.optional(),
  sort: z.enum(['-scheduledAt', 'scheduledAt']).default('-scheduledAt'),
});
export type ListQuery = z.output<typeof ListQuery>;

// What the saga's activities send and get.

/** payment's state of a booking's payment, as booking keeps it; a higher `version` is newer. */
export const PaymentProjection = z
  .strictObject({
    id: Uuid,
    version: z.int().min(0),
    status: PaymentStatus,
    amount: Money,
    captured: Money,
    refunded: Money,
    clientSecret: z.string().max(500).nullable(),
    declineCode: z.string().max(100).nullable().optional(),
  })
  .refine(({ captured, refunded }) => refunded.amount <= captured.amount, 'more was refunded than captured')
  .refine(
    ({ amount, captured, refunded }) => new Set([amount.currency, captured.currency, refunded.currency]).size === 1,
    'the amounts are not of one currency',
  );
export type PaymentProjection = z.output<typeof PaymentProjection>;

const Person = z.strictObject({ name: text(1, 300), email: text(3, 320), timeZone: text(1, 64), locale: text(1, 35) });

export const InternalBooking = Booking.extend({
  studentEmail: z.string(),
  studentTimeZone: z.string(),
  studentLocale: z.string(),
  tutorEmail: z.string(),
  tutorTimeZone: z.string(),
  tutorLocale: z.string(),
});
export type InternalBooking = z.output<typeof InternalBooking>;

/** What the client asked for, stored before the saga starts. */
export const BookingRequest = z.object({
  bookingId: Uuid,
  studentId: Uuid,
  tutorId: Uuid,
  subject: z.string(),
  scheduledAt: InstantOut,
  durationMinutes: z.int(),
  pricingOptionId: Uuid.nullable(),
});
export type BookingRequest = z.output<typeof BookingRequest>;

export const Creation = z.strictObject({
  student: Person,
  tutor: Person,
  subject: text(1, 100),
  price: Money,
  instantBooking: z.boolean(),
});
export type Creation = z.output<typeof Creation>;

export const Created = z.object({
  bookingId: Uuid,
  price: Money,
  startsAt: InstantOut,
  endsAt: InstantOut,
  instantBooking: z.boolean(),
});
export type Created = z.output<typeof Created>;

export const Refusal = z.strictObject({
  code: z.enum(Object.keys(ERROR_CODES).filter(isErrorCode)),
  detail: text(1, 500),
  errors: z
    .array(z.strictObject({ path: z.string().max(200), message: z.string().max(500) }))
    .max(50)
    .optional(),
});
export type Refusal = z.output<typeof Refusal>;
