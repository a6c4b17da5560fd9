import type { Platform, Running } from '../platform/service';

type Start = (platform: Platform) => Promise<Running>;

/**
 * Start functions by name: `worker:<saga>` polls the task queue of one saga kind, its workflows and their activities. Loaded
 * when started, so that a process of services alone does not carry Temporal's worker.
 */
export const workers = {
  'worker:booking': async (platform) => (await import('./worker.js')).startWorker('booking', platform),
  'worker:payment': async (platform) => (await import('./worker.js')).startWorker('payment', platform),
  'worker:refund': async (platform) => (await import('./worker.js')).startWorker('refund', platform),
  'worker:user-creation': async (platform) => (await import('./worker.js')).startWorker('user-creation', platform),
} as const satisfies Record<string, Start>;
