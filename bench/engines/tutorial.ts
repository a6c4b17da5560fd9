import { WithStartWorkflowOperation } from '@temporalio/client';
import { createSteps } from '../saga';
import type { StartEngine } from './engine';
import { createTutorialActivities } from './tutorial-activities';
import { outcomeUpdate, type tutorialBooking } from './tutorial-workflow';
import { startUntuned } from './untuned';

const TASK_QUEUE = 'bench-tutorial';

/**
 * Temporal as its tutorial shows it: an activity for every step, all defaults, and update-with-start answers the
 * caller.
 */
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
