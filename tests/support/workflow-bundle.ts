import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BundleOptions, bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { withLock } from '../../dev/processes/lock';
import type { workflowCoverage } from './workflow-coverage';

/**
 * The workflows as a worker loads them, and measured when Jest measures. Bundling takes seconds: a run of Jest does it once for all test
 * files that ask for the same, and those that ask meanwhile wait.
 */
export async function workflowBundle(
  options: Pick<BundleOptions, 'workflowsPath' | 'workflowInterceptorModules'>,
  coverage: ReturnType<typeof workflowCoverage>,
): Promise<{ codePath: string }> {
  const { TEST_FOLDER: folder } = process.env;
  if (!folder) throw new Error('TEST_FOLDER is not set: run the tests by `npm test` or `npx jest`');
  const asked = coverage.bundle({ ...options, logger: new DefaultLogger('ERROR') });
  const { workflowsPath, workflowInterceptorModules } = asked;
  const name = createHash('sha256').update(JSON.stringify({ workflowsPath, workflowInterceptorModules })).digest('hex');
  const codePath = join(folder, `workflows-${name}.js`);
  await withLock(`${codePath}.lock`, async () => {
    if (!existsSync(codePath)) writeFileSync(codePath, (await bundleWorkflowCode(asked)).code);
  });
  return { codePath };
}
