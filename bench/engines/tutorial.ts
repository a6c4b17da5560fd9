import { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { BookingTerms } from '../../activities/booking';
import type { Order } from '../order';
import { type Answer, answered, createSteps } from '../saga';
import type { StartEngine } from './engine';
import { outcomeUpdate, type tutorialBooking } from './tutorial-workflow';

const TASK_QUEUE = 'bench-tutorial';

export type TutorialActivities = ReturnType<typeof createTutorialActivities>;

/** The shared steps, each an activity. A refusal is an answer here too, so that no retry policy has to know it. */
function createTutorialActivities(steps: ReturnType<typeof createSteps>) {
  return {
    create: (order: Order) => answered(() => steps.create(order)),
    holdSlot: (order: Order) => answered(() => steps.holdSlot(order)),
    takePayment: (order: Order, terms: BookingTerms) => answered(() => steps.takePayment(order, terms)),
    confirm: (order: Order) => steps.confirm(order),
    notify: (order: Order) => steps.notify(order),
    settleToZero: (order: Order) => steps.settleToZero(order),
    releaseSlot: (order: Order) => steps.releaseSlot(order),
    cancel: (order: Order, code: string) => steps.cancel(order, code),
  } satisfies Record<string, (...input: never[]) => Promise<Answer<unknown> | null>>;
}

/**
 * Temporal as its tutorial has it: an activity for every step, all defaults, client and worker in one process, the caller answered by
 * update-with-start. It shares the product's server, whose queue is polled 5,000 times a second instead of 20.
 */
export const startTutorial: StartEngine = async ({ config, clients }) => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  const address = config.TEMPORAL_ADDRESS;
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: TASK_QUEUE,
    workflowsPath: require.resolve('./tutorial-workflow'),
    activities: createTutorialActivities(createSteps(clients)),
  });
  const running = worker.run();
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  return {
    async book(order) {
      const startWorkflowOperation = new WithStartWorkflowOperation<typeof tutorialBooking>('tutorialBooking', {
        workflowId: `tutorial:${order.bookingId}`,
        taskQueue: TASK_QUEUE,
        args: [order],
        workflowIdConflictPolicy: 'FAIL',
      });
      return client.workflow.executeUpdateWithStart(outcomeUpdate, { startWorkflowOperation });
    },
    async close() {
      worker.shutdown();
      await running;
      await connection.close();
      await native.close();
    },
  };
};
