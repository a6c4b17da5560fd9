import { ProblemError } from '../../../kernel/errors';
import type { ReplyOf } from '../../../platform/endpoint';
import type { Call } from '../../../platform/http-server';
import { clientRequest, type StoredReply } from '../../../platform/idempotency';
import { answerOnce, startAndWait } from '../../../platform/saga-request';
import type { ServiceDeps } from '../../../platform/service';
import { bookingSaga } from '../../../workflows/booking.api';
import { Booking, type bookingContract, type InternalBooking, type RequestedBooking } from '../contract';
import { type Progress, requestOutcome } from '../rules/request';
import { bookingRefusal } from '../rules/session';
import { visibleTo } from '../rules/visible';
import { readBooking, readBookingOrRequested, readProgress } from '../store/reads';
import { claimBooking } from '../store/requests';

type BookSession = typeof bookingContract.bookSession;
type Reply = ReplyOf<BookSession>;

/**
 * So many requests are worked on at once by this process; whoever comes on top is refused before anything is stored. At the ten or so bookings
 * a second that two cores make, the last of them is answered within its ten seconds. Without a limit everybody would wait longer than
 * that for nothing, and the gateway would have no connection left for reads (it keeps 256 to a service).
 */
export const MOST_AT_ONCE = 64;

/**
 * POST /api/bookings: stores key and request, starts the saga and waits for its row. Whatever crashes in between, the
 * same key finds the same booking again.
 */
export function createBookSession({ database: { db }, changes, sagas }: ServiceDeps) {
  let underWay = 0;

  return async function unlessBusy(call: Call<BookSession>): Promise<Reply> {
    if (underWay >= MOST_AT_ONCE) {
      const detail = 'Too many bookings are being made just now; repeat the request with the same Idempotency-Key';
      throw new ProblemError('overloaded', detail, { retryAfterSeconds: 2 });
    }
    underWay += 1;
    return bookSession(call).finally(() => {
      underWay -= 1;
    });
  };

  async function bookSession(call: Call<BookSession>): Promise<Reply> {
    const { body, receivedAt, user } = call;
    const request = clientRequest(call, '/api/bookings');
    const claimed = await claimBooking(db, request, user.id, body, (live) => bookingRefusal(body, live, receivedAt));
    return answerOnce(db, request, claimed, {
      async run({ bookingId, started }) {
        const progress = await startAndWait(changes, {
          id: bookingId,
          receivedAt,
          start: async () => {
            if (!started) await sagas.start(bookingSaga, inputOf(bookingId, call));
          },
          read: () => readProgress(db, bookingId),
          isDecided: (read) => requestOutcome(bookingId, read).kind !== 'waiting',
        });
        return answer(bookingId, progress);
      },
      repeat,
    });
  }

  async function answer(bookingId: string, progress: Progress): Promise<Reply> {
    const sofar = requestOutcome(bookingId, progress);
    const outcome = sofar.kind === 'waiting' ? requestOutcome(bookingId, progress, true) : sofar;
    if (outcome.kind === 'refused') throw outcome.problem;
    if (outcome.kind === 'made') {
      return { status: 201, body: visibleTo('student', await readBooking(db, bookingId)), headers: at(bookingId) };
    }
    return accepted(await readBookingOrRequested(db, bookingId));
  }

  async function repeat(stored: StoredReply, bookingId: string): Promise<Reply> {
    // What was under way then is shown as it is today.
    if (stored.status === 202) return accepted(await readBookingOrRequested(db, bookingId));
    return { status: 201, body: Booking.parse(stored.body), headers: at(bookingId) };
  }
}

function inputOf(bookingId: string, { body, user }: Call<BookSession>) {
  const { tutorId, scheduledAt, durationMinutes, paymentMethodId, pricingOptionId } = body;
  const input = { bookingId, studentId: user.id, tutorId, scheduledAt, durationMinutes, paymentMethodId };
  return { ...input, ...(pricingOptionId && { pricingOptionId }) };
}

function accepted(found: InternalBooking | RequestedBooking): Reply {
  return { status: 202, body: visibleTo('student', found), headers: at(found.id) };
}

function at(bookingId: string) {
  return { Location: `/api/bookings/${bookingId}` };
}
