import {
  CONTEXT_NAMES,
  contextOf,
  contextsOf,
  DATABASE_CONTEXTS,
  formerQueuesOf,
  MODULE_NAMES,
  MODULES,
  partsOf,
  QUEUES,
  ROUTED_CONTEXTS,
  SAGAS,
  workerOf,
} from './modules';

test('no two contexts share a port', () => {
  const ports = CONTEXT_NAMES.map((name) => contextOf(name).port);
  expect(new Set(ports).size).toBe(CONTEXT_NAMES.length);
});

test('every context but the gateway owns a database', () => {
  expect(DATABASE_CONTEXTS).toEqual(CONTEXT_NAMES.filter((name) => name !== 'gateway'));
});

test('every path of the API leads to one context', () => {
  const prefixes = ROUTED_CONTEXTS.flatMap((name) => contextOf(name).prefixes);
  expect(new Set(prefixes).size).toBe(prefixes.length);
  for (const prefix of prefixes) expect(prefix).toMatch(/^\/api\/[a-z-]+$/);
});

test('every saga belongs to one context', () => {
  expect(new Set(SAGAS).size).toBe(SAGAS.length);
});

test('names fit into settings, roles and URLs as they are', () => {
  for (const name of CONTEXT_NAMES) expect(name).toMatch(/^[a-z]+$/);
});

test('without names all modules run; core runs whatever is named', () => {
  expect([...contextsOf('')]).toEqual(CONTEXT_NAMES);
  for (const name of MODULE_NAMES)
    expect([...contextsOf(name)]).toEqual(expect.arrayContaining(Object.keys(MODULES.core.contexts)));
});

test('a module that there is not is refused with those there are', () => {
  expect(() => contextsOf('core, shops')).toThrow(/^There is no shops, only core/);
  expect(() => contextsOf('constructor')).toThrow(/^There is no constructor, only core/);
});

test('modules need others that there are', () => {
  for (const { needs } of Object.values(MODULES)) expect(MODULE_NAMES).toEqual(expect.arrayContaining([...needs]));
});

test('every saga has one queue, and a queue of before is none of today', () => {
  const carried = QUEUES.flatMap(({ sagas }) => sagas);
  expect(carried.toSorted()).toEqual([...SAGAS].toSorted());
  const former = QUEUES.flatMap(({ name }) => formerQueuesOf(name));
  expect(former).toContain('refund');
  expect(QUEUES.map(({ name }) => name).filter((name) => former.includes(name))).toEqual([]);
});

test('a worker runs where a context of its queue does', () => {
  expect(partsOf(new Set(['gateway', 'booking']))).toEqual({
    services: ['gateway', 'booking'],
    workers: ['worker:booking'],
  });
  expect(partsOf(new Set(['tutoring', 'payment']))).toEqual({
    services: ['tutoring', 'payment'],
    workers: ['worker:core'],
  });
  expect(partsOf(contextsOf('core')).workers).toEqual(['worker:booking', 'worker:core']);
  expect(partsOf(contextsOf('')).workers).toEqual(QUEUES.map(({ name }) => workerOf(name)));
});
