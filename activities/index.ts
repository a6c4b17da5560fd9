import type { TaskQueue } from '../kernel/modules';
import { createBookingActivities } from './booking';
import type { OpenClients } from './clients';
import { type Activities, onOneQueue } from './on-one-queue';
import { createPaymentActivities } from './payment';
import { createRefundActivities } from './refund';
import { createSweepActivities } from './sweep';
import { createUserCreationActivities } from './user-creation';

export { createClients, type OpenClients } from './clients';

/**
 * The activities of each task queue. Its worker serves the sagas of the queue and every activity that they call. Where a queue is shared,
 * the calls of each kind of saga that wait for Stripe have places of their own: when all hang, the other kinds still have room.
 * @throws Error when a queue would have two activities of one name: those of new sagas carry their kind, such as `payout.transfer`
 */
export function createActivities(clients: OpenClients): Record<TaskQueue, Activities> {
  return {
    booking: onOneQueue(createBookingActivities(clients), createPaymentActivities(clients)),
    core: onOneQueue(
      createPaymentActivities(clients.limited()),
      createRefundActivities(clients.limited()),
      createUserCreationActivities(clients.limited()),
      createSweepActivities(clients),
    ),
  };
}
