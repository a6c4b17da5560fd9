import { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createActivities } from '../../activities';
import { bookingSaga } from '../../workflows/booking.api';
import type { StartEngine } from './engine';
import { confirmedUpdate, type naiveBooking } from './naive-workflow';

const TASK_QUEUE = 'bench-naive';

/**
 * The product's own saga without what makes it fast: every step a recorded activity with the SDK's defaults, a worker with all defaults, a
 * start through the server's queue, the caller answered by update-with-start. It shares the product's server, whose queue is
 * polled 5,000 times a second instead of 20.
 */
export const startNaive: StartEngine = async ({ config, clients }) => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  const address = config.TEMPORAL_ADDRESS;
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: TASK_QUEUE,
    workflowsPath: require.resolve('./naive-workflow'),
    bundlerOptions: { webpackConfigHook: (webpack) => ({ ...webpack, resolve: recordingSteps(webpack.resolve) }) },
    activities: createActivities(clients).booking,
  });
  const running = worker.run();
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  return {
    async book({ requestedAt: _, ...input }) {
      const attributes = Object.entries(bookingSaga.searchAttributes(input));
      const startWorkflowOperation = new WithStartWorkflowOperation<typeof naiveBooking>('naiveBooking', {
        workflowId: `naive:${input.bookingId}`,
        taskQueue: TASK_QUEUE,
        args: [input],
        workflowIdConflictPolicy: 'FAIL',
        staticSummary: bookingSaga.summary(input),
        typedSearchAttributes: new TypedSearchAttributes(
          attributes.map(([name, value]) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value })),
        ),
      });
      if (await client.workflow.executeUpdateWithStart(confirmedUpdate, { startWorkflowOperation }))
        return { outcome: 'confirmed' };
      const { reason } = await client.workflow.getHandle<typeof naiveBooking>(`naive:${input.bookingId}`).result();
      return { outcome: 'refused', code: reason };
    },
    async close() {
      worker.shutdown();
      await running;
      await connection.close();
      await native.close();
    },
  };
};

/** Resolves the SDK's workflow package, by its exact name, to `recorded-steps.ts`. */
function recordingSteps<Resolve extends { alias?: unknown }>(resolve: Resolve | undefined) {
  const alias = typeof resolve?.alias === 'object' ? resolve.alias : {};
  return { ...resolve, alias: { ...alias, '@temporalio/workflow$': require.resolve('./recorded-steps') } };
}
