import { QUEUES, type TaskQueue } from '../kernel/modules';
import { byName } from '../platform/config';
import { exportOf } from '../platform/export-of';
import type { Clients, OpenClients } from './clients';
import { createContactActivities } from './contacts';
import { createFoldActivities } from './folds';
import { type Activities, onOneQueue } from './on-one-queue';
import { createPaymentActivities } from './payment';
import { createSweepActivities } from './sweep';

export { createClients, type OpenClients } from './clients';

/** What is called on a queue beside the activities of the sagas that the one list gives it. */
const ALSO: Partial<Record<TaskQueue, (clients: Clients) => Activities>> = {
  booking: createPaymentActivities,
  core: (clients) => ({
    ...createSweepActivities(clients),
    ...createFoldActivities(clients),
    ...createContactActivities(clients),
  }),
};

/**
 * The activities of each task queue. Its worker serves the sagas of the queue and every activity that they call. Where a queue is shared,
 * the calls of each kind of saga that wait for Stripe have places of their own: when all hang, the other kinds still have room.
 * @throws Error when a queue would have two activities of one name: those of new sagas carry their kind, such as `payout.transfer`
 */
export function createActivities(clients: OpenClients): Record<TaskQueue, Activities> {
  return byName(
    QUEUES.map(({ name }) => name),
    (queue) => {
      const sagas = QUEUES.find(({ name }) => name === queue)?.sagas ?? [];
      const clientsOfOne = () => (sagas.length > 1 ? clients.limited() : clients);
      const also = ALSO[queue]?.(clients);
      return onOneQueue(...sagas.map((saga) => activitiesOf(saga)(clientsOfOne())), ...(also ? [also] : []));
    },
  );
}

/** `activities/<saga>.ts` exports `create<Saga>Activities`. */
function activitiesOf(saga: string): (clients: Clients) => Activities {
  const name = `create${saga.replaceAll(/(?:^|-)(\w)/g, (_, first: string) => first.toUpperCase())}Activities`;
  return exportOf(require.resolve(`./${saga}`), name);
}
