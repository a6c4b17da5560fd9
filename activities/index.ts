import { createBookingActivities } from './booking';
import type { Clients } from './clients';
import { mapErrors } from './failures';
import { createPaymentActivities } from './payment';
import { createRefundActivities } from './refund';
import { createUserCreationActivities } from './user-creation';

export { type Clients, createClients } from './clients';

/** The activities of each task queue. A saga's worker serves its workflow and every activity the workflow calls. */
export function createActivities(clients: Clients) {
  const payment = createPaymentActivities(clients);
  return {
    booking: withMappedErrors({ ...createBookingActivities(clients), ...payment }),
    payment: withMappedErrors(payment),
    refund: withMappedErrors(createRefundActivities(clients)),
    'user-creation': withMappedErrors(createUserCreationActivities(clients)),
  };
}

type Activity = (input: never) => Promise<unknown>;

function withMappedErrors(activities: Record<string, Activity>): Record<string, Activity> {
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [name, (input: never) => mapErrors(() => activity(input))]),
  );
}
