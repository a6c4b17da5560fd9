import { z } from 'zod';
import { ERROR_CODES, isErrorCode } from '../../kernel/errors';
import { MINUTE } from '../../kernel/time';
import { Instant, InstantOut, Money, PageQuery, text, Uuid } from '../../platform/schemas';

/** Sessions start on the quarter hour and last 30 to 240 minutes in steps of 15. */
const QUARTER_MINUTES = 15;
const SHORTEST_MINUTES = 30;
const LONGEST_MINUTES = 240;

export const BookingStatus = z.enum(['pending', 'confirmed', 'completed', 'cancelled', 'refunded']);
export type BookingStatus = z.output<typeof BookingStatus>;

/** Why a booking is in its status, or what a pending one waits for. Null: nothing in particular. */
export const StatusReason = z.enum([
  'awaiting_payment',
  'awaiting_tutor',
  'payment_declined',
  'payment_expired',
  'slot_unavailable',
  'declined',
  'tutor_expired',
  'cancelled_by_student',
  'cancelled_by_tutor',
  'cancelled_by_operator',
  'completed_by_tutor',
  'completed_by_time',
]);
export type StatusReason = z.output<typeof StatusReason>;

/** The reasons a booking can be cancelled for. */
export const CancelReason = StatusReason.extract([
  'payment_declined',
  'payment_expired',
  'slot_unavailable',
  'declined',
  'tutor_expired',
  'cancelled_by_student',
  'cancelled_by_tutor',
  'cancelled_by_operator',
]);
export type CancelReason = z.output<typeof CancelReason>;

export const Party = z.enum(['student', 'tutor', 'operator']);
export type Party = z.output<typeof Party>;

export const PaymentStatus = z.enum([
  'pending',
  'requires_action',
  'authorized',
  'captured',
  'partially_refunded',
  'refunded',
  'voided',
  'failed',
]);
export type PaymentStatus = z.output<typeof PaymentStatus>;

export const StartTime = Instant.refine(
  (value) => Date.parse(value) % (QUARTER_MINUTES * MINUTE) === 0,
  'must be on the quarter hour',
)
  // Its end must be an instant too, and those have years of four digits.
  .refine((value) => Date.parse(value) < Date.UTC(9999, 11, 31), 'must be before the last day of 9999')
  .meta({ description: 'Start of the session, on the quarter hour' });

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
    actor: z.enum(['student', 'tutor', 'operator', 'system']),
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
    durationMinutes: z
      .int()
      .min(SHORTEST_MINUTES)
      .max(LONGEST_MINUTES)
      .multipleOf(QUARTER_MINUTES)
      .meta({ multipleOf: QUARTER_MINUTES }),
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
