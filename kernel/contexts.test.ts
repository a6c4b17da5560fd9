import { CONTEXT_NAMES, CONTEXTS, DATABASE_CONTEXTS } from './contexts';

test('no two contexts share a port', () => {
  const ports = CONTEXT_NAMES.map((name) => CONTEXTS[name].port);
  expect(new Set(ports).size).toBe(CONTEXT_NAMES.length);
});

test('every context but the gateway owns a database', () => {
  expect(DATABASE_CONTEXTS).toEqual(CONTEXT_NAMES.filter((name) => name !== 'gateway'));
});

test('names fit into settings, roles and URLs as they are', () => {
  for (const name of CONTEXT_NAMES) expect(name).toMatch(/^[a-z]+$/);
});
