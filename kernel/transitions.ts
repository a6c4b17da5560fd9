/** Which states may follow which: the whole life of a thing as one table. */
export type TransitionTable<State extends string> = Readonly<Record<State, readonly State[]>>;

/** Whether `table` allows going from `from` to `to`. A state does not follow itself unless the table says so. */
export function canGo<State extends string>(table: TransitionTable<State>, from: State, to: State): boolean {
  return table[from].includes(to);
}

/** Every state that can be reached from `start`, itself included. For tests that prove no state is dead. */
export function reachable<State extends string>(table: TransitionTable<State>, start: State): Set<State> {
  const seen = new Set<State>([start]);
  for (const state of seen) for (const next of table[state]) seen.add(next);
  return seen;
}
