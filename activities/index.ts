import { activityInfo, heartbeat } from '@temporalio/activity';
import { SECOND } from '../kernel/time';
import { createBookingActivities } from './booking';
import type { Clients } from './clients';
import { mapErrors } from './failures';
import { createPaymentActivities } from './payment';
import { createRefundActivities } from './refund';
import { createSweepActivities } from './sweep';
import { createUserCreationActivities } from './user-creation';

export { type Clients, createClients } from './clients';

/** The activities of each task queue. A saga's worker serves its workflow and every activity the workflow calls. */
export function createActivities(clients: Clients) {
  const payment = createPaymentActivities(clients);
  return {
    booking: withMappedErrors({ ...createBookingActivities(clients), ...payment }),
    payment: withMappedErrors(payment),
    // The sweep is carried by the worker of refunds: `workflows/sweep.api.ts` says why.
    refund: withMappedErrors({ ...createRefundActivities(clients), ...createSweepActivities(clients) }),
    'user-creation': withMappedErrors(createUserCreationActivities(clients)),
  };
}

type Activity = (input: never) => Promise<unknown>;

const HEARTBEAT_EVERY_MS = 2 * SECOND;

/** Tells the server that the worker lives for as long as `work` runs. Local activities have no heartbeat and need none. */
async function whileBeating<T>(work: () => Promise<T>): Promise<T> {
  if (activityInfo().isLocal) return work();
  const beat = setInterval(() => heartbeat(), HEARTBEAT_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

function withMappedErrors(activities: Record<string, Activity>): Record<string, Activity> {
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [
      name,
      (input: never) => whileBeating(() => mapErrors(activityInfo(), () => activity(input))),
    ]),
  );
}
