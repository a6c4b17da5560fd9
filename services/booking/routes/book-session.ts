import { ProblemError } from '../../../kernel/errors';
import { SECOND } from '../../../kernel/time';
import type { ReplyOf } from '../../../platform/endpoint';
import type { Call } from '../../../platform/http-server';
import { clientRequest, keepAnswer, type StoredReply, throwStored } from '../../../platform/idempotency';
import type { ServiceDeps } from '../../../platform/service';
import { bookingSaga } from '../../../workflows/booking.api';
import { Booking, type bookingContract, type InternalBooking, type RequestedBooking } from '../contract';
import { bookingRefusal, type Outcome, outcomeOf, visibleTo } from '../rules';
import { readBooking, readBookingOrRequested, readProgress } from '../store/reads';
import { claimBooking } from '../store/requests';

type BookSession = typeof bookingContract.bookSession;
type Reply = ReplyOf<BookSession>;

/** A client is answered after this long at the latest, with what there is. */
const ANSWER_WITHIN_MS = 10 * SECOND;
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
    const request = clientRequest(call, '/api/bookings');
    const studentId = call.user.id;
    const claim = await claimBooking(db, request, studentId, call.body, (live) =>
      bookingRefusal(call.body, live, call.receivedAt),
    );
    if (claim.kind === 'refused') throw claim.problem;
    if (claim.kind === 'replay') return repeat(claim.resourceId, claim.reply);
    const { bookingId, started } = claim;
    return keepAnswer(db, request, async () => {
      if (!started) {
        const { tutorId, scheduledAt, durationMinutes, paymentMethodId, pricingOptionId } = call.body;
        const input = { bookingId, studentId, tutorId, scheduledAt, durationMinutes, paymentMethodId };
        await sagas.start(bookingSaga, { ...input, ...(pricingOptionId && { pricingOptionId }) });
      }
      return answer(bookingId, await settled(bookingId, call.receivedAt.getTime() + ANSWER_WITHIN_MS));
    });
  }

  async function settled(bookingId: string, deadline: number): Promise<Outcome> {
    const isSettled = (outcome: Outcome) => outcome.kind !== 'waiting';
    const progress = await changes.until(
      bookingId,
      deadline,
      () => readProgress(db, bookingId),
      (read) => isSettled(outcomeOf(bookingId, read)),
    );
    const outcome = outcomeOf(bookingId, progress);
    return isSettled(outcome) ? outcome : outcomeOf(bookingId, progress, true);
  }

  async function answer(bookingId: string, outcome: Outcome): Promise<Reply> {
    if (outcome.kind === 'refused') throw outcome.problem;
    if (outcome.kind === 'made') {
      return { status: 201, body: visibleTo('student', await readBooking(db, bookingId)), headers: at(bookingId) };
    }
    return accepted(await readBookingOrRequested(db, bookingId));
  }

  async function repeat(bookingId: string, stored: StoredReply): Promise<Reply> {
    throwStored(stored);
    if (stored.status === 202) return accepted(await readBookingOrRequested(db, bookingId));
    return { status: 201, body: Booking.parse(stored.body), headers: at(bookingId) };
  }
}

function accepted(found: InternalBooking | RequestedBooking): Reply {
  return { status: 202, body: visibleTo('student', found), headers: at(found.id) };
}

function at(bookingId: string) {
  return { Location: `/api/bookings/${bookingId}` };
}
