import { WithStartWorkflowOperation } from '@temporalio/client';
import { createActivities } from '../../activities';
import type { SagaType } from '../../kernel/saga-type';
import { startOptions } from '../../platform/temporal';
import { type BookingInput, bookingSaga } from '../../workflows/booking.api';
import type { StartEngine } from './engine';
import { confirmedUpdate, type naiveBooking } from './naive-workflow';
import { startUntuned } from './untuned';

const naiveSaga: SagaType<BookingInput> = {
  ...bookingSaga,
  workflowType: 'naiveBooking',
  taskQueue: 'bench-naive',
  workflowId: ({ bookingId }) => `naive:${bookingId}`,
};

/**
 * The product's own saga without what makes it fast. Every step is a recorded activity with the SDK's defaults, the
 * worker has all defaults, the saga starts through the server's queue, and update-with-start answers the caller.
 */
export const startNaive: StartEngine = async ({ config, clients }) => {
  const { client, close } = await startUntuned(config, {
    taskQueue: naiveSaga.taskQueue,
    workflowsPath: require.resolve('./naive-workflow'),
    bundlerOptions: { webpackConfigHook: (webpack) => ({ ...webpack, resolve: recordingSteps(webpack.resolve) }) },
    activities: createActivities(clients).booking,
  });
  return {
    async book({ requestedAt: _, ...input }) {
      const startWorkflowOperation = new WithStartWorkflowOperation<typeof naiveBooking>(naiveSaga.workflowType, {
        ...startOptions(naiveSaga, input),
        args: [input],
        workflowIdConflictPolicy: 'FAIL',
      });
      if (await client.workflow.executeUpdateWithStart(confirmedUpdate, { startWorkflowOperation }))
        return { outcome: 'confirmed' };
      const handle = client.workflow.getHandle<typeof naiveBooking>(naiveSaga.workflowId(input));
      return { outcome: 'refused', code: (await handle.result()).reason };
    },
    close,
  };
};

/** Resolves the SDK's workflow package, by its exact name, to `recorded-steps.ts`. */
function recordingSteps<Resolve extends { alias?: unknown }>(resolve: Resolve | undefined) {
  const alias = typeof resolve?.alias === 'object' ? resolve.alias : {};
  return { ...resolve, alias: { ...alias, '@temporalio/workflow$': require.resolve('./recorded-steps') } };
}
