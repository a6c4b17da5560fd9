import { ProblemError } from '../../kernel/errors';
import { SECOND } from '../../kernel/time';
import type { ReplyOf } from '../../platform/endpoint';
import type { Call } from '../../platform/http-server';
import { releaseKey, type StoredReply, storeReply, throwStored } from '../../platform/idempotency';
import type { ServiceDeps } from '../../platform/service';
import { bookingSaga } from '../../workflows/booking.api';
import { type ClientRequest, claimBooking } from './claims.store';
import { Booking, type bookingContract } from './contract';
import { isFinal, keyed } from './replies.routes';
import { bookingRefusal, type Outcome, outcomeOf, visibleTo } from './rules';
import { findBooking, readBooking, readProgress } from './store';
import type { Watcher } from './watch.store';

type BookSession = typeof bookingContract.bookSession;
type Reply = ReplyOf<BookSession>;

/** A client is answered after this long at the latest, with what there is. */
const ANSWER_WITHIN_MS = 10 * SECOND;
/** Announcements can be lost, so a waiting request looks for itself this often. */
const LOOK_EVERY_MS = SECOND;

/**
 * POST /api/bookings: stores key and request, starts the saga and waits for its row. Whatever crashes in between, the
 * same key finds the same booking again.
 */
export function createBookSession({ database, sagas }: ServiceDeps, watcher: Watcher) {
  const { db } = database;

  return async function bookSession(call: Call<BookSession>): Promise<Reply> {
    const request = keyed(call, call.idempotencyKey, '/api/bookings');
    const studentId = call.user.id;
    const claim = await claimBooking(db, request, studentId, call.body, (live) =>
      bookingRefusal(call.body, live, call.receivedAt),
    );
    if (claim.kind === 'refused') throw claim.problem;
    if (claim.kind === 'replay') return repeat(claim.resourceId, claim.reply);
    const { bookingId, started } = claim;
    try {
      if (!started) {
        const { tutorId, scheduledAt, durationMinutes, paymentMethodId, pricingOptionId } = call.body;
        const input = { bookingId, studentId, tutorId, scheduledAt, durationMinutes, paymentMethodId };
        await sagas.start(bookingSaga, { ...input, ...(pricingOptionId && { pricingOptionId }) });
      }
      const outcome = await settled(bookingId, call.receivedAt.getTime() + ANSWER_WITHIN_MS);
      return await answer(request, bookingId, outcome);
    } catch (error) {
      // Where a reply was stored this changes nothing; otherwise a retry need not wait for the lease to end.
      await releaseKey(db, request).catch(() => undefined);
      throw error;
    }
  };

  async function settled(bookingId: string, deadline: number): Promise<Outcome> {
    const watch = watcher.watch(bookingId);
    try {
      for (;;) {
        const progress = await readProgress(db, bookingId);
        const outcome = outcomeOf(bookingId, progress);
        const left = deadline - Date.now();
        if (outcome.kind !== 'waiting') return outcome;
        if (left <= 0 || !(await watch.next(Math.min(left, LOOK_EVERY_MS))))
          return outcomeOf(bookingId, progress, true);
      }
    } finally {
      watch.stop();
    }
  }

  async function answer(request: ClientRequest, bookingId: string, outcome: Outcome): Promise<Reply> {
    if (outcome.kind === 'refused') {
      if (isFinal(outcome.problem)) await storeReply(db, request, request.asReply(outcome.problem));
      throw outcome.problem;
    }
    if (outcome.kind === 'made') {
      const reply = made(201, await readBooking(db, bookingId));
      await storeReply(db, request, reply);
      return reply;
    }
    const booking = await findBooking(db, bookingId);
    if (!booking) {
      const detail = 'The booking is still being made; repeat the request with the same Idempotency-Key';
      throw new ProblemError('upstream_unavailable', detail, { retryAfterSeconds: 2 });
    }
    // Without its body, which holds a secret and would be out of date: a repeat reads the booking again.
    await storeReply(db, request, { status: 202, body: null });
    return made(202, booking);
  }

  async function repeat(bookingId: string, stored: StoredReply): Promise<Reply> {
    throwStored(stored);
    if (stored.status === 202) return made(202, await readBooking(db, bookingId));
    return { status: 201, body: Booking.parse(stored.body), headers: { Location: `/api/bookings/${bookingId}` } };
  }
}

function made<Status extends 201 | 202>(status: Status, booking: Parameters<typeof visibleTo>[1]) {
  return { status, body: visibleTo('student', booking), headers: { Location: `/api/bookings/${booking.id}` } };
}
