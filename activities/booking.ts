import { ERROR_CODES, ProblemError } from '../kernel/errors';
import type { Money } from '../kernel/money';
import type { Party } from '../kernel/session';
import type { CancelReason } from '../kernel/statuses';
import { createBookingClient } from '../services/booking/client';
import type { MoveWish } from '../services/booking/contract';
import { createIdentityClient } from '../services/identity/client';
import { createTutoringClient } from '../services/tutoring/client';
import { messagesFor, type Notice, type NoticeFacts } from './booking-notices';
import type { Clients } from './clients';
import { createNotices } from './notices';
import { nameOf } from './payment';
import type { Step, Undo } from './step';

/** What a workflow may know of a booking that was made. */
export interface BookingTerms {
  price: Money;
  startsAt: string;
  endsAt: string;
  instantBooking: boolean;
}

/** What a cancel gives back. */
export interface CancelDecided {
  /** Of what is left of the payment; not in histories of before, whose sagas go by the amounts. */
  percent?: number;
  refund: Money;
  retained: Money;
}

export type BookingActivities = ReturnType<typeof createBookingActivities>;

/**
 * The steps of the booking saga: each `do` beside its undo. `key` is the step's idempotency key. Names pass through
 * here from service to service and are never returned.
 */
export function createBookingActivities(clients: Clients) {
  const { clientOf } = clients;
  const booking = clientOf('booking', createBookingClient);
  const identity = clientOf('identity', createIdentityClient);
  const tutoring = clientOf('tutoring', createTutoringClient);
  const notices = createNotices(clients);

  return {
    /** Gathers price and names and makes the pending booking. A refusal is stored for the client that waits. */
    async createBooking({ bookingId, key }: Step<{ bookingId: string }>): Promise<BookingTerms> {
      try {
        const { studentId, tutorId, subject, scheduledAt, durationMinutes, pricingOptionId } =
          await booking.beginRequest(bookingId);
        const [{ first: student, second: tutor }, quote] = await Promise.all([
          identity.getPeople(studentId, tutorId),
          tutoring.quoteSession(tutorId, {
            subject,
            scheduledAt,
            durationMinutes,
            ...(pricingOptionId && { pricingOptionId }),
          }),
        ]);
        const { price, startsAt, endsAt, instantBooking } = await booking.createPending(
          bookingId,
          {
            student: {
              name: nameOf(student),
              timeZone: student.timeZone,
              locale: student.locale,
            },
            tutor: { name: quote.displayName, timeZone: quote.timeZone, locale: tutor.locale },
            subject: quote.subject,
            price: quote.price,
            instantBooking: quote.instantBooking,
          },
          key,
        );
        return { price, startsAt, endsAt, instantBooking };
      } catch (error) {
        if (error instanceof ProblemError && !ERROR_CODES[error.code].retryable && error.code !== 'undone') {
          const { code, detail, more } = error;
          await booking.refuseRequest(
            bookingId,
            { code, detail, ...(more.errors && { errors: more.errors }) },
            `${key}/refuse`,
          );
        }
        throw error;
      }
    },

    /** `unavailable`: no booking could be made because a part of the platform did not answer, which the waiting client is told. */
    async cancelBooking(
      input: Undo<{
        bookingId: string;
        reason: CancelReason;
        noteId: string | null;
        cancelledBy: Party | null;
        unavailable: boolean;
      }>,
    ): Promise<void> {
      const { bookingId, reason, noteId, cancelledBy, unavailable, key } = input;
      if (unavailable) {
        const code = 'upstream_unavailable';
        await booking.refuseRequest(bookingId, { code, detail: ERROR_CODES[code].title }, `${key}/refuse`);
      }
      await booking.cancelPending(bookingId, { reason, noteId, cancelledBy }, key);
    },

    /** Without an end it is booked outright: nobody has to decide first. */
    async holdSlot(
      input: Step<{
        bookingId: string;
        tutorId: string;
        start: string;
        durationMinutes: number;
        expiresAt: string | null;
      }>,
    ): Promise<void> {
      const { bookingId, key, ...hold } = input;
      await tutoring.holdSlot(bookingId, hold, key);
    },

    async releaseSlot({ bookingId, key }: Undo<{ bookingId: string }>): Promise<void> {
      await tutoring.releaseSlot(bookingId, key);
    },

    async extendHold({ bookingId, expiresAt, key }: Step<{ bookingId: string; expiresAt: string }>): Promise<void> {
      await tutoring.extendHold(bookingId, { expiresAt }, key);
    },

    async blockSlot({ bookingId, key }: Step<{ bookingId: string }>): Promise<void> {
      await tutoring.blockSlot(bookingId, key);
    },

    /** Takes the time to which a session is about to move, beside the one it has. */
    async reserveSlot({ bookingId, start, key }: Step<{ bookingId: string; start: string }>): Promise<void> {
      await tutoring.reserveSlot(bookingId, { start }, key);
    },

    async unreserveSlot({ bookingId, key }: Undo<{ bookingId: string }>): Promise<void> {
      await tutoring.unreserveSlot(bookingId, key);
    },

    /** The session has moved: its old time is free. */
    async keepSlot({ bookingId, start, key }: Step<{ bookingId: string; start: string }>): Promise<void> {
      await tutoring.keepSlot(bookingId, { start }, key);
    },

    /** As sagas of before move a slot, giving the old time away at once. Its undo is the same. */
    async moveSlot({ bookingId, start, key }: Step<{ bookingId: string; start: string }>): Promise<void> {
      await tutoring.moveSlot(bookingId, { start }, key);
    },

    async awaitTutor({ bookingId, respondBy, key }: Step<{ bookingId: string; respondBy: string }>): Promise<void> {
      await booking.awaitTutor(bookingId, { respondBy }, key);
    },

    async confirmBooking({ bookingId, key }: Step<{ bookingId: string }>): Promise<void> {
      await booking.confirmPending(bookingId, key);
    },

    async rescheduleBooking(
      input: Step<{ bookingId: string; scheduledAt: string; by: 'student' | 'tutor' }>,
    ): Promise<void> {
      const { bookingId, scheduledAt, by, key } = input;
      await booking.moveConfirmed(bookingId, { scheduledAt, by }, key);
    },

    async completeBooking({ bookingId, by, key }: Step<{ bookingId: string; by: 'tutor' | 'time' }>): Promise<void> {
      await booking.completeConfirmed(bookingId, { by }, key);
    },

    /** Asks booking whether the session may be moved so; nothing changes. */
    async admitMove(input: { bookingId: string } & MoveWish): Promise<void> {
      const { bookingId, ...move } = input;
      await booking.admitMove(bookingId, move);
    },

    /** Cancels a confirmed booking. The share that is given back is policy, so booking decides it; how much that is, payment. */
    async cancelConfirmed(
      input: Step<{ bookingId: string; by: Party; noteId: string | null; requestedAt: string }>,
    ): Promise<CancelDecided> {
      const { bookingId, key, ...cancel } = input;
      const { percent, refund, retained } = await booking.cancelConfirmed(bookingId, cancel, key);
      return { percent, refund, retained };
    },

    /** Has whom the notice concerns written to, one mail per person and `key`; notification delivers it. */
    async notifyBooking(input: Step<{ bookingId: string; notice: Notice } & NoticeFacts>): Promise<void> {
      const facts = await booking.readForNotices(input.bookingId);
      const messages = messagesFor(input.notice, facts, input);
      await Promise.all(messages.map(({ to, message }) => notices.record(message, `${input.key}/${to}`)));
    },
  };
}
