import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { contextOf, DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import type { Endpoint } from '../../platform/endpoint';
import { ROOT } from './repository';

type Contract = Readonly<Record<string, Endpoint>>;

function contractOf(context: DatabaseContext): Contract {
  const sagas = contextOf(context).sagas.filter((saga) => existsSync(join(ROOT, 'services', context, saga)));
  const rooms = [
    operationsIn(join(context, 'contract'), `${context}Contract`),
    ...sagas.map((saga) => operationsIn(join(context, saga, 'contract'), 'operations')),
  ];
  return Object.fromEntries(rooms.flatMap(Object.entries));
}

function operationsIn(path: string, name: string): Contract {
  const room: Readonly<Record<string, Contract>> = require(join(ROOT, 'services', path));
  const contract = room[name];
  if (!contract) throw new Error(`services/${path} exports no ${name}`);
  return contract;
}

/** What each context promises. */
export const contracts: ReadonlyMap<DatabaseContext, Contract> = new Map(
  DATABASE_CONTEXTS.map((context) => [context, contractOf(context)]),
);

/** Every operation that any context promises. */
export const operations: Endpoint[] = [...contracts.values()].flatMap((contract) => Object.values(contract));
