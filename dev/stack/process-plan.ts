import {
  CONTEXT_NAMES,
  type ContextName,
  contextsOf,
  PART_GROUPS,
  partsNamed,
  partsOf,
  queueOf,
  workerOf,
} from '../../kernel/modules';

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

const ALL = partsOf(contextsOf(''));
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
  contexts: ReadonlySet<ContextName> = contextsOf(''),
): ProcessPlan {
  const chosen = partsNamed((names.length === 0 ? ['all'] : names).flatMap(withWorkers), contexts);
  if (isolated) return Object.fromEntries([...chosen].map((name) => [processName(name), [name]]));
  const services = SERVICE_NAMES.filter((name) => chosen.has(name));
  const workers = WORKER_NAMES.filter((name) => chosen.has(name));
  return { ...(services.length > 0 && { services }), ...(workers.length > 0 && { workers }) };
}

/** A service with the worker of its sagas; a group or a worker as it is. @throws Error naming what there is not */
function withWorkers(name: string): string[] {
  const context = CONTEXT_NAMES.find((candidate) => candidate === name);
  if (context) return [context, ...workersOf(context)];
  if (!PART_GROUPS.includes(name) && !WORKER_NAMES.includes(name))
    throw new Error(`There is no ${name}; there are ${['all', ...SERVICE_NAMES, ...WORKER_NAMES].join(', ')}`);
  return [name];
}
