import { ProblemError } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { uuidv7 } from '../../../platform/ids';
import { done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { bookingWorkflowId, cancelUpdate, declineUpdate } from '../../../workflows/booking.api';
import { bookingContract as contract } from '../contract';
import { isLive } from '../rules/life';
import { readBooking } from '../store/reads';
import { readOpenSessions } from '../store/suspensions';

/** The bookings of people who are kept out: each is withdrawn by its own saga, as when somebody declines or cancels it. */
export function serveSuspensions(service: Service, { sagas, database: { db } }: ServiceDeps): void {
  service.serve(contract.openSessions, async ({ params, receivedAt }) =>
    ok(await readOpenSessions(db, params.id, receivedAt)),
  );

  service.serve(contract.withdrawBooking, async ({ params, body, receivedAt }) => {
    const { id, tutorId } = await readBooking(db, params.id);
    // Harmless twice, so that each is asked anew: under one id Temporal would repeat a refusal that was true for a moment.
    const options = { updateId: uuidv7() };
    const asked =
      body.by === 'decline'
        ? sagas.update(bookingWorkflowId(id), declineUpdate, { actorId: tutorId, noteId: null }, options)
        : sagas.update(
            bookingWorkflowId(id),
            cancelUpdate,
            { by: 'operator', actorId: tutorId, noteId: null, requestedAt: receivedAt.toISOString() },
            options,
          );
    await asked.catch(async (error: unknown) => {
      // Somebody else was first, and nothing is left to withdraw.
      const isOver = error instanceof ProblemError && !isLive((await readBooking(db, id)).status);
      if (!isOver) throw error;
    });
    return done;
  });
}
