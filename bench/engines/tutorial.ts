import { WithStartWorkflowOperation } from '@temporalio/client';
import type { BookingTerms } from '../../activities/booking';
import type { Order } from '../order';
import { type Answer, answered, createSteps } from '../saga';
import type { StartEngine } from './engine';
import { outcomeUpdate, type tutorialBooking } from './tutorial-workflow';
import { startUntuned } from './untuned';

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

/** Temporal as its tutorial has it: an activity for every step, all defaults, the caller answered by update-with-start. */
export const startTutorial: StartEngine = async ({ config, clients }) => {
  const { client, close } = await startUntuned(config, {
    taskQueue: TASK_QUEUE,
    workflowsPath: require.resolve('./tutorial-workflow'),
    activities: createTutorialActivities(createSteps(clients)),
  });
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
    close,
  };
};
