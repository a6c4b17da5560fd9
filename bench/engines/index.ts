import type { StartEngine } from './engine';

/**
 * How the process of each engine starts the engine. `gateway` and `gateway-together` have no process: they are the
 * product as clients see it.
 */
export const HOSTED = {
  bare: async () => (await import('./bare.js')).startBare,
  naive: async () => (await import('./naive.js')).startNaive,
  tutorial: async () => (await import('./tutorial.js')).startTutorial,
  ours: async () => (await import('./ours.js')).startOurs,
  dbos: async () => (await import('./dbos.js')).startDbos,
  queue: async () => (await import('./queue.js')).startQueue,
  restate: async () => (await import('./restate.js')).startRestate,
} as const satisfies Record<string, () => Promise<StartEngine>>;

export type HostedEngine = keyof typeof HOSTED;
export type EngineName = HostedEngine | 'gateway' | 'gateway-together';

/** In the order of tables and plots. */
export const ENGINES = [
  'bare',
  'restate',
  'dbos',
  'queue',
  'ours',
  'gateway-together',
  'gateway',
  'naive',
  'tutorial',
] as const satisfies EngineName[];

export const isHosted = (name: EngineName): name is HostedEngine => name in HOSTED;

/** Which processes of the product an engine is measured with. */
export const layoutOf = (name: EngineName) => (name === 'gateway-together' ? 'together' : 'apart');

const RESTATE_NEEDS_NODE = 22;

/** Why an engine cannot run here; undefined when it can. */
export function missingFor(name: EngineName): string | undefined {
  if (name !== 'restate') return undefined;
  // Restate's SDK calls Promise.withResolvers, which came with Node 22, and does not say so: on Node 20 every
  // invocation hangs.
  if (Number.parseInt(process.versions.node, 10) < RESTATE_NEEDS_NODE)
    return `it needs Node ${RESTATE_NEEDS_NODE}, and this is ${process.versions.node}`;
  try {
    require.resolve(`@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`);
    return undefined;
  } catch {
    return `npm has no server of it for ${process.platform} on ${process.arch}`;
  }
}
