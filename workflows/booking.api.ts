import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { TaskQueue } from '../kernel/modules';
import type { SagaType } from '../kernel/saga-type';
import type { Party } from '../kernel/session';

/** Ids, times and the payment method's token; never a name, an e-mail, a card or free text: people read histories. */
export interface BookingInput {
  bookingId: string;
  studentId: string;
  /** The tutor's user id, which is also the id of the tutor profile. */
  tutorId: string;
  /** Start of the session, ISO 8601 in UTC. */
  scheduledAt: string;
  durationMinutes: number;
  paymentMethodId: string;
  /** Which of several hourly prices; absent: the first. */
  pricingOptionId?: string;
}

/** How a booking saga ended. The row in booking's database is what clients read. */
export interface BookingResult {
  outcome: 'completed' | 'cancelled' | 'refused';
  reason: string;
}

export const bookingSaga: SagaType<BookingInput> = {
  workflowType: 'booking',
  taskQueue: 'booking' satisfies TaskQueue,
  workflowId: ({ bookingId }) => bookingWorkflowId(bookingId),
  searchAttributes: (input) => ({
    SagaKind: 'booking',
    SagaState: 'Running',
    BookingId: input.bookingId,
    StudentId: input.studentId,
    TutorId: input.tutorId,
  }),
  summary: (input) => `Booking ${input.bookingId}: ${input.durationMinutes} min at ${input.scheduledAt}`,
};

export function bookingWorkflowId(bookingId: string): string {
  return `booking:${bookingId}`;
}

/** The tutor accepts. Returns once the payment is captured; refused with payment_failed when it cannot be. */
export const confirmUpdate = defineUpdate<void, [{ actorId: string }]>('confirm');

/** The tutor declines; everything is undone. `noteId` is the stored reason. */
export const declineUpdate = defineUpdate<void, [{ actorId: string; noteId: string | null }]>('decline');

/** Cancels; `requestedAt` (ISO) is when the request arrived, which decides the refund's share. */
export const cancelUpdate = defineUpdate<
  void,
  [{ by: Party; actorId: string; noteId: string | null; requestedAt: string }]
>('cancel');

/** Moves the session to `scheduledAt`, same duration and price. */
export const rescheduleUpdate = defineUpdate<
  void,
  [{ by: 'student' | 'tutor'; actorId: string; scheduledAt: string; requestedAt: string }]
>('reschedule');

/** The tutor says that the session took place; refused before its end. */
export const completeUpdate = defineUpdate<void, [{ actorId: string; requestedAt: string }]>('complete');

/** The student has answered the bank about this payment, says a webhook of Stripe; a saga that waits for that asks what became of it. */
export const paymentChanged = defineSignal<[{ paymentId: string; version: number }]>('paymentChanged');
