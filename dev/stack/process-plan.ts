import { CONTEXT_NAMES, type ContextName, contextOf, QUEUES, queueOf } from '../../kernel/modules';

/** Which names `main.js` runs in which process. */
export type ProcessPlan = Record<string, string[]>;

/** A process of a plan. */
export interface PlannedProcess {
  name: string;
  /** What `main.js` runs in it. */
  args: string[];
  managementPort: number;
}

/** The processes of a plan. Their management ports count up from the first. */
export function processesOf(plan: ProcessPlan, firstManagementPort: number): PlannedProcess[] {
  return Object.entries(plan).map(([name, args], index) => ({
    name,
    args,
    managementPort: firstManagementPort + index,
  }));
}

const workerOf = (queue: string) => `worker:${queue}`;

/** The worker that carries a context's sagas, if it has any. */
const workersOf = (context: ContextName) => (contextOf(context).sagas.length > 0 ? [workerOf(queueOf(context))] : []);

export const SERVICE_NAMES: readonly string[] = CONTEXT_NAMES;
export const WORKER_NAMES: readonly string[] = QUEUES.map(({ name }) => workerOf(name));

export const isWorker = (name: string) => name === 'workers' || name.startsWith('worker:');

/** The services and workers that names and groups of `main.js` stand for. */
export function partsOf(names: readonly string[]): Set<string> {
  const groups: Record<string, readonly string[]> = {
    services: SERVICE_NAMES,
    workers: WORKER_NAMES,
    all: [...SERVICE_NAMES, ...WORKER_NAMES],
  };
  return new Set(names.flatMap((name) => groups[name] ?? [name]));
}

/** A name of `main.js` as the name of a process and of its log file. */
export const processName = (name: string) => name.replace(':', '-');

/**
 * One process for all services and one for all workers. They are few, because each takes tens of megabytes, and two,
 * so that a crash in the code of a workflow takes no request with it. `names` chooses services, each with the worker
 * of its sagas, or single workers; `isolated` gives each a process of its own.
 * @throws Error naming what there is not
 */
export function planProcesses(names: readonly string[], isolated: boolean): ProcessPlan {
  const chosen = new Set(
    (names.length === 0 ? ['all'] : names).flatMap((name) => {
      const parts = [...partsOf([name])];
      if (parts.length > 1 || WORKER_NAMES.includes(name)) return parts;
      const context = CONTEXT_NAMES.find((candidate) => candidate === name);
      if (context) return [context, ...workersOf(context)];
      throw new Error(`There is no ${name}; there are ${['all', ...SERVICE_NAMES, ...WORKER_NAMES].join(', ')}`);
    }),
  );
  if (isolated) return Object.fromEntries([...chosen].map((name) => [processName(name), [name]]));
  const services = SERVICE_NAMES.filter((name) => chosen.has(name));
  const workers = WORKER_NAMES.filter((name) => chosen.has(name));
  return { ...(services.length > 0 && { services }), ...(workers.length > 0 && { workers }) };
}
