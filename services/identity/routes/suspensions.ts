import { notValid } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import { SWEEP_BATCH } from '../../../platform/saga-request';
import type { Swept } from '../../../platform/schemas';
import type { ServiceDeps } from '../../../platform/service';
import { suspensionEnded, suspensionSaga } from '../../../workflows/suspension.api';
import { identityContract as contract } from '../contract';
import { markSuspensionStarted, suspend, unheardEnds, unstartedSuspensions, unsuspend } from '../store/suspensions';

/** Who is kept out and let in again. The person is at once; what they have elsewhere is a saga's, which the sweep starts where this cannot. */
export function serveSuspensions(service: Service, { sagas, logger, database: { db } }: ServiceDeps): void {
  service.serve(contract.suspendUser, async ({ user, params, body, receivedAt }) => {
    const { reason, until = null } = body;
    if (until !== null && Date.parse(until) <= receivedAt.getTime())
      throw notValid([{ path: 'body.until', message: 'must lie ahead' }]);
    const suspension = await suspend(db, { userId: params.id, adminId: user.id, reason, until });
    const { id: suspensionId, userId } = suspension;
    await sagas
      .start(suspensionSaga, { suspensionId, userId })
      .catch((error: unknown) => logger.warn({ err: error, suspensionId }, 'a suspension waits for the sweep'));
    return ok(suspension);
  });

  service.serve(contract.unsuspendUser, async ({ user, params, body }) => {
    const suspension = await unsuspend(db, { userId: params.id, adminId: user.id, ...body });
    const { id: suspensionId, userId } = suspension;
    await sagas
      .wake(suspensionSaga, { suspensionId, userId }, suspensionEnded, { suspensionId })
      .catch((error: unknown) =>
        logger.warn({ err: error, suspensionId }, 'the end of a suspension waits for the sweep'),
      );
    return ok(suspension);
  });
}

/**
 * Starts the sagas of suspensions that have none, and tells those whose suspension is over and that have not heard so.
 * @throws ProblemError upstream_unavailable when Temporal does not answer
 */
export async function sweepSuspensions({ sagas, database: { db } }: ServiceDeps): Promise<Swept> {
  const unstarted = await unstartedSuspensions(db, SWEEP_BATCH);
  for (const suspension of unstarted) {
    await sagas.start(suspensionSaga, suspension);
    await markSuspensionStarted(db, suspension.suspensionId);
  }
  const unheard = await unheardEnds(db, SWEEP_BATCH);
  for (const suspension of unheard) {
    const { suspensionId } = suspension;
    await sagas.wake(suspensionSaga, suspension, suspensionEnded, { suspensionId });
  }
  return { found: unstarted.length + unheard.length, started: unstarted.length, refused: 0 };
}
