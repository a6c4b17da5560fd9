import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { contextOf, DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/modules';
import { exportOf } from '../platform/export-of';
import type { Platform, Running } from '../platform/service';
import { runService, type ServiceDefinition, type ServicePart } from '../platform/service';

type Start = (platform: Platform) => Promise<Running>;

/** Start functions by name, each service loaded when it is started. */
export const services: Readonly<Record<string, Start>> = Object.fromEntries<Start>([
  ['gateway', async (platform) => (await import('./gateway/routes.js')).startGateway(platform)],
  ...DATABASE_CONTEXTS.map((name): [string, Start] => [
    name,
    async (platform) => runService(definitionOf(name), platform),
  ]),
]);

/**
 * Of every context the room `routes`, a file or the folder that it grew into, exports `<name>Service`. What a saga adds to it stands in a
 * folder of the saga's name, whose `routes` exports `part`.
 */
export function definitionOf(name: DatabaseContext): ServiceDefinition {
  const definition = exportOf<ServiceDefinition>(join(__dirname, name, 'routes'), `${name}Service`);
  const parts = contextOf(name).sagas.flatMap((saga) => partOf(name, saga));
  const { contract, routes } = definition;
  return {
    ...definition,
    contract: Object.fromEntries([contract, ...parts.map((part) => part.contract)].flatMap(Object.entries)),
    routes(service, deps) {
      for (const part of parts) part.routes(service, deps);
      return routes(service, deps);
    },
  };
}

function partOf(name: DatabaseContext, saga: string): ServicePart[] {
  if (!existsSync(join(__dirname, name, saga))) return [];
  return [exportOf<ServicePart>(join(__dirname, name, saga, 'routes'), 'part')];
}
