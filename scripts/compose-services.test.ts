import { CONTEXT_NAMES, DATABASE_CONTEXTS, QUEUES } from '../kernel/modules';
import { textOf } from '../tests/support/repository';
import { withServices } from './compose-services';

const compose = textOf('docker-compose.temporal.yml');

/** What the file says of one container. @throws Error when there is none of this name */
function containerOf(name: string): string {
  const [, lines] = new RegExp(`^  ${name}:\n((?: {4}.*\n)+)`, 'm').exec(compose) ?? [];
  if (lines === undefined) throw new Error(`There is no container ${name}`);
  return lines;
}

test('the compose file has what there is: else run `node dist/scripts/compose-services.js` after a build', () => {
  expect(withServices(compose)).toBe(compose);
});

test('one that has something else is mended, and one without a place for it refused', () => {
  const other = compose
    .replace('  BOOKING_URL: http://booking:8003\n', '')
    .replace('command: [payment]', 'command: [shop]');
  expect(other.length).toBeLessThan(compose.length);
  expect(withServices(other)).toBe(compose);
  expect(() => withServices('services: {}\n')).toThrow('There is no "  # from kernel/modules.ts');
});

test('each context has its address and its database', () => {
  for (const name of CONTEXT_NAMES.filter((context) => context !== 'gateway'))
    expect(compose).toContain(`\n  ${name.toUpperCase()}_URL: http://${name}:`);
  for (const name of DATABASE_CONTEXTS) expect(compose).toContain(`@postgres:5432/${name}_db\n`);
});

test('services append to the event bus and read it, the gateway only reads it, and no worker is told where it is', () => {
  const opened = (name: string) =>
    [...containerOf(name).matchAll(/\bbus-?(appender|reader)?\b/g)].map(([, role]) => role);
  for (const name of DATABASE_CONTEXTS) expect([name, opened(name)]).toEqual([name, ['reader', 'appender']]);
  expect(opened('gateway')).toEqual(['reader']);
  for (const { name } of QUEUES) expect([name, opened(`worker-${name}`)]).toEqual([name, []]);
  for (const role of ['appender', 'reader'])
    expect(compose).toMatch(new RegExp(`^  BUS_${role.toUpperCase()}_DATABASE_URL: .*//bus_${role}:.*/bus_db$`, 'm'));
  expect(compose).not.toContain('BUS_DATABASE_URL');
});

test('operators open the database of each context, and read the event bus', () => {
  const lines = containerOf('operator');
  for (const name of DATABASE_CONTEXTS)
    expect(lines).toContain(`      ${name.toUpperCase()}_DATABASE_URL: *${name}-database-url\n`);
  expect(lines).toContain('<<: *bus-reader');
  expect(lines).not.toContain('appender');
  // A module that is switched off has no database that could be asked.
  expect(lines).toContain('MODULES: *modules');
});

test('a service is told what the file has for it alone', () => {
  expect(compose).toContain('<<: [*environment, *bus-reader, *bus-appender, *payment-settings]');
  const bare = compose.replace('x-payment: &payment-settings', 'x-other: &other-settings');
  expect(withServices(bare)).not.toContain('*payment-settings');
});
