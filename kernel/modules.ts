/** A bounded context: one service, and all that belongs to it. Its name is also that of its folder, its settings and its database role. */
interface Context {
  /** What it is for; of what is behind the gateway, the API reference says it. */
  about: string;
  /** The default port of its service. */
  port: number;
  database: boolean;
  /** The paths of the gateway that lead to it. */
  prefixes: readonly `/api/${string}`[];
  /** The kinds of its sagas. They have the task queue of their module, and its worker. */
  sagas: readonly string[];
  /** Why its sagas have a task queue and a worker of the context's name instead; left out: they share. */
  ownQueue?: string;
}

/** Contexts that are of use together. Its name is also that of its task queue. */
interface Module {
  contexts: Readonly<Record<string, Context>>;
  /** The modules that it cannot do without; every one needs `core`, and need not say so. */
  needs: readonly string[];
  /** Task queues that its sagas were started on before: their worker serves them for as long as any of those runs. */
  formerQueues: readonly string[];
}

/**
 * What the platform is made of, once: settings, ports, databases, routing and processes are derived from it. What else names contexts or
 * sagas is on the checklists of `services/README.md`, and tests hold it against this.
 */
export const MODULES = {
  core: {
    contexts: {
      gateway: {
        about: 'The one door for clients: tokens, limits and the way to each service',
        port: 8000,
        database: false,
        prefixes: [],
        sagas: [],
      },
      identity: {
        about: 'Sign-up, sign-in, sessions and accounts',
        port: 8001,
        database: true,
        prefixes: ['/api/auth', '/api/users', '/api/identity-acts'],
        sagas: ['user-creation', 'account-mail', 'email-change', 'tutor-account', 'suspension'],
      },
      tutoring: {
        about: 'Tutor profiles, prices, availability and search',
        port: 8002,
        database: true,
        prefixes: ['/api/tutors', '/api/tutoring-acts'],
        sagas: [],
      },
      booking: {
        about: 'Requesting, confirming, moving and cancelling lessons',
        port: 8003,
        database: true,
        prefixes: ['/api/bookings', '/api/booking-acts'],
        sagas: ['booking'],
        ownQueue: 'A student waits while a booking is made, and nothing else may make them wait longer',
      },
      notification: {
        about: 'The inbox of a person and what may be sent to them',
        port: 8005,
        database: true,
        prefixes: ['/api/notifications'],
        sagas: [],
      },
      payment: {
        about: 'Payments, saved cards, refunds, receipts, earnings, payouts, debts, disputes and what Stripe reports',
        port: 8006,
        database: true,
        prefixes: [
          ...['/api/disputes', '/api/payment-methods', '/api/payments', '/api/payouts', '/api/refunds'],
          ...['/api/stripe', '/api/wallet', '/api/payment-acts'],
        ],
        sagas: ['payment', 'refund', 'payout', 'debt', 'dispute'],
      },
    },
    needs: [],
    formerQueues: ['payment', 'refund', 'user-creation'],
  },
} as const satisfies Record<string, Module>;

type Modules = typeof MODULES;

export type ModuleName = keyof Modules;

export type ContextName = { [M in keyof Modules]: keyof Modules[M]['contexts'] }[keyof Modules];

/** The contexts that have `Value` as their `Field`. */
type ContextsWith<Field extends keyof Context, Value> = {
  [M in keyof Modules]: {
    [C in keyof Modules[M]['contexts']]: Modules[M]['contexts'][C] extends Record<Field, Value> ? C : never;
  }[keyof Modules[M]['contexts']];
}[keyof Modules];

export type DatabaseContext = ContextsWith<'database', true>;

/** The contexts behind the gateway. */
export type RoutedContext = ContextsWith<'prefixes', readonly [string, ...string[]]>;

/** A context whose sagas share the queue of their module. */
type Sharing<C> = C extends { ownQueue: string }
  ? never
  : C extends { sagas: readonly [string, ...string[]] }
    ? C
    : never;

/** The modules with sagas that share a queue. */
type SharedQueue = {
  [M in keyof Modules]: [Sharing<Modules[M]['contexts'][keyof Modules[M]['contexts']]>] extends [never] ? never : M;
}[keyof Modules];

/** A task queue by which sagas are started. */
export type TaskQueue = SharedQueue | ContextsWith<'ownQueue', string>;

const CONTEXTS: ReadonlyMap<string, Context> = new Map(
  Object.values(MODULES).flatMap(({ contexts }) => Object.entries<Context>(contexts)),
);

export function contextOf(name: ContextName): Context {
  const context = CONTEXTS.get(name);
  if (!context) throw new RangeError(`There is no context ${name}`);
  return context;
}

