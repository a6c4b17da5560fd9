import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DATABASE_CONTEXTS } from '../kernel/modules';
import type { Endpoint } from '../platform/endpoint';
import { filesBelow, ROOT, textOf } from './support/repository';

// How services/ is furnished: services/README.md says it, this holds it.

/** Names of kinds. A room is named by what it holds: a capability or an audience. */
const KINDS = [
  'shapes',
  'types',
  'reading',
  'replies',
  'utils',
  'util',
  'helpers',
  'common',
  'shared',
  'misc',
  'internal',
  'base',
];
const LONGEST_FILE = 400;

const sources = filesBelow('.', (path) => path.endsWith('.ts'));
const rooms = sources.filter((path) => path.startsWith('services/') && !path.endsWith('.test.ts'));

/** What is wrong with a room's place and name. */
function faultsOf(path: string, others: ReadonlySet<string>): string[] {
  const parts = path.replace(/\.ts$/, '').split('/').slice(1);
  const kind = parts.find((part) => KINDS.includes(part));
  return [
    ...(kind ? [`${path}: ${kind} says what kind of thing it is, not what it holds`] : []),
    ...(basename(path).split('.').length > 2 ? [`${path}: a room that grows is a folder, not a dotted name`] : []),
    ...(others.has(path.replace(/\.ts$/, '')) ? [`${path}: stands beside the folder of its name`] : []),
  ];
}

const folders = new Set(rooms.map((path) => path.slice(0, path.lastIndexOf('/'))));

test('every room below services/ is named by what it holds, and grows into a folder of its own name', () => {
  expect(rooms.length).toBeGreaterThan(50);
  expect(rooms.flatMap((path) => faultsOf(path, folders))).toEqual([]);
});

test.each([
  ['services/booking/saga.store.ts', 'dotted'],
  ['services/booking/contract/shapes.ts', 'shapes'],
  ['services/payment/utils/money.ts', 'utils'],
  ['services/booking/store.ts', 'beside the folder'],
])('%s would be caught', (path, fault) => {
  expect(faultsOf(path, new Set(['services/booking/store']))).toEqual([expect.stringContaining(fault)]);
});

test(`no file has more than ${LONGEST_FILE} lines, tests neither`, () => {
  const long = sources
    .map((path) => ({ path, lines: textOf(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > LONGEST_FILE);
  expect(long).toEqual([]);
});

/** Contexts of before the rule that each says what it exports and erases of a person. */
const SILENT_OF_PEOPLE = new Set<string>(['identity', 'tutoring', 'booking', 'notification', 'payment']);

describe.each(DATABASE_CONTEXTS)('in %s', (context) => {
  const at = (room: string) => join(ROOT, 'services', context, room);
  const operationsIn = (room: string, name: string): [string, Endpoint][] => {
    const found: Record<string, Record<string, Endpoint>> = require(at(room));
    return Object.entries(found[name] ?? {});
  };

  test('contract, events, routes and client are there', () => {
    const missing = ['contract', 'events', 'routes', 'client'].filter(
      (room) => !existsSync(at(`${room}.ts`)) && !existsSync(at(room)),
    );
    expect(missing).toEqual([]);
  });

  test('a person can be exported and erased', () => {
    if (SILENT_OF_PEOPLE.has(context)) return;
    const operations = new Map(operationsIn('contract', `${context}Contract`));
    expect(operations.get('exportPerson')).toMatchObject({ method: 'get', access: 'service' });
    expect(operations.get('erasePerson')).toMatchObject({ access: 'service', idempotency: 'required' });
  });

  test('people and sagas are promised things in rooms of their own, once the contract is a folder', () => {
    if (!existsSync(at('contract'))) return;
    const people = operationsIn('contract/people', 'peopleOperations');
    const sagas = operationsIn('contract/saga', 'sagaOperations');
    expect(people.length).toBeGreaterThan(0);
    expect(sagas.length).toBeGreaterThan(0);
    expect(people.filter(([, { access, path }]) => access === 'service' || !path.startsWith('/api/'))).toEqual([]);
    expect(sagas.filter(([, { access, path }]) => access !== 'service' || !path.startsWith('/internal/'))).toEqual([]);
  });

  test('what sagas are promised is served by routes/saga-steps.ts, once routes are a folder', () => {
    if (!existsSync(at('routes')) || !existsSync(at('contract'))) return;
    const text = textOf(`services/${context}/routes/saga-steps.ts`);
    const served = [...text.matchAll(/\.serve\(\s*contract\.(\w+)/g)].map(([, name]) => name);
    const promised = operationsIn('contract/saga', 'sagaOperations').map(([name]) => name);
    expect(served.toSorted()).toEqual(promised.toSorted());
  });
});
