import { join } from 'node:path';
import { WorkflowCoverage } from '@temporalio/nyc-test-coverage';

interface FileCoverage {
  path: string;
  s: Record<string, number>;
  f: Record<string, number>;
  b: Record<string, number[]>;
}
type Coverage = Record<string, FileCoverage>;

const WORKFLOWS = join(__dirname, '../../workflows/');

/**
 * What the tests reach of workflow code, which runs in a sandbox that Jest cannot see into. Jest itself counts `*.api.ts` and all that is
 * outside `workflows/` (`coveragePathIgnorePatterns`): a file counted by both would be counted wrongly, because both number its branches differently.
 */
export function workflowCoverage() {
  const coverage = new WorkflowCoverage();
  const reached: Coverage = {};
  // The package's own sink keeps a copy of every count of every activation; one that adds them up is enough.
  const { merge } = coverage.sinks.coverage;
  const sinks = {
    coverage: {
      merge: { ...merge, callDuringReplay: true, fn: (_: unknown, counts: Coverage) => add(reached, counts) },
    },
  };
  return {
    bundle: (options: Parameters<typeof coverage.augmentBundleOptions>[0]) => coverage.augmentBundleOptions(options),
    sinks,
    /** Hands everything to Jest; harmless when it does not measure. Not by the package, whose objects Jest cannot read. */
    report(): void {
      const counted: typeof globalThis & { __coverage__?: Coverage } = globalThis;
      if (counted.__coverage__) Object.assign(counted.__coverage__, reached);
    },
  };
}

function add(reached: Coverage, counts: Coverage): void {
  for (const [path, file] of Object.entries(counts)) {
    if (!path.startsWith(WORKFLOWS) || path.endsWith('.api.ts')) continue;
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
