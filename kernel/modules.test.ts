import { CONTEXT_NAMES, contextOf, DATABASE_CONTEXTS, ROUTED_CONTEXTS, SAGAS } from './modules';

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
