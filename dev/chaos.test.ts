import { spawnSync } from 'node:child_process';
import { compiledPath } from './machine/paths';
import { buildOnce } from './processes/build-once';

jest.setTimeout(120_000);

beforeAll(() => buildOnce());

const chaos = (...args: string[]) => {
  const { status, stderr } = spawnSync(process.execPath, [compiledPath('dev/chaos.js'), ...args], { encoding: 'utf8' });
  return { status, stderr };
};

test.each([
  [['--bokings', '20'], "Unknown option '--bokings'"],
  [['--bookings', '0'], '--bookings must be a whole number from 1 to 3000'],
  [['--bookings', '4000'], '--bookings must be a whole number from 1 to 3000'],
  [['--seed', 'seven'], '--seed must be a whole number from 1 to 9007199254740991'],
  [['20'], "Unexpected argument '20'"],
])('%j is refused with a sentence, before anything is started', (args, sentence) => {
  const { status, stderr } = chaos(...args);
  expect(status).toBe(1);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toContain('    at ');
});
