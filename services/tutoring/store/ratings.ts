import { eq, sql } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { events, tutorProfiles, tutorRatings } from '../../../db/schema/tutoring';
import { ProblemError } from '../../../kernel/errors';
import type { Projection } from '../../../platform/bus/consumer';
import { handling } from '../../../platform/bus/handling';
import { type KeyedRequest, once } from '../../../platform/idempotency';
import { appendEvent } from '../../../platform/outbox';
import { tutoringEvents } from '../events';

/**
 * Records that a review was published: each once, for good, since its stream holds one event. It counts as soon as the event has come by the bus.
 * @throws ProblemError not_found where there is no such tutor
 */
export async function receiveReview(
  db: Database,
  request: KeyedRequest | undefined,
  review: { tutorId: string; reviewId: string; rating: number },
): Promise<void> {
  const { tutorId, reviewId, rating } = review;
  await once(db, request, async (tx) => {
    // The lock that every change of a tutor begins with: one that is removed gets no review.
    const [tutor] = await tx
      .select({ id: tutorProfiles.id })
      .from(tutorProfiles)
      .where(eq(tutorProfiles.id, tutorId))
      .for('update');
    if (!tutor) throw new ProblemError('not_found', 'There is no such tutor');
    const [counted] = await tx.select({ id: events.eventId }).from(events).where(eq(events.streamId, reviewId));
    if (!counted) {
      const data = { tutorId, participantIds: [tutorId], reviewId, rating };
      await appendEvent(tx, tutoringEvents, { streamId: reviewId, type: 'TutorReviewReceived', data });
    }
    return { status: 204, body: undefined };
  });
}

/** How tutors are rated; their profiles follow by a trigger. A tutor whose sign-up was undone takes their rating along. */
export const ratingsProjection: Projection = {
  kind: 'projection',
  name: 'ratings',
  topic: 'tutoring.events',
  tables: ['tutor_ratings'],
  ...handling(tutoringEvents, {
    async TutorReviewReceived(tx, { tutorId, rating }) {
      // Of a tutor who is gone there is nothing to keep.
      const [tutor] = await tx
        .select({ id: tutorProfiles.id })
        .from(tutorProfiles)
        .where(eq(tutorProfiles.id, tutorId))
        .for('key share');
      if (!tutor) return;
      const count = sql`${tutorRatings.count} + 1`;
      const total = sql`${tutorRatings.total} + ${rating}`;
      await tx
        .insert(tutorRatings)
        .values({ tutorId, average: rating, count: 1, total: rating })
        .onConflictDoUpdate({
          target: tutorRatings.tutorId,
          set: { count, total, average: sql`round((${total})::numeric / (${count}), 2)` },
        });
    },
    async TutorRemoved(tx, { tutorId }) {
      await tx.delete(tutorRatings).where(eq(tutorRatings.tutorId, tutorId));
    },
  }),
};
