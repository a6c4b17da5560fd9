import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { KnownName } from '../../../platform/names';
import {
  IdParams,
  Instant,
  InstantOut,
  KnownTimeZone,
  Money,
  SessionMinutes,
  SessionStart,
  Subject,
  Uuid,
} from '../../../platform/schemas';

export const Quote = z
  .strictObject({
    tutorId: Uuid,
    displayName: z.string(),
    timeZone: z.string(),
    instantBooking: z.boolean(),
    subject: z.string().meta({ description: 'As the tutor spells it' }),
    price: Money,
    startsAt: InstantOut,
    endsAt: InstantOut,
  })
  .meta({ id: 'Quote' });
export type Quote = z.output<typeof Quote>;

/** An interval that a booking keeps of its tutor's time. `expiresAt` is null once it is booked. */
export const Slot = z
  .strictObject({
    bookingId: Uuid,
    tutorId: Uuid,
    state: z.enum(['held', 'booked']),
    start: InstantOut,
    end: InstantOut,
    expiresAt: z.union([InstantOut, z.null()]),
  })
  .meta({ id: 'Slot' });
export type Slot = z.output<typeof Slot>;

/** A tutor who was unlisted and has to be told: `because` of this field of this price. */
export const PricesRefused = z
  .strictObject({ tutorId: Uuid, refusedAt: InstantOut, price: Money, because: z.enum(['currency', 'amount']) })
  .meta({ id: 'PricesRefused' });
export type PricesRefused = z.output<typeof PricesRefused>;

const ReviewParams = z.strictObject({ id: Uuid, reviewId: Uuid });
const BookingParams = z.strictObject({ bookingId: Uuid });

