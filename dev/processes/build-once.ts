import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { compiledPath, sourcePath } from '../machine/paths';
import { runCommand } from '../machine/run-command';
import { withLock } from './lock';

const BUILT_FOR = 'dist/built-for';

/** Says that the project was built a moment ago, so that nobody in this run of Jest builds it again. */
export function alreadyBuilt(run: string): void {
  writeFileSync(sourcePath(BUILT_FOR), run);
}

/**
 * Builds the project for tests that run real processes, as `npm run build` does. A run of Jest builds once: test
 * files that ask meanwhile wait.
 * @throws Error with the compiler's words when it wrote nothing, or outside such a run
 */
export async function buildOnce(): Promise<void> {
  const { TEST_RUN: run } = process.env;
  if (!run) throw new Error('TEST_RUN is not set: run the tests by `npm test` or `npx jest`');
  const builtFor = sourcePath(BUILT_FOR);
  await withLock(sourcePath('dist/build.lock'), async () => {
    if (existsSync(builtFor) && readFileSync(builtFor, 'utf8') === run) return;
    const cleaned = await runCommand(process.execPath, [sourcePath('scripts/clean-dist.js')], { cwd: sourcePath('') });
    if (cleaned.code !== 0) throw new Error(`What was compiled before could not be removed:\n${cleaned.output}`);
    const compiler = sourcePath('node_modules/.bin/tsc');
    const { code, output } = await runCommand(compiler, ['-p', 'tsconfig.build.json'], { cwd: sourcePath('') });
    // Type errors (2) are another check's business: the compiler has written its output all the same.
    if (code !== 0 && code !== 2) throw new Error(`The project could not be compiled:\n${output}`);
    const bundled = await runCommand(process.execPath, [compiledPath('scripts/bundle-workflows.js')], {
      cwd: sourcePath(''),
    });
    if (bundled.code !== 0) throw new Error(`The workflows could not be bundled:\n${bundled.output}`);
    alreadyBuilt(run);
  });
}