export const MODULE_NAMES = Object.keys(MODULES).filter(isModule);
export const CONTEXT_NAMES = [...CONTEXTS.keys()].filter(isContext);
/** The kinds of sagas there are. */
export const SAGAS = CONTEXT_NAMES.flatMap((name) => contextOf(name).sagas);
export const DATABASE_CONTEXTS = CONTEXT_NAMES.filter(hasDatabase);
export const ROUTED_CONTEXTS = CONTEXT_NAMES.filter(isRouted);

function hasSagas(name: ContextName): boolean {
  return contextOf(name).sagas.length > 0;
}

function isModule(name: string): name is ModuleName {
  return Object.hasOwn(MODULES, name);
}

function isShared(module: ModuleName): module is SharedQueue {
  return Object.values<Context>(MODULES[module].contexts).some(
    ({ sagas, ownQueue }) => sagas.length > 0 && ownQueue === undefined,
  );
}

function hasOwnQueue(name: ContextName): name is ContextsWith<'ownQueue', string> {
  return contextOf(name).ownQueue !== undefined;
}

function isContext(name: string): name is ContextName {
  return CONTEXTS.has(name);
}

function hasDatabase(name: ContextName): name is DatabaseContext {
  return contextOf(name).database;
}

function isRouted(name: ContextName): name is RoutedContext {
  return contextOf(name).prefixes.length > 0;
}

/**
 * The contexts of the modules that `list` names, separated by commas, of those that they need, and of `core`, which is always there. An
 * empty list names all modules.
 * @throws RangeError naming what there is not
 */
export function contextsOf(list: string): ReadonlySet<ContextName> {
  const modules = list
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = modules.filter((name) => !isModule(name));
  if (unknown.length > 0) throw new RangeError(`There is no ${unknown.join(', ')}, only ${MODULE_NAMES.join(', ')}`);
  const chosen = new Set<string>(['core', ...(modules.length > 0 ? modules : MODULE_NAMES)]);
  // A set that grows while it is gone through is gone through to its end.
  for (const name of chosen) if (isModule(name)) for (const needed of MODULES[name].needs) chosen.add(needed);
  return new Set(CONTEXT_NAMES.filter((context) => chosen.has(moduleOf(context))));
}

/** Every task queue that has work, with the sagas that its worker, `worker:<name>`, carries, and their contexts. */
export const QUEUES = [...CONTEXT_NAMES.filter(hasOwnQueue), ...MODULE_NAMES.filter(isShared)]
  .map((name) => ({ name, contexts: CONTEXT_NAMES.filter((context) => queueOf(context) === name) }))
  .map((queue) => ({ ...queue, sagas: queue.contexts.flatMap((context) => contextOf(context).sagas) }));

/** The services and workers of contexts, by the names under which `main.js` runs them. */
export function partsOf(contexts: ReadonlySet<ContextName>): { services: ContextName[]; workers: string[] } {
  return {
    services: CONTEXT_NAMES.filter((name) => contexts.has(name)),
    workers: QUEUES.filter((queue) => queue.contexts.some((name) => contexts.has(name))).map(({ name }) =>
      workerOf(name),
    ),
  };
}

/** What names many services and workers at once. */
export const PART_GROUPS: readonly string[] = ['services', 'workers', 'all'];

/**
 * The services and workers that names and groups (`PART_GROUPS`) stand for; of a group those that run.
 * @throws RangeError naming those that do not
 */
export function partsNamed(names: readonly string[], contexts: ReadonlySet<ContextName>): ReadonlySet<string> {
  const { services, workers } = partsOf(contexts);
  const groups = new Map<string, readonly string[]>([
    ['all', [...services, ...workers]],
    ['services', services],
    ['workers', workers],
  ]);
  const named = new Set(names.flatMap((name) => groups.get(name) ?? [name]));
  const off = [...named].filter((name) => !groups.get('all')?.includes(name));
  if (off.length > 0) throw new RangeError(`MODULES switches off ${off.join(', ')}`);
  return named;
}

/** The name of a queue's worker. */
export function workerOf(queue: TaskQueue): string {
  return `worker:${queue}`;
}

/** The queues on which sagas were started before that are started on this one today. */
export function formerQueuesOf(queue: TaskQueue): readonly string[] {
  return isModule(queue) ? MODULES[queue].formerQueues : [];
}

/** Where a context's sagas are started; undefined when it has none. */
export function queueOf(name: ContextName): TaskQueue | undefined {
  if (hasOwnQueue(name)) return name;
  const module = moduleOf(name);
  return hasSagas(name) && isShared(module) ? module : undefined;
}

export function moduleOf(name: ContextName): ModuleName {
  const module = MODULE_NAMES.find((candidate) => name in MODULES[candidate].contexts);
  if (!module) throw new RangeError(`No module has the context ${name}`);
  return module;
}

/** The default port by which a process is looked after, whatever it runs: health, readiness and metrics. */
export const MANAGEMENT_PORT = 8100;
