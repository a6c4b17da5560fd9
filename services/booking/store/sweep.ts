import { and, isNull } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { bookingRequests } from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import { isAbandoned } from '../../../platform/idempotency';
import { CLIENT_GONE_SECONDS, SWEEP_BATCH } from '../../../platform/saga-request';
import type { Swept } from '../../../platform/schemas';
import { settleRefused } from './requests';

/**
 * Refuses requests whose saga never began and for which nobody waits any more. None is started: by now its person may have booked elsewhere, and
 * nobody is charged by a sweep. A saga that begins at this very moment, or later, waits for the row's lock or finds the refusal.
 */
export async function sweepRequests(db: Database): Promise<Swept> {
  return db.transaction(async (tx) => {
    const abandoned = await tx
      .select()
      .from(bookingRequests)
      .where(
        and(
          isNull(bookingRequests.sagaStartedAt),
          isNull(bookingRequests.settledAt),
          isAbandoned({ ...bookingRequests, ownerId: bookingRequests.studentId }, CLIENT_GONE_SECONDS),
        ),
      )
      .orderBy(bookingRequests.createdAt)
      .limit(SWEEP_BATCH)
      .for('update', { skipLocked: true });
    const { code, detail } = new ProblemError('request_expired');
    for (const request of abandoned) await settleRefused(tx, request, { code, detail });
    return { found: abandoned.length, started: 0, refused: abandoned.length };
  });
}
