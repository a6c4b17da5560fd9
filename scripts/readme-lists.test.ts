import { CONTEXT_NAMES } from '../kernel/modules';
import { textOf } from '../tests/support/repository';
import { withLists } from './readme-lists';

const readme = textOf('README.md');

test('README.md lists what there is: else run `node dist/scripts/readme-lists.js` after a build', () => {
  expect(withLists(readme)).toBe(readme);
});

test('a README that lists something else is mended, and one without the lists refused', () => {
  const other = readme.replace('gateway --> identity', 'gateway --> identity & shop').replaceAll('| core ', '| shop ');
  expect(other).not.toBe(readme);
  expect(withLists(other)).toBe(readme);
  expect(() => withLists('# Nothing')).toThrow('There is no "<!-- from');
  for (const name of CONTEXT_NAMES) expect(readme).toContain(`\`${name}\``);
});
