import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Config } from '../../platform/config';

/**
 * A worker with all defaults and a client of its own in one process, for the engines that show Temporal untuned.
 * These engines share the product's server, whose queue is polled 5,000 times a second instead of 20.
 */
export async function startUntuned(
  { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace }: Config,
  options: Pick<WorkerOptions, 'taskQueue' | 'workflowsPath' | 'activities' | 'bundlerOptions'>,
): Promise<{ client: Client; close(): Promise<void> }> {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({ ...options, connection: native, namespace });
  const running = worker.run();
  const connection = await Connection.connect({ address });
  return {
    client: new Client({ connection, namespace }),
    async close() {
      worker.shutdown();
      await running;
      await connection.close();
      await native.close();
    },
  };
}
