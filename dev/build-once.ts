import { join } from 'node:path';
import { withLock } from './lock';
import { sourcePath } from './paths';
import { runCommand } from './run-command';

/**
 * Compiles the project for tests that run real processes. Incremental, so that a second call takes a second; test files that
 * ask at once wait for each other. @throws Error with the compiler's words when it wrote nothing
 */
export async function buildOnce(): Promise<void> {
  await withLock(join(sourcePath('dist'), 'build.lock'), async () => {
    const compiler = sourcePath('node_modules/.bin/tsc');
    const { code, output } = await runCommand(compiler, ['-p', 'tsconfig.build.json'], { cwd: sourcePath('') });
    // Type errors (2) are another check's business: the compiler has written its output all the same.
    if (code !== 0 && code !== 2) throw new Error(`The project could not be compiled:\n${output}`);
  });
}
