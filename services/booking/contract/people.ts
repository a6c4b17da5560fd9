import { z } from 'zod';
import { OPERATOR_ACTIONS } from '../../../kernel/saga-type';
import { PARTIES } from '../../../kernel/session';
import { BOOKING_STATUSES, CANCEL_REASONS, PAYMENT_STATUSES, STATUS_REASONS } from '../../../kernel/statuses';
import { ActReason } from '../../../platform/audit';
import { endpoint } from '../../../platform/endpoint';
import {
  HttpsUrl,
  IdParams,
  InstantOut,
  Money,
  PageQuery,
  PaymentMethodId,
  pageOf,
  QueryInstant,
  SessionMinutes,
  SessionStart,
  Subject,
  text,
  Uuid,
} from '../../../platform/schemas';

// What students, tutors and administrators are promised: `/api/bookings`, through the gateway.

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
  statusReason: z
    .enum([
      'cancelled_by_student',
      'cancelled_by_tutor',
      'cancelled_by_operator',
      'slot_unavailable',
      'platform_unavailable',
    ])
    .nullable()
    .meta({ description: 'As a booking would say it; null for a refusal that no booking could have met' }),
  waitingUntil: z.null(),
  tutorName: z.null(),
  studentName: z.null(),
  price: z.null(),
  payment: z.null(),
  meetingUrl: z.null(),
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
    subject: Subject,
    scheduledAt: StartTime,
    durationMinutes: SessionMinutes,
    paymentMethodId: PaymentMethodId,
    pricingOptionId: Uuid.toLowerCase().optional(),
  })
  .meta({ id: 'NewBooking' });
export type NewBooking = z.output<typeof NewBooking>;

export const BookingChange = z
  .strictObject({ scheduledAt: StartTime.optional(), meetingUrl: z.union([HttpsUrl, z.null()]).optional() })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'change at least one field')
  .meta({ id: 'BookingChange', minProperties: 1 });

/** What the other party is told. */
export const Reason = z.strictObject({ reason: text(1, 1_000) });

export const ListQuery = PageQuery.extend({
  role: z.enum(['student', 'tutor']).optional(),
  status: BookingStatus.optional(),
  from: QueryInstant.optional(),
  to: QueryInstant.optional(),
  sort: z.enum(['-scheduledAt', 'scheduledAt']).default('-scheduledAt'),
});
export type ListQuery = z.output<typeof ListQuery>;

