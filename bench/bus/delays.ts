/** Milliseconds since 1970 at which the transactions that wrote rows were committed, by the rows' ids. */
export type CommitTimes = ReadonlyMap<string, number>;

/** Milliseconds from each commit to the other of the same id; what came to nothing is left out. */
export function delays(from: CommitTimes, to: CommitTimes): number[] {
  return [...from].flatMap(([id, at]) => {
    const then = to.get(id);
    return then === undefined ? [] : [then - at];
  });
}

/** How many were committed a second, from the first to the last. */
export function perSecond(times: CommitTimes): number {
  const sorted = [...times.values()].toSorted((a, b) => a - b);
  const [first, last] = [sorted.at(0), sorted.at(-1)];
  if (first === undefined || last === undefined || first === last) return 0;
  return ((sorted.length - 1) * 1_000) / (last - first);
}
