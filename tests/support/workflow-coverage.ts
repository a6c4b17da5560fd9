import { join } from 'node:path';
import type { BundleOptions } from '@temporalio/worker';
import type { Coverage } from './workflow-counts';

const WORKFLOWS = join(__dirname, '../../workflows/');
/** Jest itself counts `*.api.ts`. */
const COUNTED = /\/workflows\/(?!.*\.api\.ts$)[^/]*\.ts$/;

/**
 * What the tests reach of workflow code, which runs in a sandbox that Jest cannot see into. Jest itself counts `*.api.ts` and all that is
 * outside `workflows/` (`coveragePathIgnorePatterns`): a file counted by both would be counted wrongly, because both number its branches differently.
 */
export function workflowCoverage() {
  const counted: typeof globalThis & { __coverage__?: Coverage } = globalThis;
  const reached: Coverage = {};
  return {
    bundle: (options: BundleOptions): BundleOptions => (counted.__coverage__ ? measured(options) : options),
    sinks: {
      coverage: { merge: { callDuringReplay: true, fn: (_: unknown, counts: Coverage) => add(reached, counts) } },
    },
    /** Hands everything to Jest; harmless when it does not measure. Not by the package, whose objects Jest cannot read. */
    report(): void {
      if (counted.__coverage__) Object.assign(counted.__coverage__, reached);
    },
  };
}

function measured(options: BundleOptions): BundleOptions {
  return {
    ...options,
    workflowInterceptorModules: [...(options.workflowInterceptorModules ?? []), join(__dirname, 'workflow-counts.ts')],
    webpackConfigHook: (config) => ({
      ...config,
      module: {
        ...config.module,
        rules: [
          ...(config.module?.rules ?? []),
          {
            enforce: 'post',
            test: (file: string) => file.startsWith(WORKFLOWS) && COUNTED.test(file),
            use: { loader: require.resolve('@temporalio/nyc-test-coverage/lib/loader') },
          },
        ],
      },
    }),
  };
}

function add(reached: Coverage, counts: Coverage): void {
  for (const [path, file] of Object.entries(counts)) {
    const known = reached[path];
    if (!known) {
      reached[path] = file;
      continue;
    }
    for (const kind of ['s', 'f'] as const)
      for (const [id, count] of Object.entries(file[kind])) known[kind][id] = (known[kind][id] ?? 0) + count;
    for (const [id, ways] of Object.entries(file.b))
      known.b[id] = ways.map((count, way) => (known.b[id]?.[way] ?? 0) + count);
  }
}
