import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const BUNDLE = 'workflow-bundle.js';
const MADE_OF = 'workflow-bundle.made-of';

/** All that workflows may import of the project: `.dependency-cruiser.cjs` sees to it. */
const SOURCES = ['kernel', 'workflows'];

/** The same for the same compiled sources, packages and way of bundling, which is this file's. */
function fingerprint(dist: string, lockFile: string): string {
  const hash = createHash('sha256').update(readFileSync(lockFile)).update(readFileSync(__filename));
  for (const folder of SOURCES) {
    const files = readdirSync(join(dist, folder), { encoding: 'utf8', recursive: true });
    for (const file of files.filter((path) => path.endsWith('.js')).toSorted())
      hash.update(`\n${folder}/${file}\n`).update(readFileSync(join(dist, folder, file)));
  }
  return hash.digest('hex');
}

/**
 * Bundles the compiled workflows below `dist`, which saves about two seconds at each start of each worker. That takes seconds itself, so
 * nothing is done where the bundle is of these sources already.
 * @returns whether it was made
 */
export async function bundleWorkflows(dist: string, lockFile: string): Promise<boolean> {
  const madeOf = join(dist, MADE_OF);
  const today = fingerprint(dist, lockFile);
  if (existsSync(join(dist, BUNDLE)) && existsSync(madeOf) && readFileSync(madeOf, 'utf8') === today) return false;
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(dist, 'workflows', 'index.js'),
    workflowInterceptorModules: [join(dist, 'workflows', 'interceptors.js')],
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(join(dist, BUNDLE), code);
  writeFileSync(madeOf, today);
  return true;
}

if (require.main === module) {
  const dist = join(__dirname, '..');
  bundleWorkflows(dist, join(dist, '..', 'package-lock.json')).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
