import { CONTEXT_NAMES, DATABASE_CONTEXTS } from '../kernel/modules';
import { textOf } from '../tests/support/repository';
import { withServices } from './compose-services';

const compose = textOf('docker-compose.temporal.yml');

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

test('a service is told what the file has for it alone', () => {
  expect(compose).toContain('<<: [*environment, *payment-settings]');
  const bare = compose.replace('x-payment: &payment-settings', 'x-other: &other-settings');
  expect(withServices(bare)).not.toContain('*payment-settings');
});
