/**
 * The bounded contexts: the default port of each service and whether it owns a database. Adding a context is its folder
 * under `services/`, its line here and its line in `services/index.ts`.
 */
export const CONTEXTS = {
  gateway: { port: 8000, database: false },
  identity: { port: 8001, database: true },
  tutoring: { port: 8002, database: true },
  booking: { port: 8003, database: true },
  notification: { port: 8005, database: true },
  payment: { port: 8006, database: true },
} as const satisfies Record<string, { port: number; database: boolean }>;

/** The default port by which a process is looked after, whatever it runs: health, readiness and metrics. */
export const MANAGEMENT_PORT = 8100;

export type ContextName = keyof typeof CONTEXTS;

export type DatabaseContext = {
  [C in ContextName]: (typeof CONTEXTS)[C]['database'] extends true ? C : never;
}[ContextName];

export const CONTEXT_NAMES = Object.keys(CONTEXTS).filter(isContext);
export const DATABASE_CONTEXTS = CONTEXT_NAMES.filter(hasDatabase);

function isContext(name: string): name is ContextName {
  return Object.hasOwn(CONTEXTS, name);
}

function hasDatabase(name: ContextName): name is DatabaseContext {
  return CONTEXTS[name].database;
}
