import { join } from 'node:path';
import { withLock } from './lock';
import { compiledPath, sourcePath } from './paths';
import { runCommand } from './run-command';

/**
 * Builds the project for tests that run real processes, as `npm run build` does. Incremental, so that a second call takes a few
 * seconds; test files that ask at once wait for each other. @throws Error with the compiler's words when it wrote nothing
 */
export async function buildOnce(): Promise<void> {
  await withLock(join(sourcePath('dist'), 'build.lock'), async () => {
    const compiler = sourcePath('node_modules/.bin/tsc');
    const { code, output } = await runCommand(compiler, ['-p', 'tsconfig.build.json'], { cwd: sourcePath('') });
    // Type errors (2) are another check's business: the compiler has written its output all the same.
    if (code !== 0 && code !== 2) throw new Error(`The project could not be compiled:\n${output}`);
    const bundled = await runCommand(process.execPath, [compiledPath('scripts/bundle-workflows.js')], {
      cwd: sourcePath(''),
    });
    if (bundled.code !== 0) throw new Error(`The workflows could not be bundled:\n${bundled.output}`);
  });
}
