import { missingPrograms, missingScripts } from './support/named-scripts';
import { filesBelow, textOf } from './support/repository';

// Comments, errors and usage texts tell people what to run. tests/docs.test.ts asks the same of documents.

const KIND = /(?:\.(?:ts|js|cjs|yml|txt)|(?:^|\/)(?:Dockerfile|\.env\.example))$/;
const files = filesBelow('.', (path) => KIND.test(path) && path !== 'tests/named-scripts.test.ts');

const missing = (paths: string[], find: (text: string) => string[]) =>
  paths.flatMap((path) => find(textOf(path)).map((name) => `${path} names ${name}`));

test('there is something to check', () => {
  expect(files).toEqual(
    expect.arrayContaining(['main.ts', 'Dockerfile', '.env.example', 'docker-compose.temporal.yml', 'bench/main.ts']),
  );
});

test('every npm script that is named exists', () => {
  expect(missing(files, missingScripts)).toEqual([]);
});

test('every compiled program that is named has its source', () => {
  // Tests make up programs to see them refused. A program that a test starts and that is missing fails that test.
  const product = files.filter((path) => !path.startsWith('tests/'));
  expect(missing(product, missingPrograms)).toEqual([]);
});

test.each([
  ['`npm run biuld`', 'biuld'],
  ['run `npm -s run biuld` first', 'biuld'],
  ['RUN npm run -s biuld', 'biuld'],
  ['Set CONTEXT, as `npm run db:generate -- booking` does', 'db:generate'],
  ['npm --prefix bench run chaos', 'chaos'],
  ['npm --prefix nowhere run build', 'build'],
])('%s names a script that does not exist', (text, script) => {
  expect(missingScripts(text)).toEqual([script]);
});

test.each([
  'npm run build',
  'npm -s run build',
  'npm start ended',
  'npm --prefix bench run -s bench --',
  'npm is told',
])('%s names none that is missing', (text) => {
  expect(missingScripts(text)).toEqual([]);
});

test.each(['node dist/scripts/away.js', '[node, dist/scripts/away.js]', '["node", "../dist/scripts/away.js"]'])(
  '%s names a program that has no source',
  (text) => {
    expect(missingPrograms(text)).toEqual(['scripts/away.ts']);
  },
);
