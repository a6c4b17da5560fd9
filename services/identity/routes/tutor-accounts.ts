import { ProblemError } from '../../../kernel/errors';
import { ok } from '../../../platform/replies';
import { SWEEP_BATCH, startAndWait } from '../../../platform/saga-request';
import type { Swept } from '../../../platform/schemas';
import type { ServiceDeps } from '../../../platform/service';
import { tutorAccountSaga } from '../../../workflows/tutor-account.api';
import { markTutorAccountStarted, readTutorAccount, unstartedTutorAccounts } from '../store/tutor-accounts';
import { readUser } from '../store/users';

/**
 * Makes what carries a request to become a tutor out: it starts the saga and waits for how that ends, at most ten seconds after `receivedAt`.
 * It returns the user, 200 as a tutor or 202 while it goes on. A saga that cannot be started is started by the sweep. Without a request the person
 * has the role already. It throws ProblemError upstream_unavailable when the saga gave it up.
 */
export function createTutorAccounts({ sagas, changes, logger, database: { db } }: ServiceDeps) {
  const start = (requestId: string, userId: string) =>
    sagas
      .start(tutorAccountSaga, { requestId, userId })
      .catch((error: unknown) => logger.warn({ err: error, requestId }, 'a request waits for the sweep to begin it'));

  return async ({ requestId }: { requestId: string | null }, userId: string, receivedAt: Date) => {
    if (requestId === null) return ok(await readUser(db, userId));
    const { status } = await startAndWait(changes, {
      ...{ id: requestId, receivedAt, start: () => start(requestId, userId) },
      read: () => readTutorAccount(db, requestId),
      isDecided: (request) => request.status !== 'pending',
    });
    if (status === 'refused')
      throw new ProblemError('upstream_unavailable', 'The account of a tutor could not be opened; ask again', {
        retryAfterSeconds: 5,
      });
    const body = await readUser(db, userId);
    return status === 'opened' ? ok(body) : { status: 202 as const, body };
  };
}

/**
 * Starts the sagas of requests that have none. @throws ProblemError upstream_unavailable when Temporal does not answer; what was started by then is
 * noted
 */
export async function sweepTutorAccounts({ sagas, database: { db } }: ServiceDeps): Promise<Swept> {
  const requests = await unstartedTutorAccounts(db, SWEEP_BATCH);
  for (const request of requests) {
    await sagas.start(tutorAccountSaga, request);
    await markTutorAccountStarted(db, request.requestId);
  }
  return { found: requests.length, started: requests.length, refused: 0 };
}