/** What people do with bookings. */
export const peopleOperations = {
  bookSession: endpoint({
    method: 'post',
    path: '/api/bookings',
    operationId: 'bookSession',
    summary: 'Book a session with a tutor',
    description:
      'Answers 201 once the booking is confirmed or waits for the tutor, 202 when the bank must be asked ' +
      '(`payment.clientSecret`) or it takes over ten seconds: read on at `Location`. A 202 without a `price` is of a ' +
      'request that is stored and whose booking is still to be made. 402 and 409 carry `bookingId` where a booking was made. ' +
      'A request that began nothing and is not repeated within ten minutes is refused for good (`request_expired`). ' +
      'A student has at most three bookings whose payment is not yet authorised (`too_many_pending`).',
    access: ['student'],
    idempotency: 'required',
    body: NewBooking,
    replies: { 201: Booking, 202: BookingOrRequested },
    errors: [
      'payment_declined',
      'payment_expired',
      'payment_failed',
      'payment_rejected',
      'slot_unavailable',
      'conflict',
      'too_many_pending',
      'invalid_state',
      'request_expired',
      'not_found',
      'overloaded',
    ],
  }),
  listBookings: endpoint({
    method: 'get',
    path: '/api/bookings',
    operationId: 'listBookings',
    summary: 'List my bookings',
    description:
      'Ordered by the start of the session, latest first unless `sort=scheduledAt`. `from` (inclusive) and `to` ' +
      '(exclusive) limit that start. Without `role`: as what one is signed in; administrators then see all.',
    access: 'user',
    query: ListQuery,
    replies: { 200: pageOf(Booking).meta({ id: 'BookingPage' }) },
  }),
  getBooking: endpoint({
    method: 'get',
    path: '/api/bookings/{id}',
    operationId: 'getBooking',
    summary: 'Get a booking, or the request it is still to be made of',
    access: 'user',
    params: IdParams,
    replies: { 200: BookingOrRequested },
  }),
  changeBooking: endpoint({
    method: 'patch',
    path: '/api/bookings/{id}',
    operationId: 'changeBooking',
    summary: 'Move a session or set its meeting link',
    description:
      'Same duration and price. A student may move it until 24 hours before its start, a tutor until its start; only ' +
      'the tutor sets the meeting link.',
    access: ['student', 'tutor'],
    idempotency: 'optional',
    params: IdParams,
    body: BookingChange,
    replies: { 200: Booking },
    errors: ['invalid_state', 'slot_unavailable', 'conflict', 'too_many_moves'],
  }),
  confirmBooking: endpoint({
    method: 'post',
    path: '/api/bookings/{id}/confirm',
    operationId: 'confirmBooking',
    summary: 'Accept a booking as its tutor',
    access: ['tutor'],
    idempotency: 'optional',
    params: IdParams,
    replies: { 200: Booking },
    errors: ['invalid_state', 'payment_failed', 'payment_declined', 'slot_unavailable', 'conflict'],
  }),
  declineBooking: endpoint({
    method: 'post',
    path: '/api/bookings/{id}/decline',
    operationId: 'declineBooking',
    summary: 'Decline a booking as its tutor',
    access: ['tutor'],
    idempotency: 'optional',
    params: IdParams,
    body: Reason.meta({ id: 'BookingDecline' }),
    replies: { 200: Booking },
    errors: ['invalid_state', 'conflict'],
  }),
  cancelBooking: endpoint({
    method: 'post',
    path: '/api/bookings/{id}/cancel',
    operationId: 'cancelBooking',
    summary: 'Cancel a booking',
    description:
      'Before it is paid everything is given back. After that: a student gets all back until 24 hours before the ' +
      'start, half until 4 hours before, nothing later; a cancel by the tutor or an operator gives all back.',
    access: 'user',
    idempotency: 'optional',
    params: IdParams,
    body: Reason.meta({ id: 'BookingCancellation' }),
    replies: { 200: BookingOrRequested },
    errors: ['invalid_state', 'conflict', 'forbidden'],
  }),
  completeBooking: endpoint({
    method: 'post',
    path: '/api/bookings/{id}/complete',
    operationId: 'completeBooking',
    summary: 'Say as its tutor that the session took place',
    access: ['tutor'],
    idempotency: 'optional',
    params: IdParams,
    replies: { 200: Booking },
    errors: ['invalid_state', 'conflict'],
  }),
  resolveBooking: endpoint({
    method: 'post',
    path: '/api/bookings/{id}/resolve',
    operationId: 'resolveBooking',
    summary: 'Answer a saga that needs attention',
    description:
      '`retry` tries what is stuck at once; `accept` gives it up, because it was settled by other means. Money is accepted by what became of it: `paid_elsewhere` or `waived`; what was reserved for it is free again. `step` names what is meant, as the saga’s details show it; it can be left out where exactly one thing is stuck.',
    access: ['admin'],
    idempotency: 'optional',
    params: IdParams,
    body: z
      .strictObject({
        step: text(1, 200).optional(),
        action: z.enum(OPERATOR_ACTIONS),
        note: ActReason,
      })
      .meta({ id: 'BookingResolution' }),
    replies: { 204: null },
    errors: ['invalid_state', 'conflict', 'validation_failed'],
  }),
  bookingTimeline: endpoint({
    method: 'get',
    path: '/api/bookings/{id}/timeline',
    operationId: 'bookingTimeline',
    summary: 'What happened to a booking, oldest first',
    access: 'user',
    params: IdParams,
    replies: { 200: z.object({ items: z.array(TimelineItem) }).meta({ id: 'BookingTimeline' }) },
  }),
} as const;
