import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { contextOf, DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import type { Endpoint } from '../../platform/endpoint';
import { exportOf } from '../../platform/export-of';
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

const operationsIn = (path: string, name: string): Contract => exportOf(join(ROOT, 'services', path), name);

/** What each context promises. */
export const contracts: ReadonlyMap<DatabaseContext, Contract> = new Map(
  DATABASE_CONTEXTS.map((context) => [context, contractOf(context)]),
);

/** Every operation that any context promises. */
export const operations: Endpoint[] = [...contracts.values()].flatMap((contract) => Object.values(contract));
