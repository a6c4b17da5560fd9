import { CONTEXT_NAMES, type ContextName, contextsOf, partsOf, queueOf, workerOf } from '../../kernel/modules';

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

/** The worker that carries a context's sagas, if it has any. */
const workersOf = (context: ContextName) => {
  const queue = queueOf(context);
  return queue ? [workerOf(queue)] : [];
};

const ALL = partsOf(contextsOf([]));
export const SERVICE_NAMES: readonly string[] = ALL.services;
export const WORKER_NAMES: readonly string[] = ALL.workers;

export const isWorker = (name: string) => name === 'workers' || name.startsWith('worker:');

/** A name of `main.js` as the name of a process and of its log file. */
export const processName = (name: string) => name.replace(':', '-');

/**
 * One process for all services and one for all workers. They are few, because each takes tens of megabytes, and two,
 * so that a crash in the code of a workflow takes no request with it. `names` chooses services, each with the worker
 * of its sagas, or single workers; `isolated` gives each a process of its own. `contexts` are those that run.
 * @throws Error naming what there is not, or what does not run
 */
export function planProcesses(
  names: readonly string[],
  isolated: boolean,
  contexts: ReadonlySet<ContextName> = contextsOf([]),
): ProcessPlan {
  const running: Record<'services' | 'workers', readonly string[]> = partsOf(contexts);
  const all = [...running.services, ...running.workers];
  const chosen = new Set(
    (names.length === 0 ? ['all'] : names).flatMap((name) => {
      if (name === 'all') return all;
      if (name === 'services' || name === 'workers') return running[name];
      const context = CONTEXT_NAMES.find((candidate) => candidate === name);
      if (!context && !WORKER_NAMES.includes(name))
        throw new Error(`There is no ${name}; there are ${['all', ...SERVICE_NAMES, ...WORKER_NAMES].join(', ')}`);
      if (!all.includes(name)) throw new Error(`MODULES switches off ${name}`);
      return context ? [context, ...workersOf(context)] : [name];
    }),
  );
  if (isolated) return Object.fromEntries([...chosen].map((name) => [processName(name), [name]]));
  const services = running.services.filter((name) => chosen.has(name));
  const workers = running.workers.filter((name) => chosen.has(name));
  return { ...(services.length > 0 && { services }), ...(workers.length > 0 && { workers }) };
}