/** The steps of sagas: sign-up's and booking's, and the sweep's. */
export const sagaOperations = {
  createTutor: endpoint({
    method: 'post',
    path: '/internal/tutors',
    operationId: 'registerTutor',
    summary: 'Make the empty profile of a new user',
    access: 'service',
    idempotency: 'required',
    // Name and zone are looked up for it, and may be others when the step is repeated.
    fingerprint: ['userId'],
    body: z.strictObject({ userId: Uuid, displayName: KnownName, timeZone: KnownTimeZone }),
    replies: { 201: z.strictObject({ id: Uuid }) },
    errors: ['undone'],
  }),
  receiveReview: endpoint({
    method: 'post',
    path: '/internal/tutors/{id}/reviews/{reviewId}',
    operationId: 'receiveReview',
    summary: 'Count a published review of a tutor',
    description: 'A review counts once, whatever is said of it later.',
    access: 'service',
    idempotency: 'required',
    params: ReviewParams,
    fingerprint: ['rating'],
    body: z.strictObject({ rating: z.int().min(1).max(5) }),
    replies: { 204: null },
    errors: ['not_found'],
  }),
  removeTutor: endpoint({
    method: 'post',
    path: '/internal/tutors/{id}/remove',
    operationId: 'removeTutor',
    summary: 'Undo createTutor',
    description: 'A profile that its tutor completed meanwhile stays.',
    access: 'service',
    idempotency: 'undo',
    params: IdParams,
    replies: { 204: null },
  }),
  unlistTutor: endpoint({
    method: 'post',
    path: '/internal/tutors/{id}/unlist',
    operationId: 'unlistTutor',
    summary: 'The tutor is not found while this suspension lasts, whatever they do',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    body: z.strictObject({ suspensionId: Uuid }),
    replies: { 204: null },
  }),
  relistTutor: endpoint({
    method: 'post',
    path: '/internal/tutors/{id}/relist',
    operationId: 'relistTutor',
    summary: 'This suspension is over: the tutor is found again, if nothing else speaks against it',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    body: z.strictObject({ suspensionId: Uuid }),
    replies: { 204: null },
  }),
  quoteSession: endpoint({
    method: 'post',
    path: '/internal/tutors/{id}/quote',
    operationId: 'quoteSession',
    summary: 'Price a session and check that the tutor offers it',
    access: 'service',
    params: IdParams,
    body: z.strictObject({
      subject: Subject,
      scheduledAt: SessionStart,
      durationMinutes: SessionMinutes,
      pricingOptionId: Uuid.optional(),
    }),
    replies: { 200: Quote },
    errors: ['slot_unavailable'],
  }),
  holdSlot: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/hold',
    operationId: 'holdSlot',
    summary: 'Keep an interval for a booking until it expires, or book it outright',
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    body: z.strictObject({
      tutorId: Uuid,
      start: SessionStart,
      durationMinutes: SessionMinutes,
      /** Null: booked, as by `blockSlot`. */
      expiresAt: Instant.nullable(),
    }),
    replies: { 200: Slot },
    errors: ['slot_unavailable', 'invalid_state', 'undone'],
  }),
  extendHold: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/extend',
    operationId: 'extendSlot',
    summary: 'Let a hold expire at another time',
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    body: z.strictObject({ expiresAt: Instant }),
    replies: { 200: Slot },
    errors: ['slot_unavailable', 'undone'],
  }),
  blockSlot: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/block',
    operationId: 'blockSlot',
    summary: 'Turn a hold, also an expired one that nobody took, into a booked slot',
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    replies: { 200: Slot },
    errors: ['slot_unavailable', 'undone'],
  }),
  releaseSlot: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/release',
    operationId: 'releaseSlot',
    summary: 'Undo holdSlot and blockSlot: all that the booking keeps is free again',
    access: 'service',
    idempotency: 'undo',
    params: BookingParams,
    replies: { 204: null },
  }),
  reserveSlot: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/reserve',
    operationId: 'reserveSlot',
    summary: 'Take another interval of the same length, to which the session is about to move, beside its own',
    description: 'One that the booking keeps already is reserved without a question.',
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    body: z.strictObject({ start: SessionStart }),
    replies: { 200: Slot },
    errors: ['slot_unavailable', 'undone'],
  }),
  unreserveSlot: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/unreserve',
    operationId: 'unreserveSlot',
    summary: 'Undo reserveSlot: what that step reserved is free again',
    description: "Never refused. The session's own interval stays, also where that is what was asked for.",
    access: 'service',
    idempotency: 'undo',
    params: BookingParams,
    replies: { 204: null },
  }),
  keepSlot: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/keep',
    operationId: 'keepSlot',
    summary: 'The session is at this start now: whatever else the booking keeps is free again',
    description: 'Nothing happens where the booking keeps nothing that begins then: it was cancelled meanwhile.',
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    body: z.strictObject({ start: SessionStart }),
    replies: { 204: null },
    errors: ['undone'],
  }),
  sweepPrices: endpoint({
    method: 'post',
    path: '/internal/prices/sweep',
    operationId: 'sweepPrices',
    summary: 'Unlist the tutors whose stored prices cannot be charged, and name those who have not been told',
    access: 'service',
    replies: { 200: z.strictObject({ unlisted: z.int().min(0), untold: z.array(PricesRefused) }) },
  }),
  markPricesTold: endpoint({
    method: 'post',
    path: '/internal/tutors/{id}/prices-told',
    operationId: 'markPricesTold',
    summary: 'The tutor has been told that their prices cannot be charged',
    access: 'service',
    params: IdParams,
    body: z.strictObject({ refusedAt: Instant }),
    replies: { 204: null },
  }),
  moveSlot: endpoint({
    method: 'post',
    path: '/internal/slots/{bookingId}/move',
    operationId: 'moveSlot',
    summary: 'Move a slot to another start, of the same length, as sagas of before do',
    access: 'service',
    idempotency: 'required',
    params: BookingParams,
    body: z.strictObject({ start: SessionStart }),
    replies: { 200: Slot },
    errors: ['slot_unavailable', 'undone'],
  }),
} as const;
