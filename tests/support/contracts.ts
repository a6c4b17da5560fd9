import { join } from 'node:path';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import type { Endpoint } from '../../platform/endpoint';
import { ROOT } from './repository';

type Contract = Readonly<Record<string, Endpoint>>;

function contractOf(context: DatabaseContext): Contract {
  const room: Readonly<Record<string, Contract>> = require(join(ROOT, 'services', context, 'contract'));
  const contract = room[`${context}Contract`];
  if (!contract) throw new Error(`services/${context}/contract exports no ${context}Contract`);
  return contract;
}

/** What each context promises. */
export const contracts: ReadonlyMap<DatabaseContext, Contract> = new Map(
  DATABASE_CONTEXTS.map((context) => [context, contractOf(context)]),
);

/** Every operation that any context promises. */
export const operations: Endpoint[] = [...contracts.values()].flatMap((contract) => Object.values(contract));
