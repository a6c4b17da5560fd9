import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../tests/support/repository';
import { bundleWorkflows } from './bundle-workflows';

jest.setTimeout(60_000);

const dist = mkdtempSync(join(tmpdir(), 'tutorconnect-bundle-'));
const lockFile = join(dist, 'package-lock.json');
const write = (file: string, text: string) => writeFileSync(join(dist, file), text);
const bundle = () => readFileSync(join(dist, 'workflow-bundle.js'), 'utf8');

beforeAll(() => {
  for (const folder of ['kernel/deep', 'workflows']) mkdirSync(join(dist, folder), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dist, 'node_modules'));
  write('package-lock.json', '{}');
  write('kernel/deep/words.js', `exports.word = 'before';`);
  write('workflows/index.js', `exports.greet = async () => require('../kernel/deep/words').word;`);
  write('workflows/interceptors.js', 'exports.interceptors = () => ({});');
});
afterAll(() => rmSync(dist, { recursive: true, force: true }));

test('workflows are bundled once, and again when what they are made of has changed', async () => {
  expect(await bundleWorkflows(dist, lockFile)).toBe(true);
  expect(bundle()).toContain('before');
  expect(await bundleWorkflows(dist, lockFile)).toBe(false);

  write('kernel/deep/words.js', `exports.word = 'after';`);
  expect(await bundleWorkflows(dist, lockFile)).toBe(true);
  expect(bundle()).toContain('after');

  write('package-lock.json', '{"lockfileVersion": 3}');
  expect(await bundleWorkflows(dist, lockFile)).toBe(true);
});

test('a bundle that is gone or was not finished is made anew', async () => {
  await bundleWorkflows(dist, lockFile);
  rmSync(join(dist, 'workflow-bundle.js'));
  expect(await bundleWorkflows(dist, lockFile)).toBe(true);
  rmSync(join(dist, 'workflow-bundle.made-of'));
  expect(await bundleWorkflows(dist, lockFile)).toBe(true);
});
