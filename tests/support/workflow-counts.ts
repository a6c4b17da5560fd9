import { proxySinks, type Sinks, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** What Istanbul counts of a file: statements, functions and branches, beside what describes them. */
export interface FileCoverage {
  path: string;
  s: Record<string, number>;
  f: Record<string, number>;
  b: Record<string, number[]>;
}
export type Coverage = Record<string, FileCoverage>;

export interface CoverageSinks extends Sinks {
  coverage: { merge(counts: Coverage): void };
}

/**
 * Bundled with the workflows that are measured: tells outside the sandbox what was reached since it was asked last. The interceptor of
 * `@temporalio/nyc-test-coverage` gives a copy of everything after every task, which took more time than the workflows themselves.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const { coverage } = proxySinks<CoverageSinks>();
  const counted: typeof globalThis & { __coverage__?: Coverage } = globalThis;
  const described = new Set<string>();
  return {
    internals: [
      {
        concludeActivation(input, next) {
          const news: Coverage = {};
          for (const [path, file] of Object.entries(counted.__coverage__ ?? {})) {
            // All that describes a file is large, and said once in a run; with it the counts that are zero.
            const whole = { ...file, s: { ...file.s }, f: { ...file.f }, b: { ...file.b } };
            const grown = taken(file);
            if (!described.has(path)) news[path] = whole;
            else if (!isEmpty(grown)) news[path] = { path, ...grown };
            described.add(path);
          }
          if (Object.keys(news).length > 0) coverage.merge(news);
          return next(input);
        },
      },
    ],
  };
};

const isEmpty = (counts: object) => Object.values(counts).every((kind) => Object.keys(kind).length === 0);

/** The counts that are not zero; they are zero afterwards. */
function taken({ s, f, b }: FileCoverage): Pick<FileCoverage, 's' | 'f' | 'b'> {
  const takenOf = (counts: Record<string, number>) => {
    const found = Object.entries(counts).filter(([, count]) => count > 0);
    for (const [id] of found) counts[id] = 0;
    return Object.fromEntries(found);
  };
  const branches = Object.entries(b).filter(([, ways]) => ways.some((count) => count > 0));
  for (const [id, ways] of branches) b[id] = ways.map(() => 0);
  return { s: takenOf(s), f: takenOf(f), b: Object.fromEntries(branches) };
}
