import { QUEUES, workerOf } from '../kernel/modules';
import type { Platform, Running } from '../platform/service';

type Start = (platform: Platform) => Promise<Running>;

/**
 * Start functions by name: `worker:<queue>` polls one task queue, for its sagas' workflows and their activities. Loaded when started, so
 * that a process of services alone does not carry Temporal's worker.
 */
export const workers: Readonly<Record<string, Start>> = Object.fromEntries(
  QUEUES.map(({ name }): [string, Start] => [
    workerOf(name),
    async (platform) => (await import('./worker.js')).startWorker(name, platform),
  ]),
);
