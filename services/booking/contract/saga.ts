import { z } from 'zod';
import { ERROR_CODES, isErrorCode } from '../../../kernel/errors';
import { endpoint } from '../../../platform/endpoint';
import { foldOperations } from '../../../platform/fold-operations';
import { KnownName } from '../../../platform/names';
import {
  IdParams,
  Instant,
  InstantOut,
  KnownTimeZone,
  Locale,
  Money,
  Subject,
  Swept,
  text,
  Uuid,
} from '../../../platform/schemas';
import { evidenceOperations } from './evidence';
import { Booking, CancelReason, Party, PaymentStatus, StartTime } from './people';

// What the booking saga's activities are promised: `/internal/bookings`, never routed by the gateway.

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

const Person = z.strictObject({
  name: KnownName,
  timeZone: KnownTimeZone,
  locale: Locale,
  /** A worker of before says it. It is kept nowhere. */
  email: z.string().optional(),
});

export const InternalBooking = Booking.extend({
  studentTimeZone: z.string(),
  studentLocale: z.string(),
  tutorTimeZone: z.string(),
  tutorLocale: z.string(),
});
export type InternalBooking = z.output<typeof InternalBooking>;

/** What the client asked for, stored before the saga starts. */
export const StoredRequest = z.object({
  bookingId: Uuid,
  studentId: Uuid,
  tutorId: Uuid,
  subject: z.string(),
  scheduledAt: InstantOut,
  durationMinutes: z.int(),
  pricingOptionId: Uuid.nullable(),
});
export type StoredRequest = z.output<typeof StoredRequest>;

export const Creation = z.strictObject({
  student: Person,
  tutor: Person,
  subject: Subject,
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

/** What a cancel gives back. */
export const CancelTerms = z.object({
  /** Of what is left of the payment when it is given back. */
  percent: z.int().min(0).max(100),
  /** The same by booking's copy of the payment, for workers of before. */
  refund: Money,
  retained: Money,
});
export type CancelTerms = z.output<typeof CancelTerms>;

/** A move that somebody asks for; `requestedAt` is when the request arrived. */
export const MoveWish = z.strictObject({ scheduledAt: StartTime, by: Party, requestedAt: Instant });
export type MoveWish = z.output<typeof MoveWish>;

const command = { access: 'service', idempotency: 'required', params: IdParams } as const;

/** The saga's steps, each named by what it does to the booking, and what activities read. */
export const sagaOperations = {
  ...evidenceOperations,
  ...foldOperations('Booking'),
  readForNotices: endpoint({
    method: 'get',
    path: '/internal/bookings/{id}',
    operationId: 'internalGetBooking',
    summary: 'A booking with what mails about it need',
    access: 'service',
    params: IdParams,
    // A worker of before wants addresses to be there. They are empty: whoever is written to is reached as notification knows.
    replies: { 200: InternalBooking.extend({ studentEmail: z.string(), tutorEmail: z.string() }) },
  }),
  beginRequest: endpoint({
    method: 'post',
    path: '/internal/bookings/{id}/begin',
    operationId: 'internalBeginBookingRequest',
    summary: 'What the client asked for; from now on its saga has begun, and nobody else refuses it',
    access: 'service',
    params: IdParams,
    replies: { 200: StoredRequest },
    errors: ['undone'],
  }),
  getRequest: endpoint({
    method: 'get',
    path: '/internal/bookings/{id}/request',
    operationId: 'internalGetBookingRequest',
    summary: 'The same, as workers of before ask for it',
    access: 'service',
    params: IdParams,
    replies: { 200: StoredRequest },
    errors: ['undone'],
  }),
  sweepRequests: endpoint({
    method: 'post',
    path: '/internal/bookings/sweep',
    operationId: 'internalSweepBookingRequests',
    summary: 'Refuse for good what never began and was given up by its client',
    access: 'service',
    replies: { 200: Swept },
  }),
  createPending: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/create',
    operationId: 'internalCreateBooking',
    summary: 'Make the booking, pending, from its stored request',
    // Price and names were gathered for the request, and may be others when the step is repeated.
    fingerprint: [],
    body: Creation,
    replies: { 200: Created },
    errors: ['conflict', 'too_many_pending', 'undone'],
  }),
  refuseRequest: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/refuse',
    operationId: 'internalRefuseBooking',
    summary: 'Another context refused: what the waiting client is answered with',
    // Asked again, the other context may refuse it for another reason; the first one stays.
    fingerprint: [],
    body: Refusal,
    replies: { 204: null },
  }),
  recordPayment: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/payment',
    operationId: 'internalRecordPayment',
    summary: 'Record the state of the payment; an older version is ignored',
    body: z.strictObject({ payment: PaymentProjection, awaitingUntil: z.union([Instant, z.null()]).optional() }),
    replies: { 204: null },
    errors: ['conflict'],
  }),
  awaitTutor: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/await-tutor',
    operationId: 'internalAwaitTutor',
    summary: 'The tutor is asked',
    body: z.strictObject({ respondBy: Instant }),
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
  confirmPending: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/confirm',
    operationId: 'internalConfirmBooking',
    summary: 'Pending to confirmed',
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
  cancelPending: endpoint({
    ...command,
    idempotency: 'undo',
    method: 'post',
    path: '/internal/bookings/{id}/cancel',
    operationId: 'internalCancelBooking',
    summary: 'Undo of create: pending to cancelled, or nothing at all',
    body: z.strictObject({ reason: CancelReason, noteId: Uuid.nullable(), cancelledBy: Party.nullable() }),
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
  cancelConfirmed: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/cancel-confirmed',
    operationId: 'internalCancelConfirmedBooking',
    summary: 'Confirmed to cancelled, and the share that is to be given back',
    body: z.strictObject({ by: Party, noteId: Uuid.nullable(), requestedAt: Instant }),
    replies: { 200: CancelTerms },
    errors: ['invalid_state'],
  }),
  recordRefund: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/refunded',
    operationId: 'internalRecordRefund',
    summary: 'Record a refund; a cancelled booking that got all back becomes refunded',
    // The key names the version of the payment that was looked up for it.
    fingerprint: [],
    body: z.strictObject({ payment: PaymentProjection }),
    replies: { 204: null },
    errors: ['conflict'],
  }),
  admitMove: endpoint({
    method: 'post',
    path: '/internal/bookings/{id}/admit-move',
    operationId: 'internalAdmitMove',
    summary: 'Whether a confirmed session may be moved so: by the terms, and by the student’s other sessions',
    access: 'service',
    params: IdParams,
    body: MoveWish,
    replies: { 204: null },
    errors: ['invalid_state', 'slot_unavailable', 'conflict'],
  }),
  moveConfirmed: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/reschedule',
    operationId: 'internalRescheduleBooking',
    summary: 'Move a confirmed session, same duration',
    body: z.strictObject({ scheduledAt: StartTime, by: Party.optional() }),
    replies: { 200: z.object({ previousStart: InstantOut, startsAt: InstantOut, endsAt: InstantOut }) },
    errors: ['invalid_state', 'conflict'],
  }),
  completeConfirmed: endpoint({
    ...command,
    method: 'post',
    path: '/internal/bookings/{id}/complete',
    operationId: 'internalCompleteBooking',
    summary: 'Confirmed to completed',
    body: z.strictObject({ by: z.enum(['tutor', 'time']) }),
    replies: { 204: null },
    errors: ['invalid_state'],
  }),
} as const;
